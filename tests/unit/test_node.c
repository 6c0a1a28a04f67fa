// SPDX-License-Identifier: GPL-2.0-or-later
/* Btree nodes: each check, by a block that fails just that one; and the lookup. */
#include "blocks.h"
#include "unit.h"

#define NR_BLOCKS	64
#define BLOCK		7

static const struct te_range all = { 0, ~0ULL };
static struct blocks *blocks;
static struct te_node node;
static struct te_fault fault;

static void begin(void)
{
	if (blocks)
		blocks_free(blocks);
	blocks = blocks_new(NR_BLOCKS);
	memset(&fault, 0, sizeof(fault));
}

/* Keys 10 to 19. */
static struct thin_disk_node *good_leaf(void)
{
	begin();
	return blocks_leaf(blocks, BLOCK, 10, 10);
}

/* Three children from key 10, 20 and 30 on. */
static struct thin_disk_node *good_parent(void)
{
	static const u64 keys[] = { 10, 20, 30 }, children[] = { 40, 41, 42 };

	begin();
	return blocks_parent(blocks, BLOCK, 3, keys, children);
}

static int check(const struct thin_disk_node *disk, struct te_range range)
{
	return te_node_check(disk, BLOCK, 8, range, NR_BLOCKS, &node, &fault);
}

/* Seals it and expects the check to fail by this, naming found and wanted. */
#define CHECK_FAULT(disk, expected, was, should) do {				\
	node_seal(disk);							\
	CHECK_EQ(check(disk, all), -EILSEQ);					\
	CHECK_STR(te_fault_words(fault.kind), te_fault_words(expected));	\
	CHECK_EQ(fault.block, BLOCK);						\
	CHECK_EQ(fault.found, was);						\
	CHECK_EQ(fault.wanted, should);						\
} while (0)

static void a_good_leaf_passes(void)
{
	struct thin_disk_node *disk = good_leaf();

	CHECK_EQ(check(disk, all), 0);
	CHECK(node.leaf);
	CHECK_EQ(node.block, BLOCK);
	CHECK_EQ(node.nr_entries, 10);
	CHECK_EQ(node.max_entries, 252);
	CHECK_EQ(te_node_key(&node, 9), 19);
	CHECK_EQ(te_mapping_block(te_node_value64(&node, 9)), 1019);
	CHECK_EQ(te_mapping_time(te_node_value64(&node, 9)), 1);
}

static void a_good_internal_node_passes(void)
{
	struct thin_disk_node *disk = good_parent();

	CHECK_EQ(check(disk, all), 0);
	CHECK(!node.leaf);
	CHECK_EQ(te_node_value64(&node, 2), 42);
}

static void an_empty_leaf_is_legal(void)
{
	begin();
	CHECK_EQ(check(blocks_leaf(blocks, BLOCK, 0, 0), all), 0);
	CHECK_EQ(node.nr_entries, 0);
	CHECK_EQ(te_node_search(&node, 5), -1);
}

static void a_full_leaf_is_legal(void)
{
	begin();
	CHECK_EQ(check(blocks_leaf(blocks, BLOCK, 0, 252), all), 0);
	CHECK_EQ(te_node_key(&node, 251), 251);
}

static void another_blocks_number_is_found(void)
{
	struct thin_disk_node *disk = good_leaf();

	disk->blocknr = cpu_to_le64(8);
	CHECK_FAULT(disk, TE_FAULT_NODE_LOCATION, 8, BLOCK);
}

static void every_flipped_bit_is_found(void)
{
	struct thin_disk_node *disk = good_leaf();
	u8 *bytes = (u8 *)disk;
	u32 bit;

	for (bit = 0; bit < 8 * THIN_METADATA_BLOCK_BYTES; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		CHECK(check(disk, all));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	disk->csum ^= cpu_to_le32(1);
	CHECK_EQ(check(disk, all), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_CSUM);
}

static void a_node_is_one_of_two_kinds(void)
{
	static const u32 bad[] = { 0, 3, 4, 0x80000002 };
	struct thin_disk_node *disk = good_leaf();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		disk->flags = cpu_to_le32(bad[i]);
		CHECK_FAULT(disk, TE_FAULT_NODE_FLAGS, bad[i], THIN_NODE_LEAF);
	}
}

static void values_have_the_trees_size(void)
{
	struct thin_disk_node *disk = good_leaf();

	disk->value_size = cpu_to_le32(24);
	disk->max_entries = cpu_to_le32(126);
	CHECK_FAULT(disk, TE_FAULT_NODE_VALUE_SIZE, 24, 8);

	disk = good_parent();
	disk->value_size = cpu_to_le32(4);
	CHECK_FAULT(disk, TE_FAULT_NODE_VALUE_SIZE, 4, 8);

	/* Internal nodes have 8 bytes in any tree. */
	disk = good_parent();
	CHECK_EQ(te_node_check(disk, BLOCK, 24, all, NR_BLOCKS, &node, &fault), 0);
}

static void no_more_entries_than_a_block_holds(void)
{
	struct thin_disk_node *disk = good_leaf();

	disk->max_entries = cpu_to_le32(255);
	CHECK_FAULT(disk, TE_FAULT_NODE_MAX_ENTRIES, 255, 254);
	disk->max_entries = cpu_to_le32(~0u);
	CHECK_FAULT(disk, TE_FAULT_NODE_MAX_ENTRIES, ~0u, 254);
	begin();
	disk = blocks_node(blocks, BLOCK, true, 24);
	disk->max_entries = cpu_to_le32(128);
	node_seal(disk);
	CHECK_EQ(te_node_check(disk, BLOCK, 24, all, NR_BLOCKS, &node, &fault), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_MAX_ENTRIES);
}

static void no_more_entries_than_max_entries(void)
{
	struct thin_disk_node *disk = good_leaf();

	disk->nr_entries = cpu_to_le32(253);
	CHECK_FAULT(disk, TE_FAULT_NODE_NR_ENTRIES, 253, 252);
	disk->nr_entries = cpu_to_le32(~0u);
	CHECK_FAULT(disk, TE_FAULT_NODE_NR_ENTRIES, ~0u, 252);
}

static void an_internal_node_has_a_child(void)
{
	struct thin_disk_node *disk = good_parent();

	disk->nr_entries = cpu_to_le32(0);
	CHECK_FAULT(disk, TE_FAULT_NODE_NR_ENTRIES, 0, 252);
}

static void keys_ascend(void)
{
	struct thin_disk_node *disk = good_leaf();

	disk->keys[5] = cpu_to_le64(14);
	CHECK_FAULT(disk, TE_FAULT_NODE_KEY_ORDER, 14, 14);
	disk->keys[5] = cpu_to_le64(3);
	CHECK_FAULT(disk, TE_FAULT_NODE_KEY_ORDER, 3, 14);
	disk = good_leaf();
	disk->keys[9] = cpu_to_le64(18);
	CHECK_FAULT(disk, TE_FAULT_NODE_KEY_ORDER, 18, 18);
	disk = good_parent();
	disk->keys[1] = cpu_to_le64(31);
	CHECK_FAULT(disk, TE_FAULT_NODE_KEY_ORDER, 30, 31);
}

static void keys_lie_in_their_range(void)
{
	struct thin_disk_node *disk = good_leaf();

	CHECK_EQ(check(disk, (struct te_range){ 10, 20 }), 0);
	CHECK_EQ(check(disk, (struct te_range){ 11, 20 }), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_KEY_RANGE);
	CHECK_EQ(fault.found, 10);
	CHECK_EQ(fault.wanted, 11);
	CHECK_EQ(check(disk, (struct te_range){ 10, 19 }), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_KEY_RANGE);
	CHECK_EQ(fault.found, 19);
	CHECK_EQ(fault.wanted, 19);
}

static void children_lie_on_the_device(void)
{
	static const u64 keys[] = { 1, 2, 3 };
	struct thin_disk_node *disk;
	u32 i;

	for (i = 0; i < 3; i++) {
		u64 children[] = { 40, 41, 42 };

		children[i] = NR_BLOCKS;
		begin();
		disk = blocks_parent(blocks, BLOCK, 3, keys, children);
		CHECK_FAULT(disk, TE_FAULT_NODE_CHILD, NR_BLOCKS, NR_BLOCKS);
	}
}

static void search_finds_the_last_key_not_above(void)
{
	CHECK_EQ(check(good_parent(), all), 0);
	CHECK_EQ(te_node_search(&node, 9), -1);
	CHECK_EQ(te_node_search(&node, 10), 0);
	CHECK_EQ(te_node_search(&node, 19), 0);
	CHECK_EQ(te_node_search(&node, 20), 1);
	CHECK_EQ(te_node_search(&node, 30), 2);
	CHECK_EQ(te_node_search(&node, ~0ULL), 2);
}

static void a_child_has_what_lies_between_the_keys(void)
{
	struct te_range range;

	CHECK_EQ(check(good_parent(), all), 0);
	range = te_node_child_range(&node, 0, (struct te_range){ 5, 100 });
	CHECK_EQ(range.low, 10);
	CHECK_EQ(range.high, 20);
	range = te_node_child_range(&node, 2, (struct te_range){ 5, 100 });
	CHECK_EQ(range.low, 30);
	CHECK_EQ(range.high, 100);
}

/* Root BLOCK over leaves 40 (keys 10 to 14) and 41 (20 to 24). */
static void begin_tree(void)
{
	static const u64 keys[] = { 10, 20 }, children[] = { 40, 41 };

	begin();
	blocks_parent(blocks, BLOCK, 2, keys, children);
	blocks_leaf(blocks, 40, 10, 5);
	blocks_leaf(blocks, 41, 20, 5);
}

static int lookup(u64 key, u64 *block)
{
	__le64 value = 0;
	int r;

	r = te_btree_lookup(&blocks->reader, BLOCK, sizeof(value), key, &value, &fault);
	*block = te_mapping_block(le64_to_cpu(value));
	return r;
}

static void lookup_finds_what_is_there_and_nothing_else(void)
{
	u64 key, block;

	begin_tree();
	for (key = 0; key < 40; key++) {
		bool there = (key >= 10 && key < 15) || (key >= 20 && key < 25);

		CHECK_EQ(lookup(key, &block), there ? 0 : -ENODATA);
		CHECK_EQ(block, there ? 1000 + key : 0);
	}
	CHECK_EQ(fault.kind, TE_FAULT_NONE);
	CHECK_EQ(blocks->nr_held, 0);
}

static void lookup_in_an_empty_tree_finds_nothing(void)
{
	u64 block;

	begin();
	blocks_leaf(blocks, BLOCK, 0, 0);
	CHECK_EQ(lookup(1, &block), -ENODATA);
}

static void lookup_ends_in_a_loop(void)
{
	static const u64 key = 10, child = BLOCK;
	u64 block;

	begin();
	blocks_parent(blocks, BLOCK, 1, &key, &child);
	CHECK_EQ(lookup(10, &block), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_DEPTH);
	CHECK_EQ(blocks->nr_gets, TE_BTREE_MAX_DEPTH);
	CHECK_EQ(blocks->nr_held, 0);
}

static void lookup_checks_what_it_passes(void)
{
	u64 block;

	begin_tree();
	blocks_leaf(blocks, 41, 21, 9);
	((struct thin_disk_node *)blocks_at(blocks, 41))->csum ^= cpu_to_le32(1);
	CHECK_EQ(lookup(22, &block), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_CSUM);
	CHECK_EQ(fault.block, 41);
	CHECK_EQ(lookup(12, &block), 0);

	begin_tree();
	blocks_leaf(blocks, 40, 18, 5);
	CHECK_EQ(lookup(18, &block), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_KEY_RANGE);
	CHECK_EQ(blocks->nr_held, 0);
}

static void a_root_beyond_the_device_is_never_asked_for(void)
{
	__le64 value;

	begin();
	CHECK_EQ(te_btree_lookup(&blocks->reader, NR_BLOCKS, 8, 1, &value, &fault), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_CHILD);
	CHECK_EQ(fault.found, NR_BLOCKS);
	CHECK_EQ(blocks->nr_gets, 0);
}

static void an_unreadable_node_says_which(void)
{
	u64 block;

	begin_tree();
	blocks->unreadable = 41;
	CHECK_EQ(lookup(22, &block), -EIO);
	CHECK_EQ(fault.kind, TE_FAULT_IO);
	CHECK_EQ(fault.block, 41);
	CHECK_EQ((long long)fault.found, -EIO);
	CHECK_EQ(blocks->nr_held, 0);
}

UNIT_MAIN(UNIT(a_good_leaf_passes),
	  UNIT(a_good_internal_node_passes),
	  UNIT(an_empty_leaf_is_legal),
	  UNIT(a_full_leaf_is_legal),
	  UNIT(another_blocks_number_is_found),
	  UNIT(every_flipped_bit_is_found),
	  UNIT(a_node_is_one_of_two_kinds),
	  UNIT(values_have_the_trees_size),
	  UNIT(no_more_entries_than_a_block_holds),
	  UNIT(no_more_entries_than_max_entries),
	  UNIT(an_internal_node_has_a_child),
	  UNIT(keys_ascend),
	  UNIT(keys_lie_in_their_range),
	  UNIT(children_lie_on_the_device),
	  UNIT(search_finds_the_last_key_not_above),
	  UNIT(a_child_has_what_lies_between_the_keys),
	  UNIT(lookup_finds_what_is_there_and_nothing_else),
	  UNIT(lookup_in_an_empty_tree_finds_nothing),
	  UNIT(lookup_ends_in_a_loop),
	  UNIT(lookup_checks_what_it_passes),
	  UNIT(a_root_beyond_the_device_is_never_asked_for),
	  UNIT(an_unreadable_node_says_which))
