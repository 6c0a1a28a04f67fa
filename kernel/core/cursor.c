// SPDX-License-Identifier: GPL-2.0-or-later
/* The way from a root down to where a walk stands. */
#include "cursor.h"

void te_cursor_init(struct te_cursor *cursor, struct te_reader *reader, u32 value_bytes,
		    struct te_fault *fault)
{
	cursor->reader = reader;
	cursor->value_bytes = value_bytes;
	cursor->fault = fault;
	cursor->wanted = NULL;
	cursor->context = NULL;
	cursor->depth = 0;
	cursor->leaf_level = UINT_MAX;
	cursor->at_root = false;
}

void te_cursor_exit(struct te_cursor *cursor)
{
	while (cursor->depth)
		te_cursor_pop(cursor);
	cursor->at_root = false;
}

int te_cursor_check_loop(const struct te_cursor *cursor, u64 block)
{
	unsigned int i;

	for (i = 0; i < cursor->depth; i++)
		if (cursor->stack[i].node.block == block)
			return te_fail(cursor->fault, -EILSEQ, TE_FAULT_NODE_LOOP, block,
				       cursor->depth, i);
	return 0;
}

/* All leaves lie at the level of the first, and nothing else does. */
static int check_level(struct te_cursor *cursor, const struct te_node *node)
{
	unsigned int level = cursor->depth;

	if (node->leaf && cursor->leaf_level == UINT_MAX)
		cursor->leaf_level = level;
	if (node->leaf ? level != cursor->leaf_level : level >= cursor->leaf_level)
		return te_fail(cursor->fault, -EILSEQ, TE_FAULT_NODE_DEPTH, node->block,
			       level, cursor->leaf_level);
	return 0;
}

int te_cursor_push(struct te_cursor *cursor, u64 block, struct te_range range)
{
	struct te_cursor_level *top;
	int r;

	r = te_cursor_check_loop(cursor, block);
	if (r)
		return r;
	if (cursor->depth == TE_BTREE_MAX_DEPTH)
		return te_fail(cursor->fault, -EILSEQ, TE_FAULT_NODE_DEPTH, block,
			       cursor->depth, TE_BTREE_MAX_DEPTH);

	top = &cursor->stack[cursor->depth];
	r = te_node_get(cursor->reader, block, cursor->value_bytes, range, &top->node,
			&top->cookie, cursor->fault);
	if (r)
		return r;
	r = check_level(cursor, &top->node);
	if (r) {
		te_node_put(cursor->reader, top->cookie);
		return r;
	}
	top->range = range;
	top->next = 0;
	top->prefetched = 0;
	cursor->depth++;
	return 0;
}

void te_cursor_pop(struct te_cursor *cursor)
{
	te_node_put(cursor->reader, te_cursor_top(cursor)->cookie);
	cursor->depth--;
}

/* Puts a block in its place among the `nr` that are there. */
static void add_sorted(u64 *window, u32 nr, u64 block)
{
	for (; nr && window[nr - 1] > block; nr--)
		window[nr] = window[nr - 1];
	window[nr] = block;
}

/*
 * Tells a window's worth of children in the order they lie on the device, so that
 * neighbours are read as one; and a new window only when half of the last is used
 * up, so that there are neighbours.
 */
void te_cursor_prefetch(struct te_cursor *cursor)
{
	struct te_cursor_level *top = te_cursor_top(cursor);
	u32 i, end, run, nr = 0;

	if (!cursor->reader->ops->prefetch || top->node.leaf ||
	    top->prefetched > top->next + TE_CURSOR_WINDOW / 2)
		return;
	end = top->next + TE_CURSOR_WINDOW;
	if (end > top->node.nr_entries)
		end = top->node.nr_entries;

	for (i = top->prefetched > top->next ? top->prefetched : top->next; i < end; i++) {
		u64 block = te_node_value64(&top->node, i);

		if (!cursor->wanted ||
		    cursor->wanted(cursor->context, block, te_node_key(&top->node, i)))
			add_sorted(cursor->window, nr++, block);
	}
	top->prefetched = end;

	for (i = 0; i < nr; i += run) {
		for (run = 1; i + run < nr; run++)
			if (cursor->window[i + run] != cursor->window[i] + run)
				break;
		cursor->reader->ops->prefetch(cursor->reader, cursor->window[i], run);
	}
}

void te_cursor_begin(struct te_cursor *cursor, u64 root, struct te_range range)
{
	te_cursor_exit(cursor);
	cursor->leaf_level = UINT_MAX;
	cursor->root = root;
	cursor->root_range = range;
	cursor->at_root = true;
}

bool te_cursor_item(struct te_cursor *cursor, struct te_cursor_item *item)
{
	const struct te_cursor_level *top;

	item->level = cursor->depth;
	item->index = 0;
	if (cursor->at_root) {
		item->entry = false;
		item->block = cursor->root;
		item->range = cursor->root_range;
		return true;
	}
	if (!cursor->depth)
		return false;

	top = te_cursor_top(cursor);
	item->entry = top->node.leaf;
	if (item->entry) {
		item->block = top->node.block;
		item->index = top->next;
		item->range.low = te_node_key(&top->node, top->next);
		item->range.high = item->range.low + 1;
	} else {
		item->block = te_node_value64(&top->node, top->next);
		item->range = te_node_child_range(&top->node, top->next, top->range);
	}
	return true;
}

void te_cursor_settle(struct te_cursor *cursor)
{
	while (cursor->depth &&
	       te_cursor_top(cursor)->next >= te_cursor_top(cursor)->node.nr_entries) {
		te_cursor_pop(cursor);
		if (cursor->depth)
			te_cursor_top(cursor)->next++;
	}
}

int te_cursor_descend(struct te_cursor *cursor)
{
	struct te_cursor_item item;
	int r;

	if (!te_cursor_item(cursor, &item) || item.entry) {
		te_cursor_step(cursor);
		return 0;
	}
	if (!cursor->at_root)
		te_cursor_prefetch(cursor);
	r = te_cursor_push(cursor, item.block, item.range);
	if (r)
		return r;
	cursor->at_root = false;
	te_cursor_settle(cursor);		/* a leaf may be empty */
	return 0;
}

void te_cursor_step(struct te_cursor *cursor)
{
	if (cursor->at_root)
		cursor->at_root = false;
	else if (cursor->depth)
		te_cursor_top(cursor)->next++;
	te_cursor_settle(cursor);
}

int te_cursor_entry(struct te_cursor *cursor, struct te_cursor_item *item)
{
	while (te_cursor_item(cursor, item)) {
		int r;

		if (item->entry)
			return 1;
		r = te_cursor_descend(cursor);
		if (r)
			return r;
	}
	return 0;
}
