// SPDX-License-Identifier: GPL-2.0-or-later
/* Which earlier volume has a pool block at a virtual block. */
#include "send/sharer.h"

#define NR_LEAVES	8u

/* A leaf of a volume, held; within `range` the volume maps what it says. */
struct leaf {
	bool held;
	u32 volume;
	struct te_range range;
	struct te_node node;
	void *cookie;
};

struct te_sharer {
	const struct te_plan *plan;
	u32 *recent;			/* volumes that may be asked, most recently right last */
	size_t nr_recent;
	unsigned int next_leaf;		/* to be replaced */
	struct leaf leaves[NR_LEAVES];
};

struct te_sharer *te_sharer_create(const struct te_plan *plan)
{
	struct te_sharer *sharer = calloc(1, sizeof(*sharer));

	if (!sharer)
		return NULL;
	sharer->plan = plan;
	sharer->recent = calloc(plan->nr_volumes + 1, sizeof(*sharer->recent));
	if (!sharer->recent) {
		free(sharer);
		return NULL;
	}
	return sharer;
}

void te_sharer_destroy(struct te_sharer *sharer)
{
	if (!sharer)
		return;
	te_sharer_release(sharer);
	free(sharer->recent);
	free(sharer);
}

static void to_end(struct te_sharer *sharer, size_t at)
{
	u32 volume = sharer->recent[at];
	size_t behind = sharer->nr_recent - at - 1;

	memmove(sharer->recent + at, sharer->recent + at + 1, behind * sizeof(*sharer->recent));
	sharer->recent[sharer->nr_recent - 1] = volume;
}

void te_sharer_begin(struct te_sharer *sharer, size_t index)
{
	if (!index)
		sharer->nr_recent = 0;
	for (; sharer->nr_recent < index; sharer->nr_recent++)
		sharer->recent[sharer->nr_recent] = (u32)sharer->nr_recent;
}

static void let_go(struct te_sharer *sharer, struct leaf *leaf)
{
	if (leaf->held)
		te_node_put(sharer->plan->source->reader, leaf->cookie);
	leaf->held = false;
}

void te_sharer_release(struct te_sharer *sharer)
{
	unsigned int i;

	for (i = 0; i < NR_LEAVES; i++)
		let_go(sharer, &sharer->leaves[i]);
}

/* Holds the leaf of the volume that would map virtual_block; -ENODATA: there is none. */
static int get_leaf(struct te_sharer *sharer, u32 volume, u64 virtual_block,
		    struct leaf **found, struct te_fault *fault)
{
	struct te_reader *reader = sharer->plan->source->reader;
	struct leaf *leaf = &sharer->leaves[sharer->next_leaf];
	u64 block = sharer->plan->volumes[volume].volume->details.root;
	struct te_range range = { 0, ~0ULL };
	unsigned int level;

	for (level = 0; level < TE_BTREE_MAX_DEPTH; level++) {
		struct te_node node;
		void *cookie;
		int i, err;

		err = te_node_get(reader, block, sizeof(__le64), range, &node, &cookie, fault);
		if (err)
			return err;
		if (node.leaf) {
			let_go(sharer, leaf);
			*leaf = (struct leaf){ true, volume, range, node, cookie };
			sharer->next_leaf = (sharer->next_leaf + 1) % NR_LEAVES;
			*found = leaf;
			return 0;
		}
		i = te_node_search(&node, virtual_block);
		if (i >= 0) {
			block = te_node_value64(&node, (u32)i);
			range = te_node_child_range(&node, (u32)i, range);
		}
		te_node_put(reader, cookie);
		if (i < 0)
			return -ENODATA;
	}
	return te_fail(fault, -EILSEQ, TE_FAULT_NODE_DEPTH, block, level, TE_BTREE_MAX_DEPTH);
}

/* 1 when the volume maps it so, 0 when not, or -errno. */
static int maps(struct te_sharer *sharer, u32 volume, u64 virtual_block, u64 pool_block,
		struct te_fault *fault)
{
	struct leaf *leaf = NULL;
	unsigned int i;
	int at, err;

	if (virtual_block >= sharer->plan->volumes[volume].end_block)
		return 0;
	for (i = 0; i < NR_LEAVES && !leaf; i++) {
		struct leaf *kept = &sharer->leaves[i];

		if (kept->held && kept->volume == volume && virtual_block >= kept->range.low &&
		    virtual_block < kept->range.high)
			leaf = kept;
	}
	if (!leaf) {
		err = get_leaf(sharer, volume, virtual_block, &leaf, fault);
		if (err)
			return err == -ENODATA ? 0 : err;
	}
	at = te_node_search(&leaf->node, virtual_block);
	return at >= 0 && te_node_key(&leaf->node, (u32)at) == virtual_block &&
	       te_mapping_block(te_node_value64(&leaf->node, (u32)at)) == pool_block;
}

int te_sharer_find(struct te_sharer *sharer, u64 virtual_block, u64 pool_block, u32 *index,
		   struct te_fault *fault)
{
	size_t i;

	for (i = sharer->nr_recent; i-- > 0;) {
		int r = maps(sharer, sharer->recent[i], virtual_block, pool_block, fault);

		if (r < 0)
			return r;
		if (!r)
			continue;
		*index = sharer->recent[i];
		to_end(sharer, i);
		return 0;
	}
	return -ENODATA;
}
