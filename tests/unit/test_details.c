// SPDX-License-Identifier: GPL-2.0-or-later
/* Volumes: the top level of the mapping tree beside the details tree. */
#include "blocks.h"
#include "core/details.h"
#include "unit.h"

#define NR_BLOCKS	64

static struct blocks *blocks;
static struct te_superblock sb;
static struct te_fault fault;

static void add_root(u64 id)
{
	node_add(blocks_at(blocks, 1), id, 20 + id % 10);
}

static void add_details(u64 id)
{
	const struct thin_disk_details details = {
		.mapped_blocks = cpu_to_le64(100 + id),
		.transaction_id = cpu_to_le64(200 + id),
		.creation_time = cpu_to_le32(3),
		.snapshotted_time = cpu_to_le32(4),
	};

	node_add_bytes(blocks_at(blocks, 2), id, &details);
}

static void seal(void)
{
	node_seal(blocks_at(blocks, 1));
	node_seal(blocks_at(blocks, 2));
}

/* Volumes 1, 5 and 16777215. */
static void begin(void)
{
	static const u64 ids[] = { 1, 5, THIN_DEV_ID_MAX };
	size_t i;

	if (blocks)
		blocks_free(blocks);
	blocks = blocks_new(NR_BLOCKS);
	memset(&fault, 0, sizeof(fault));
	blocks_superblock(blocks);
	blocks_node(blocks, 1, true, 8);
	blocks_node(blocks, 2, true, sizeof(struct thin_disk_details));
	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		add_root(ids[i]);
		add_details(ids[i]);
	}
	seal();
	CHECK_EQ(te_superblock_read(&blocks->reader, false, &sb, &fault), 0);
}

static void drop_last(u64 block)
{
	struct thin_disk_node *node = blocks_at(blocks, block);

	node->nr_entries = cpu_to_le32(le32_to_cpu(node->nr_entries) - 1);
	node_seal(node);
}

static u64 ids_seen[8];
static size_t nr_seen;

static int note(void *context, const struct te_details *details)
{
	ids_seen[nr_seen++] = details->dev_id;
	return nr_seen == (size_t)(uintptr_t)context ? -ECANCELED : 0;
}

static int each(size_t end_after)
{
	nr_seen = 0;
	return te_details_each(&blocks->reader, &sb, note, (void *)(uintptr_t)end_after, &fault);
}

static void a_volume_is_found_with_all_its_details(void)
{
	struct te_details details;

	begin();
	CHECK_EQ(te_details_find(&blocks->reader, &sb, 5, &details, &fault), 0);
	CHECK_EQ(details.dev_id, 5);
	CHECK_EQ(details.root, 25);
	CHECK_EQ(details.mapped_blocks, 105);
	CHECK_EQ(details.transaction_id, 205);
	CHECK_EQ(details.creation_time, 3);
	CHECK_EQ(details.snapshotted_time, 4);
	CHECK_EQ(te_details_find(&blocks->reader, &sb, THIN_DEV_ID_MAX, &details, &fault), 0);
	CHECK_EQ(blocks->nr_held, 0);
}

static void a_volume_that_is_not_there_is_no_data(void)
{
	struct te_details details;

	begin();
	CHECK_EQ(te_details_find(&blocks->reader, &sb, 4, &details, &fault), -ENODATA);
	CHECK_EQ(fault.kind, TE_FAULT_NO_VOLUME);
	CHECK_EQ(fault.found, 4);
	CHECK_EQ(te_details_find(&blocks->reader, &sb, 1u << 24, &details, &fault), -ENODATA);
	CHECK_EQ(fault.kind, TE_FAULT_DEV_ID);
}

static void a_volume_without_details_is_told(void)
{
	struct te_details details;

	begin();
	drop_last(2);
	CHECK_EQ(te_details_find(&blocks->reader, &sb, THIN_DEV_ID_MAX, &details, &fault),
		 -ENODATA);
	CHECK_EQ(fault.kind, TE_FAULT_NO_DETAILS);
	CHECK_EQ(each(0), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NO_DETAILS);
	CHECK_EQ(fault.found, THIN_DEV_ID_MAX);
	CHECK_EQ(nr_seen, 2);

	/* In the middle, too. */
	begin();
	((struct thin_disk_node *)blocks_at(blocks, 2))->keys[1] = cpu_to_le64(6);
	seal();
	CHECK_EQ(each(0), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NO_DETAILS);
	CHECK_EQ(fault.found, 5);
	CHECK_EQ(blocks->nr_held, 0);
}

static void details_without_a_volume_are_told(void)
{
	begin();
	drop_last(1);
	CHECK_EQ(each(0), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NO_VOLUME);
	CHECK_EQ(fault.found, THIN_DEV_ID_MAX);

	/* In the middle, too. */
	begin();
	((struct thin_disk_node *)blocks_at(blocks, 1))->keys[1] = cpu_to_le64(6);
	seal();
	CHECK_EQ(each(0), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NO_VOLUME);
	CHECK_EQ(fault.found, 5);
	CHECK_EQ(blocks->nr_held, 0);
}

static void all_volumes_come_in_order_of_their_ids(void)
{
	begin();
	CHECK_EQ(each(0), 0);
	CHECK_EQ(nr_seen, 3);
	CHECK_EQ(ids_seen[0], 1);
	CHECK_EQ(ids_seen[1], 5);
	CHECK_EQ(ids_seen[2], THIN_DEV_ID_MAX);
	CHECK_EQ(blocks->nr_held, 0);
}

static void the_callers_result_ends_it(void)
{
	begin();
	CHECK_EQ(each(2), -ECANCELED);
	CHECK_EQ(nr_seen, 2);
	CHECK_EQ(blocks->nr_held, 0);
}

static void a_pool_without_volumes_has_none(void)
{
	begin();
	blocks_leaf(blocks, 1, 0, 0);
	blocks_node(blocks, 2, true, sizeof(struct thin_disk_details));
	seal();
	CHECK_EQ(each(0), 0);
	CHECK_EQ(nr_seen, 0);
}

static void an_id_beyond_24_bits_is_refused(void)
{
	begin();
	add_root(1u << 24);
	add_details(1u << 24);
	seal();
	CHECK_EQ(each(0), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_DEV_ID);
	CHECK_EQ(fault.found, 1u << 24);
	CHECK_EQ(blocks->nr_held, 0);
}

static void damage_in_either_tree_is_told(void)
{
	u64 block;

	for (block = 1; block <= 2; block++) {
		begin();
		((struct thin_disk_node *)blocks_at(blocks, block))->csum ^= cpu_to_le32(1);
		CHECK_EQ(each(0), -EILSEQ);
		CHECK_EQ(fault.kind, TE_FAULT_NODE_CSUM);
		CHECK_EQ(fault.block, block);
		CHECK_EQ(blocks->nr_held, 0);
	}
}

UNIT_MAIN(UNIT(a_volume_is_found_with_all_its_details),
	  UNIT(a_volume_that_is_not_there_is_no_data),
	  UNIT(a_volume_without_details_is_told),
	  UNIT(details_without_a_volume_are_told),
	  UNIT(all_volumes_come_in_order_of_their_ids),
	  UNIT(the_callers_result_ends_it),
	  UNIT(a_pool_without_volumes_has_none),
	  UNIT(an_id_beyond_24_bits_is_refused),
	  UNIT(damage_in_either_tree_is_told))
