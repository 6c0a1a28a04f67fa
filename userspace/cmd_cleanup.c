// SPDX-License-Identifier: GPL-2.0-or-later
/* cleanup: undoes what interrupted runs have left in live pools. */
#include <getopt.h>
#include <stdio.h>

#include "cmd.h"
#include "interrupt.h"
#include "lock.h"
#include "record.h"
#include "say.h"
#include "undo.h"

struct cleaning {
	const char *pool_name;		/* only of this pool, or NULL */
	struct te_undo undo;
	size_t nr_runs;			/* undone, or to be */
	bool failed;
};

/* An open view is no leftover; `view close` ends it. */
static bool stays(const struct te_run *run)
{
	if (!te_run_is_open_view(run))
		return false;
	te_note("the view %s of %s is open and stays; `thinexport view close %s` ends it",
		run->view, run->pool_name, run->view);
	return true;
}

static int clean_locked(struct cleaning *cleaning, const struct te_run *run)
{
	struct te_run fresh;
	int err = te_run_reload(run, &fresh);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (!stays(&fresh)) {
		cleaning->nr_runs++;
		err = te_undo_run(&fresh, &cleaning->undo);
	}
	te_run_exit(&fresh);
	return err;
}

static int clean_run(void *context, const struct te_run *run)
{
	struct cleaning *cleaning = context;
	int lock;

	if (cleaning->pool_name && strcmp(run->pool_name, cleaning->pool_name))
		return 0;
	if (stays(run))
		return 0;
	lock = te_lock_pool(run->pool_name);
	if (lock < 0 || clean_locked(cleaning, run))
		cleaning->failed = true;
	if (lock >= 0)
		te_unlock_pool(lock);
	return 0;
}

/* One who died while writing his record had made nothing of it yet. */
static int clean_unfinished(void *context, const char *pool_name, const char *file)
{
	struct cleaning *cleaning = context;
	int lock;

	if (cleaning->undo.dry || (cleaning->pool_name && strcmp(pool_name, cleaning->pool_name)))
		return 0;
	lock = te_lock_pool(pool_name);
	if (lock < 0 || te_run_drop_unfinished(file))
		cleaning->failed = true;
	if (lock >= 0)
		te_unlock_pool(lock);
	return 0;
}

static enum te_exit run_cleanup(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ NULL }
	};
	struct cleaning cleaning = { .undo.tell = true };
	struct te_dm_device pool;
	int c, err;

	while ((c = getopt_long(argc, argv, "n", options, NULL)) != -1) {
		if (c != 'n')
			return te_usage(&te_cmd_cleanup);
		cleaning.undo.dry = true;
	}
	if (argc - optind > 1)
		return te_usage(&te_cmd_cleanup);
	if (te_dm_start())
		return TE_EXIT_FAILED;
	if (optind < argc) {
		/* As the record has it, or whatever else leads to the pool. */
		cleaning.pool_name = argv[optind];
		if (!te_dm_find(argv[optind], &pool))
			cleaning.pool_name = pool.name;
	}
	te_interrupt_catch();
	err = te_run_each(clean_run, &cleaning);
	if (!err)
		err = te_run_each_unfinished(clean_unfinished, &cleaning);
	if (err || cleaning.failed)
		return TE_EXIT_FAILED;
	if (!cleaning.nr_runs)
		te_note("nothing to clean up");
	if (fflush(stdout)) {
		te_error("cannot write: %s", strerror(errno));
		return TE_EXIT_FAILED;
	}
	return TE_EXIT_DONE;
}

const struct te_cmd te_cmd_cleanup = {
	.verb = "cleanup",
	.synopsis = "[-n] [POOL]",
	.summary = "undo what an interrupted send or view has left in a live pool",
	.help = "\n"
		"  -n, --dry-run   say what would be done, and do nothing\n"
		"\n"
		"Resumes what stands still, removes devices and snapshots, releases the\n"
		"metadata snapshot: only what the run's record in /var/lib/thinexport names.\n",
	.run = run_cleanup,
};
