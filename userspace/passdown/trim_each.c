// SPDX-License-Identifier: GPL-2.0-or-later
/* The pools that can be trimmed. */
#include "passdown/trim_each.h"

#include "base/say.h"
#include "live/dm_table.h"
#include "passdown/stack.h"

/* Names first: who trims one changes what is being listed. */
struct names {
	char (*names)[TE_DM_NAME_BYTES];
	size_t nr;
	int err;			/* the first that cannot be looked at; was told */
};

static int add_pool(void *context, const struct te_dm_device *device)
{
	char (*more)[TE_DM_NAME_BYTES];
	struct names *names = context;
	struct te_dm_target *targets;
	bool is_pool;
	size_t nr;
	int err = te_dm_targets(device, &targets, &nr);

	/* One that is gone is no pool. */
	if (err == -ENXIO)
		return 0;
	if (err) {
		te_error("%s: its table cannot be read: %s", device->name, strerror(-err));
		names->err = names->err ? names->err : err;
		return 0;
	}
	is_pool = nr == 1 && !strcmp(targets[0].type, "thin-pool");
	free(targets);
	if (!is_pool)
		return 0;
	more = realloc(names->names, (names->nr + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	names->names = more;
	memcpy(more[names->nr++], device->name, TE_DM_NAME_BYTES);
	return 0;
}

/* 1, 0: also when it is gone meanwhile, or -errno after one sentence. */
static int lies_on_passdown(const char *name)
{
	struct te_dm_device device;
	struct te_stack stack;
	struct te_pool pool;
	int err;

	if (te_dm_find(name, &device) == -ENXIO)
		return 0;
	err = te_pool_find(name, &pool);
	if (!err)
		err = te_stack_read(&pool, &stack);
	if (err)
		return err;
	err = stack.nr_shims > 0;
	te_stack_exit(&stack);
	return err;
}

int te_trim_each_pool(int (*each)(void *context, const char *pool), void *context)
{
	struct names names = { .nr = 0 };
	int err = te_dm_each(add_pool, &names), stop = 0, lies;
	size_t i;

	if (err)
		te_error("the active pools cannot be listed: %s", strerror(-err));
	for (i = 0; !err && !stop && i < names.nr; i++) {
		lies = lies_on_passdown(names.names[i]);
		if (lies > 0)
			stop = each(context, names.names[i]);
		else if (lies < 0 && !names.err)
			names.err = lies;
	}
	free(names.names);
	if (err || stop)
		return err ? err : stop;
	return names.err;
}
