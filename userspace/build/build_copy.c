// SPDX-License-Identifier: GPL-2.0-or-later
/* Taking over a range of an earlier volume's tree: whole nodes inside it, entries at its edges. */
#include "build/build_parts.h"

static void remember(struct te_tree_level *at, u64 block)
{
	u32 i;

	for (i = 0; i < TE_TREE_CANDIDATES; i++)
		if (at->candidates[i] == block)
			return;
	at->candidates[at->candidate++ % TE_TREE_CANDIDATES] = block;
}

/* What a copy carries down the source's tree. */
struct copy {
	u64 from;
	u64 to;
	u64 *where;
};

static int refuse(const struct copy *copy, u64 block)
{
	*copy->where = block;
	return -EBADMSG;
}

static int copy_leaf(struct te_tree *tree, const struct copy *copy, u32 i)
{
	struct te_tree_node *open = tree->level[0].open;
	int err = 0;

	for (; !err && i < open->nr; i++) {
		u64 key = le64_to_cpu(open->disk.keys[i]);

		if (key >= copy->to)
			break;
		if (key < copy->from)
			continue;
		if (te_mapping_time(te_tree_child(tree, 0, open, i)))
			return refuse(copy, open->block);
		err = te_tree_push(tree, key, te_tree_value(tree, 0, open, i));
	}
	return err;
}

/* Index of the last key <= `key`, or 0. */
static u32 search(const struct te_tree_node *node, u64 key)
{
	u32 low = 0, high = node->nr;

	while (high - low > 1) {
		u32 middle = low + (high - low) / 2;

		if (le64_to_cpu(node->disk.keys[middle]) <= key)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int copy_below(struct te_tree *tree, const struct copy *copy, u32 level, u64 block,
		      u64 high);

/* The node at `block`, whose keys lie in [low, high). */
static int copy_node(struct te_tree *tree, const struct copy *copy, u32 level, u64 block,
		     u64 low, u64 high)
{
	if (low < copy->from || high > copy->to)
		return copy_below(tree, copy, level, block, high);
	if (!(tree->store->summary[block] & TE_SUMMARY_SHARED))
		return refuse(copy, block);
	return te_tree_push_whole(tree, level, low, high - 1, block);
}

static int copy_below(struct te_tree *tree, const struct copy *copy, u32 level, u64 block,
		      u64 high)
{
	struct te_tree_node *open = tree->level[level].open;
	int err = te_tree_load(tree, level, open, block);
	u32 i;

	if (err)
		return err;
	remember(&tree->level[level], block);
	i = search(open, copy->from);
	if (!level)
		return copy_leaf(tree, copy, i);
	for (; !err && i < open->nr; i++) {
		u64 key = le64_to_cpu(open->disk.keys[i]);

		if (key >= copy->to)
			break;
		err = copy_node(tree, copy, level - 1, te_tree_child(tree, level, open, i), key,
				i + 1 < open->nr ? le64_to_cpu(open->disk.keys[i + 1]) : high);
	}
	return err;
}

/* A root may have too few entries to be anything else. */
static int copy_small_root(struct te_tree *tree, const struct copy *copy,
			   const struct te_tree_root *source)
{
	if (!tree->empty)
		return copy_below(tree, copy, source->level, source->block, source->last_key + 1);
	if (!(tree->store->summary[source->block] & TE_SUMMARY_SHARED))
		return refuse(copy, source->block);
	te_tree_hold_lone(tree, source);
	return 0;
}

int te_tree_copy(struct te_tree *tree, const struct te_tree_root *source, u64 from, u64 to,
		 u64 *where)
{
	struct copy copy = { .from = from, .to = to, .where = where };

	if (!source->nr_entries || from > source->last_key || to <= source->first_key)
		return 0;
	if (from <= source->first_key && to > source->last_key &&
	    source->nr_entries < te_tree_min_entries(tree, source->level))
		return copy_small_root(tree, &copy, source);
	return copy_node(tree, &copy, source->level, source->block, source->first_key,
			 source->last_key + 1);
}
