// SPDX-License-Identifier: GPL-2.0-or-later
/* The difference of two mapping trees of one pool. */
#include "diff.h"

/*
 * Two cursors stand before items: nodes not yet read, and entries.  What comes
 * first in key order is dealt with first.  A node is read only when the other
 * side has nothing before it; of two nodes that start at the same key the
 * higher is read first, so that nodes of one height meet, and if they are the
 * same block neither is read.
 *
 * Heights count from the leaves, since trees of different depth share leaves.
 * They are known from the start: the way to each tree's first leaf is read once
 * for them.
 *
 * That two equal nodes meet is a matter of cost alone.  Where they do not (some
 * tool gave the same node another key in the one parent than in the other) both
 * are read and found equal entry by entry.
 */
struct te_diff {
	struct te_reader *reader;
	const struct te_diff_ops *ops;
	void *context;
	struct te_fault *fault;
	struct te_cursor old;
	struct te_cursor new;

	/* The new side's node is to be left out, once the old side has come to it. */
	bool skipping;
	struct te_range skip_range;	/* of its content */
	u64 floor;			/* old entries below were dealt with by a skip */

	u32 hint;			/* child of one side that was last found on the other */
};

/* The node of `cursor` whose children are as high as `level` is in `beside`. */
static const struct te_cursor_level *level_beside(const struct te_cursor *cursor,
						  const struct te_cursor *beside,
						  unsigned int level)
{
	unsigned int height = beside->leaf_level - level;

	if (height > cursor->leaf_level || cursor->leaf_level - height >= cursor->depth)
		return NULL;
	return &cursor->stack[cursor->leaf_level - height];
}

static bool has_child(const struct te_node *node, u32 i, u64 block)
{
	return i < node->nr_entries && te_node_value64(node, i) == block;
}

/*
 * Whether `cursor` has not got this child where `beside` has it.  Mostly it has,
 * right behind the one that was asked for before.
 */
static bool differs(const struct te_cursor *cursor, const struct te_cursor *beside,
		    u32 *hint, u64 block, u64 low)
{
	const struct te_cursor_level *level;
	int i;

	level = level_beside(cursor, beside, beside->depth - 1);
	if (!level || level->node.leaf)
		return true;
	if (!has_child(&level->node, ++*hint, block)) {
		i = te_node_search(&level->node, low);
		if (i < 0 || !has_child(&level->node, (u32)i, block))
			return true;
		*hint = (u32)i;
	}
	return false;
}

static bool old_wanted(void *context, u64 block, u64 low)
{
	struct te_diff *diff = context;

	return differs(&diff->new, &diff->old, &diff->hint, block, low);
}

static bool new_wanted(void *context, u64 block, u64 low)
{
	struct te_diff *diff = context;

	return differs(&diff->old, &diff->new, &diff->hint, block, low);
}

struct te_diff *te_diff_create(struct te_reader *reader, const struct te_diff_ops *ops,
			       void *context, struct te_fault *fault)
{
	struct te_diff *diff = te_alloc(sizeof(*diff));

	if (!diff) {
		te_fail(fault, -ENOMEM, TE_FAULT_MEMORY, 0, 0, 0);
		return NULL;
	}
	diff->reader = reader;
	diff->ops = ops;
	diff->context = context;
	diff->fault = fault;
	te_cursor_init(&diff->old, reader, sizeof(__le64), fault);
	te_cursor_init(&diff->new, reader, sizeof(__le64), fault);
	diff->old.wanted = old_wanted;
	diff->old.context = diff;
	diff->new.wanted = new_wanted;
	diff->new.context = diff;
	return diff;
}

void te_diff_destroy(struct te_diff *diff)
{
	if (!diff)
		return;
	te_cursor_exit(&diff->new);
	te_cursor_exit(&diff->old);
	te_free(diff);
}

/* Stands before the root, with the level of the leaves known. */
static int begin(struct te_cursor *cursor, u64 root)
{
	const struct te_range all = { 0, ~0ULL };
	const struct te_cursor_level *top;
	unsigned int leaf_level;
	int r;

	te_cursor_exit(cursor);
	cursor->leaf_level = UINT_MAX;
	r = te_cursor_push(cursor, root, all);
	while (!r && cursor->leaf_level == UINT_MAX) {
		top = te_cursor_top(cursor);
		r = te_cursor_push(cursor, te_node_value64(&top->node, 0),
				   te_node_child_range(&top->node, 0, top->range));
	}
	leaf_level = cursor->leaf_level;
	te_cursor_begin(cursor, root, all);
	cursor->leaf_level = leaf_level;
	return r;
}

/*
 * The keys that a node holds: from its own first (nothing of another node is
 * between that and the first entry below) to the last below it.  Empty with
 * low == high.
 */
static int content_range(struct te_diff *diff, const struct te_cursor_item *item,
			 struct te_range *content)
{
	struct te_range range = item->range;
	u64 block = item->block;
	unsigned int level;

	for (level = 0; level < TE_BTREE_MAX_DEPTH; level++) {
		struct te_node node;
		void *cookie;
		bool leaf;
		int r;

		r = te_node_get(diff->reader, block, sizeof(__le64), range, &node, &cookie,
				diff->fault);
		if (r)
			return r;
		leaf = node.leaf;
		if (!level)
			content->low = node.nr_entries ? te_node_key(&node, 0) : range.low;
		content->high = range.low > content->low ? range.low : content->low;
		if (node.nr_entries && leaf)
			content->high = te_node_key(&node, node.nr_entries - 1) + 1;
		if (!leaf) {
			block = te_node_value64(&node, node.nr_entries - 1);
			range = te_node_child_range(&node, node.nr_entries - 1, range);
		}
		te_node_put(diff->reader, cookie);
		if (leaf)
			return 0;
	}
	return te_fail(diff->fault, -EILSEQ, TE_FAULT_NODE_DEPTH, block, level,
		       TE_BTREE_MAX_DEPTH);
}

/* Entries below `end` that only the side of `cursor` has, from where it stands. */
static int pass_alone(struct te_diff *diff, struct te_cursor *cursor, u64 end)
{
	struct te_cursor_level *top = te_cursor_top(cursor);
	const struct te_node node = top->node;
	bool is_old = cursor == &diff->old;
	u32 i = top->next;
	int r;

	do {
		u64 value = te_node_value64(&node, i);

		r = diff->ops->entry(diff->context, te_node_key(&node, i), is_old,
				     is_old ? value : 0, !is_old, is_old ? 0 : value);
	} while (!r && ++i < node.nr_entries && te_node_key(&node, i) < end);
	top->next = i;
	te_cursor_settle(cursor);
	return r;
}

/* The old side comes first: what the new tree lacks before `end`, or a node to read. */
static int advance_old(struct te_diff *diff, const struct te_cursor_item *item, u64 end)
{
	return item->entry ? pass_alone(diff, &diff->old, end) : te_cursor_descend(&diff->old);
}

/* The new side's node: ask whether to leave it out, and do so or read it. */
static int open_new(struct te_diff *diff, const struct te_cursor_item *item)
{
	int r;

	if (diff->skipping) {
		diff->skipping = false;
		diff->floor = diff->skip_range.high;
		r = diff->ops->skipped(diff->context, item->block, diff->skip_range);
		te_cursor_step(&diff->new);
		return r;
	}
	r = te_cursor_check_loop(&diff->new, item->block);
	if (r)
		return r;
	r = diff->ops->enter ? diff->ops->enter(diff->context, item->block, item->level) :
			       TE_VISIT_DESCEND;
	if (r < 0)
		return r;
	if (r == TE_VISIT_DESCEND)
		return te_cursor_descend(&diff->new);

	r = content_range(diff, item, &diff->skip_range);
	if (r)
		return r;
	if (diff->skip_range.low == diff->skip_range.high)
		te_cursor_step(&diff->new);
	else
		diff->skipping = true;
	return 0;
}

static int advance_new(struct te_diff *diff, const struct te_cursor_item *item, u64 end)
{
	return item->entry ? pass_alone(diff, &diff->new, end) : open_new(diff, item);
}

/* Both have the key. */
static int compare_values(struct te_diff *diff, u64 key, u64 old_value, u64 new_value)
{
	if (te_mapping_block(old_value) == te_mapping_block(new_value))
		return 0;
	return diff->ops->entry(diff->context, key, true, old_value, true, new_value);
}

/* Both stand in leaves: entry by entry until one is used up.  Most time goes here. */
static int compare_leaves(struct te_diff *diff)
{
	struct te_cursor_level *old = te_cursor_top(&diff->old);
	struct te_cursor_level *new = te_cursor_top(&diff->new);
	const struct te_node a = old->node, b = new->node;
	u32 i = old->next, j = new->next;
	int r = 0;

	while (!r && i < a.nr_entries && j < b.nr_entries) {
		u64 old_key = te_node_key(&a, i), new_key = te_node_key(&b, j);
		u64 old_value = te_node_value64(&a, i), new_value = te_node_value64(&b, j);

		i += old_key <= new_key;
		j += new_key <= old_key;
		if (old_key == new_key)
			r = compare_values(diff, new_key, old_value, new_value);
		else if (old_key < new_key)
			r = diff->ops->entry(diff->context, old_key, true, old_value, false, 0);
		else
			r = diff->ops->entry(diff->context, new_key, false, 0, true, new_value);
	}
	old->next = i;
	new->next = j;
	te_cursor_settle(&diff->old);
	te_cursor_settle(&diff->new);
	return r;
}

/* Both start at the same key, one of them a node or both. */
static int open_higher(struct te_diff *diff, const struct te_cursor_item *old,
		       const struct te_cursor_item *new)
{
	if (new->entry)
		return te_cursor_descend(&diff->old);
	if (!old->entry &&
	    diff->old.leaf_level - old->level > diff->new.leaf_level - new->level)
		return te_cursor_descend(&diff->old);
	return open_new(diff, new);
}

static int step(struct te_diff *diff, const struct te_cursor_item *old,
		const struct te_cursor_item *new)
{
	if (old->entry && new->entry)
		return compare_leaves(diff);
	if (old->range.low < new->range.low)
		return advance_old(diff, old, new->range.low);
	if (old->range.low > new->range.low)
		return advance_new(diff, new, old->range.low);
	return open_higher(diff, old, new);
}

/* Both stand before the same child: to the last of those that follow alike. */
static void go_along(struct te_cursor_level *old, struct te_cursor_level *new)
{
	while (old->next + 1 < old->node.nr_entries &&
	       has_child(&new->node, new->next + 1,
			 te_node_value64(&old->node, old->next + 1))) {
		old->next++;
		new->next++;
	}
}

/* Both stand before the same node: past it, and past what they have in common behind it. */
static void pass_common(struct te_diff *diff)
{
	diff->skipping = false;
	if (!diff->old.at_root && !diff->new.at_root)
		go_along(te_cursor_top(&diff->old), te_cursor_top(&diff->new));
	te_cursor_step(&diff->old);
	te_cursor_step(&diff->new);
}

/* The next old item that is not wholly below the floor. */
static bool old_item(struct te_diff *diff, struct te_cursor_item *item)
{
	while (te_cursor_item(&diff->old, item)) {
		if (item->range.high > diff->floor)
			return true;
		te_cursor_step(&diff->old);
	}
	return false;
}

static int run(struct te_diff *diff)
{
	for (;;) {
		struct te_cursor_item old, new;
		bool has_old, has_new;
		int r;

		has_old = old_item(diff, &old);
		has_new = te_cursor_item(&diff->new, &new);
		if (!has_old && !has_new)
			return 0;
		if (diff->skipping)
			new.range = diff->skip_range;

		if (has_old && has_new && !old.entry && !new.entry && old.block == new.block) {
			pass_common(diff);
			continue;
		}
		if (!has_new)
			r = advance_old(diff, &old, ~0ULL);
		else if (!has_old)
			r = advance_new(diff, &new, ~0ULL);
		else
			r = step(diff, &old, &new);
		if (r)
			return r;
	}
}

int te_diff_run(struct te_diff *diff, u64 old_root, u64 new_root)
{
	int r = 0;

	diff->skipping = false;
	diff->floor = 0;
	if (old_root == new_root)
		return 0;
	if (old_root)
		r = begin(&diff->old, old_root);
	if (!r)
		r = begin(&diff->new, new_root);
	if (!r)
		r = run(diff);
	te_cursor_exit(&diff->new);
	te_cursor_exit(&diff->old);
	return r;
}
