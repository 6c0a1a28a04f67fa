// SPDX-License-Identifier: GPL-2.0-or-later
/* Closing a view that another process has opened, from its record. */
#include "live/live.h"

#include "base/say.h"
#include "live/lock.h"
#include "live/undo.h"

struct view_wanted {
	const char *name;
	bool found;
};

static int close_if_wanted(void *context, const struct te_run *run)
{
	struct view_wanted *wanted = context;
	struct te_undo find_out = { 0 };
	struct te_run fresh;
	int lock, err;

	if (strcmp(run->view, wanted->name))
		return 0;
	wanted->found = true;
	lock = te_lock_pool(run->pool_name);
	if (lock < 0)
		return lock;
	err = te_run_reload(run, &fresh);
	if (!err) {
		err = te_undo_run(&fresh, &find_out);
		te_run_exit(&fresh);
	}
	te_unlock_pool(lock);
	return err == -ENOENT ? 0 : err;
}

int te_live_close_view(const char *name)
{
	struct view_wanted wanted = { .name = name };
	int err = te_dm_start();

	if (!err)
		err = te_run_each(close_if_wanted, &wanted);
	if (err || wanted.found)
		return err;
	te_error("there is no view %s; `thinexport view list` shows those that are open", name);
	return -ENOENT;
}
