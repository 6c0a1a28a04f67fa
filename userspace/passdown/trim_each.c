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
};

static int add_pool(void *context, const struct te_dm_device *device)
{
	char (*more)[TE_DM_NAME_BYTES];
	struct names *names = context;
	struct te_dm_target *targets;
	bool is_pool;
	size_t nr;

	if (te_dm_targets(device, &targets, &nr))
		return 0;
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

static bool lies_on_passdown(const char *name)
{
	struct te_stack stack;
	struct te_pool pool;
	bool lies;

	if (te_pool_find(name, &pool) || te_stack_read(&pool, &stack))
		return false;
	lies = stack.nr_shims > 0;
	te_stack_exit(&stack);
	return lies;
}

int te_trim_each_pool(int (*each)(void *context, const char *pool), void *context)
{
	struct names names = { .nr = 0 };
	int err = te_dm_each(add_pool, &names), stop = 0;
	size_t i;

	if (err)
		te_error("the active pools cannot be listed: %s", strerror(-err));
	for (i = 0; !err && !stop && i < names.nr; i++)
		if (lies_on_passdown(names.names[i]))
			stop = each(context, names.names[i]);
	free(names.names);
	return err ? err : stop;
}
