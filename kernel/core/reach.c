// SPDX-License-Identifier: GPL-2.0-or-later
/* What a set of volumes reaches, as two bitmaps. */
#include "reach.h"

int te_reach_init(struct te_reach *reach, u64 nr_metadata_blocks, u64 nr_data_blocks,
		  u32 data_block_sectors)
{
	int r;

	memset(reach, 0, sizeof(*reach));
	r = te_bitmap_init(&reach->metadata, nr_metadata_blocks);
	if (r)
		return r;
	r = te_bitmap_init(&reach->data, nr_data_blocks);
	if (r) {
		te_bitmap_exit(&reach->metadata);
		return r;
	}
	reach->max_virtual_block = div64_u64(THIN_MAX_SECTORS, data_block_sectors);
	return 0;
}

void te_reach_exit(struct te_reach *reach)
{
	te_bitmap_exit(&reach->data);
	te_bitmap_exit(&reach->metadata);
}

struct reach_walk {
	struct te_walk walk;
	struct te_reach *reach;
	struct te_fault *fault;
};

static int enter(void *context, u64 block, unsigned int level, struct te_range range)
{
	struct reach_walk *rw = context;

	/* A root beyond the device: te_node_get has the words for it. */
	if (block >= rw->reach->metadata.nr_bits)
		return TE_VISIT_DESCEND;
	return te_bitmap_set(&rw->reach->metadata, block) ? TE_VISIT_SKIP : TE_VISIT_DESCEND;
}

static bool wanted(void *context, u64 block, u64 low)
{
	const struct reach_walk *rw = context;

	return !te_bitmap_test(&rw->reach->metadata, block);
}

/*
 * Marks what a leaf maps.  Neighbours are mostly mapped to neighbours, so bits
 * are gathered until another word of the bitmap comes.
 */
static int mark_blocks(struct reach_walk *rw, const struct te_node *node)
{
	struct te_bitmap *data = &rw->reach->data;
	u64 word = 0, mask = 0;
	u32 i;

	for (i = 0; i < node->nr_entries; i++) {
		u64 block = te_mapping_block(te_node_value64(node, i));

		if (unlikely(block >= data->nr_bits))
			return te_fail(rw->fault, -EILSEQ, TE_FAULT_DATA_BLOCK, node->block,
				       block, data->nr_bits);
		if (block / 64 != word) {
			if (mask)
				te_bitmap_set_mask(data, word, mask);
			word = block / 64;
			mask = 0;
		}
		mask |= 1ULL << (block % 64);
	}
	if (mask)
		te_bitmap_set_mask(data, word, mask);
	return 0;
}

static int leaf(void *context, const struct te_node *node, struct te_range range)
{
	struct reach_walk *rw = context;

	if (node->nr_entries) {
		u64 last = te_node_key(node, node->nr_entries - 1);

		if (last >= rw->reach->max_virtual_block)
			return te_fail(rw->fault, -EILSEQ, TE_FAULT_VIRTUAL_BLOCK, node->block,
				       last, rw->reach->max_virtual_block);
	}
	return mark_blocks(rw, node);
}

static const struct te_walk_ops reach_ops = {
	.enter = enter,
	.leaf = leaf,
	.wanted = wanted,
};

int te_reach_volume(struct te_reach *reach, struct te_reader *reader, u64 root,
		    struct te_fault *fault)
{
	const struct te_range all = { 0, ~0ULL };
	struct reach_walk *rw;
	int r;

	if (reader->nr_blocks > reach->metadata.nr_bits)
		return te_fail(fault, -EINVAL, TE_FAULT_NODE_CHILD, root,
			       reader->nr_blocks, reach->metadata.nr_bits);
	rw = te_alloc(sizeof(*rw));
	if (!rw)
		return te_fail(fault, -ENOMEM, TE_FAULT_MEMORY, root, 0, 0);
	rw->reach = reach;
	rw->fault = fault;
	rw->walk.reader = reader;
	rw->walk.ops = &reach_ops;
	rw->walk.context = rw;
	rw->walk.value_bytes = sizeof(__le64);
	rw->walk.fault = fault;
	r = te_walk_tree(&rw->walk, root, all);
	te_free(rw);
	return r;
}
