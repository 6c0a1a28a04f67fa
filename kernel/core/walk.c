// SPDX-License-Identifier: GPL-2.0-or-later
/* The bounded walk over one btree. */
#include "walk.h"

/* Asks the caller, then goes into the node.  */
static int enter(struct te_walk *walk, u64 block, struct te_range range)
{
	int r;

	/* Before `enter`, which may take an ancestor for a node it has had. */
	r = te_cursor_check_loop(&walk->cursor, block);
	if (r)
		return r;
	if (walk->ops->enter) {
		r = walk->ops->enter(walk->context, block, walk->cursor.depth, range);
		if (r < 0)
			return r;
		if (r == TE_VISIT_SKIP)
			return 0;
	}
	r = te_cursor_push(&walk->cursor, block, range);
	if (r)
		return r;
	return 0;
}

/* The top node is done with. */
static int leave(struct te_walk *walk)
{
	const struct te_cursor_level *top = te_cursor_top(&walk->cursor);
	u64 block = top->node.block;
	struct te_range range = top->range;

	te_cursor_pop(&walk->cursor);
	if (!walk->ops->leave)
		return 0;
	return walk->ops->leave(walk->context, block, walk->cursor.depth, range);
}

/* One step from the top node: its next child, or out of it. */
static int step(struct te_walk *walk)
{
	struct te_cursor_level *top = te_cursor_top(&walk->cursor);
	u32 i;
	int r;

	if (top->node.leaf) {
		r = walk->ops->leaf(walk->context, &top->node, top->range);
		return r ? r : leave(walk);
	}
	if (top->next == top->node.nr_entries)
		return leave(walk);

	te_cursor_prefetch(&walk->cursor);
	i = top->next++;
	return enter(walk, te_node_value64(&top->node, i),
		     te_node_child_range(&top->node, i, top->range));
}

int te_walk_tree(struct te_walk *walk, u64 root, struct te_range range)
{
	int r;

	te_cursor_init(&walk->cursor, walk->reader, walk->value_bytes, walk->fault);
	walk->cursor.wanted = walk->ops->wanted;
	walk->cursor.context = walk->context;

	r = enter(walk, root, range);
	while (!r && walk->cursor.depth)
		r = step(walk);
	te_cursor_exit(&walk->cursor);
	return r;
}
