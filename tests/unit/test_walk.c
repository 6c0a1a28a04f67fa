// SPDX-License-Identifier: GPL-2.0-or-later
/* The walk: order, skipping, hostile trees; and what volumes reach by it. */
#include "blocks.h"
#include "core/reach.h"
#include "unit.h"

#define NR_BLOCKS	64
#define ROOT		1

static const struct te_range all = { 0, ~0ULL };
static struct blocks *blocks;
static struct te_fault fault;

/* What the callbacks saw. */
static struct {
	char story[512];		/* (1 (2 l )2 )1: entered, leaf, left */
	u64 skip;			/* this block is not entered */
	int end_with;			/* the leaf callback's result */
	u64 unwanted;
} seen;

static void tell(const char *mark, u64 n)
{
	size_t length = strlen(seen.story);

	snprintf(seen.story + length, sizeof(seen.story) - length, "%s%llu ", mark,
		 (unsigned long long)n);
}

static int enter(void *context, u64 block, unsigned int level, struct te_range range)
{
	tell("(", block);
	return block == seen.skip ? TE_VISIT_SKIP : TE_VISIT_DESCEND;
}

static int leaf(void *context, const struct te_node *node, struct te_range range)
{
	tell("", node->nr_entries);
	return seen.end_with;
}

static int leave(void *context, u64 block, unsigned int level, struct te_range range)
{
	tell(")", block);
	return 0;
}

static bool wanted(void *context, u64 block, u64 low)
{
	return block != seen.unwanted;
}

static const struct te_walk_ops ops = {
	.enter = enter,
	.leaf = leaf,
	.leave = leave,
	.wanted = wanted,
};

static void begin(void)
{
	if (blocks)
		blocks_free(blocks);
	blocks = blocks_new(NR_BLOCKS);
	memset(&fault, 0, sizeof(fault));
	memset(&seen, 0, sizeof(seen));
	seen.skip = ~0ULL;
	seen.unwanted = ~0ULL;
}

static int walk(u64 root, struct te_range range)
{
	struct te_walk w = {
		.reader = &blocks->reader, .ops = &ops, .value_bytes = 8, .fault = &fault,
	};

	return te_walk_tree(&w, root, range);
}

/* ROOT over leaves 2 (keys 0 to 4) and 3 (10 to 12). */
static void two_leaves(void)
{
	static const u64 keys[] = { 0, 10 }, children[] = { 2, 3 };

	begin();
	blocks_parent(blocks, ROOT, 2, keys, children);
	blocks_leaf(blocks, 2, 0, 5);
	blocks_leaf(blocks, 3, 10, 3);
}

#define CHECK_FAULT(call, error, expected, where) do {				\
	CHECK_EQ(call, error);							\
	CHECK_STR(te_fault_words(fault.kind), te_fault_words(expected));	\
	CHECK_EQ(fault.block, where);						\
	CHECK_EQ(blocks->nr_held, 0);						\
} while (0)

static void nodes_come_depth_first_in_key_order(void)
{
	two_leaves();
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_STR(seen.story, "(1 (2 5 )2 (3 3 )3 )1 ");
	CHECK_EQ(blocks->nr_held, 0);
}

static void an_empty_tree_is_one_empty_leaf(void)
{
	begin();
	blocks_leaf(blocks, ROOT, 0, 0);
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_STR(seen.story, "(1 0 )1 ");
}

static void a_skipped_node_is_not_read(void)
{
	two_leaves();
	seen.skip = 2;
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_STR(seen.story, "(1 (2 (3 3 )3 )1 ");
	CHECK_EQ(blocks->read[2], 0);
	two_leaves();
	seen.skip = ROOT;
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_EQ(blocks->nr_gets, 0);
}

static void a_callbacks_error_ends_the_walk(void)
{
	two_leaves();
	seen.end_with = -ECANCELED;
	CHECK_EQ(walk(ROOT, all), -ECANCELED);
	CHECK_STR(seen.story, "(1 (2 5 ");
	CHECK_EQ(blocks->nr_held, 0);
}

static void a_signal_ends_the_walk(void)
{
	two_leaves();
	blocks->interrupt_after = 2;
	CHECK_FAULT(walk(ROOT, all), -EINTR, TE_FAULT_INTERRUPTED, 3);
}

static void an_unreadable_node_ends_the_walk(void)
{
	two_leaves();
	blocks->unreadable = 3;
	CHECK_FAULT(walk(ROOT, all), -EIO, TE_FAULT_IO, 3);
}

static void children_are_hinted_but_for_unwanted_ones(void)
{
	two_leaves();
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_EQ(blocks->prefetched, 2);
	two_leaves();
	seen.unwanted = 3;
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_EQ(blocks->prefetched, 1);
}

/* ROOT over 252 leaves, the i-th in the block that `place` gives. */
static void many_leaves(u64 (*place)(u64 i))
{
	struct thin_disk_node *root;
	u64 i;

	begin();
	blocks_free(blocks);
	blocks = blocks_new(300);
	root = blocks_node(blocks, ROOT, false, 8);
	for (i = 0; i < 252; i++) {
		node_add(root, 10 * i, place(i));
		blocks_leaf(blocks, place(i), 10 * i, 5);
	}
	node_seal(root);
}

static u64 in_order(u64 i)
{
	return 2 + i;
}

/* The lower half of the blocks, and the upper, in turn. */
static u64 in_two_rows(u64 i)
{
	return 2 + i / 2 + (i % 2) * 126;
}

static void every_child_is_hinted_once(void)
{
	many_leaves(in_order);
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_EQ(blocks->prefetched, 252);
	CHECK_EQ(blocks->nr_gets, 253);
}

static void hints_join_what_lies_together(void)
{
	many_leaves(in_two_rows);
	CHECK_EQ(walk(ROOT, all), 0);
	CHECK_EQ(blocks->prefetched, 252);
	/* A window of 64, then 32 at a time, and two rows in each. */
	CHECK_EQ(blocks->nr_hints, 2 * (1 + DIV_ROUND_UP(252 - 64, 32)));
}

static void a_node_that_is_its_own_child_is_a_loop(void)
{
	static const u64 key = 0, child = ROOT;

	begin();
	blocks_parent(blocks, ROOT, 1, &key, &child);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_LOOP, ROOT);
}

static void a_node_that_is_its_own_grandchild_is_a_loop(void)
{
	static const u64 key = 0, down = 2, up = ROOT;

	begin();
	blocks_parent(blocks, ROOT, 1, &key, &down);
	blocks_parent(blocks, 2, 1, &key, &up);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_LOOP, ROOT);
	/* Also when the ancestor would have been skipped as seen before. */
	seen.skip = 40;
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_LOOP, ROOT);
}

/* A chain of `levels` nodes from ROOT on, the last a leaf. */
static void chain(unsigned int levels)
{
	static const u64 key = 0;
	u64 block;

	begin();
	for (block = ROOT; block < ROOT + levels - 1; block++) {
		u64 child = block + 1;

		blocks_parent(blocks, block, 1, &key, &child);
	}
	blocks_leaf(blocks, block, 0, 1);
}

static void a_tree_has_a_greatest_depth(void)
{
	chain(TE_BTREE_MAX_DEPTH);
	CHECK_EQ(walk(ROOT, all), 0);
	chain(TE_BTREE_MAX_DEPTH + 1);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_DEPTH, ROOT + TE_BTREE_MAX_DEPTH);
}

static void leaves_lie_at_one_depth(void)
{
	static const u64 keys[] = { 0, 10 }, children[] = { 2, 3 }, child = 4;

	/* The second leaf is deeper. */
	two_leaves();
	blocks_parent(blocks, 3, 1, &keys[1], &child);
	blocks_leaf(blocks, 4, 10, 3);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_DEPTH, 3);

	/* The first is. */
	begin();
	blocks_parent(blocks, ROOT, 2, keys, children);
	blocks_parent(blocks, 2, 1, &keys[0], &child);
	blocks_leaf(blocks, 4, 0, 3);
	blocks_leaf(blocks, 3, 10, 3);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_DEPTH, 3);
}

static void a_child_stays_within_its_parents_keys(void)
{
	two_leaves();
	blocks_leaf(blocks, 2, 6, 5);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_KEY_RANGE, 2);
	two_leaves();
	blocks_leaf(blocks, 3, 9, 5);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_KEY_RANGE, 3);
	two_leaves();
	CHECK_FAULT(walk(ROOT, (struct te_range){ 0, 12 }), -EILSEQ, TE_FAULT_NODE_KEY_RANGE, 3);
}

static void the_same_child_twice_is_found_by_its_keys(void)
{
	static const u64 keys[] = { 0, 10 }, children[] = { 2, 2 };

	two_leaves();
	blocks_parent(blocks, ROOT, 2, keys, children);
	CHECK_FAULT(walk(ROOT, all), -EILSEQ, TE_FAULT_NODE_KEY_RANGE, 2);
}

static void a_root_beyond_the_device_is_never_asked_for(void)
{
	begin();
	CHECK_FAULT(walk(NR_BLOCKS, all), -EILSEQ, TE_FAULT_NODE_CHILD, NR_BLOCKS);
}

/* Reach. */

static struct te_reach reach;

static void begin_reach(u64 nr_data_blocks)
{
	CHECK_EQ(te_reach_init(&reach, NR_BLOCKS, nr_data_blocks, 128), 0);
}

static void volumes_reach_shared_nodes_once(void)
{
	static const u64 keys[] = { 0, 10 }, children[] = { 2, 5 };

	two_leaves();
	blocks_parent(blocks, 4, 2, keys, children);	/* shares leaf 2 */
	blocks_leaf(blocks, 5, 11, 3);
	begin_reach(2000);
	CHECK_EQ(te_reach_volume(&reach, &blocks->reader, ROOT, &fault), 0);
	CHECK_EQ(te_reach_volume(&reach, &blocks->reader, 4, &fault), 0);
	CHECK_EQ(te_reach_volume(&reach, &blocks->reader, 4, &fault), 0);
	CHECK_EQ(blocks->read[2], 1);
	CHECK_EQ(blocks->nr_gets, 5);
	CHECK_EQ(blocks->prefetched, 3);		/* leaf 2 not again */
	CHECK_EQ(reach.metadata.nr_set, 5);
	/* 1000 to 1004, 1010 to 1012 and 1011 to 1013. */
	CHECK_EQ(reach.data.nr_set, 9);
	CHECK(te_bitmap_test(&reach.data, 1013));
	CHECK(!te_bitmap_test(&reach.data, 1014));
	te_reach_exit(&reach);
}

static void reach_stays_on_the_data_device(void)
{
	two_leaves();
	begin_reach(1013);
	CHECK_EQ(te_reach_volume(&reach, &blocks->reader, ROOT, &fault), 0);
	te_reach_exit(&reach);

	begin_reach(1012);
	CHECK_FAULT(te_reach_volume(&reach, &blocks->reader, ROOT, &fault), -EILSEQ,
		    TE_FAULT_DATA_BLOCK, 3);
	CHECK_EQ(fault.found, 1012);
	CHECK_EQ(fault.wanted, 1012);
	te_reach_exit(&reach);
}

static void reach_stays_below_the_longest_device(void)
{
	const u64 end = THIN_MAX_SECTORS / 128;
	struct thin_disk_node *node;

	begin();
	node = blocks_node(blocks, ROOT, true, 8);
	node_add(node, end - 1, 0);
	node_seal(node);
	begin_reach(10);
	CHECK_EQ(te_reach_volume(&reach, &blocks->reader, ROOT, &fault), 0);
	te_reach_exit(&reach);

	node_add(node, end, 0);
	node_seal(node);
	begin_reach(10);
	CHECK_FAULT(te_reach_volume(&reach, &blocks->reader, ROOT, &fault), -EILSEQ,
		    TE_FAULT_VIRTUAL_BLOCK, ROOT);
	CHECK_EQ(fault.found, end);
	te_reach_exit(&reach);
}

static void reach_finds_loops_and_roots_beyond_the_device(void)
{
	static const u64 key = 0, down = 2, up = ROOT;

	begin();
	blocks_parent(blocks, ROOT, 1, &key, &down);
	blocks_parent(blocks, 2, 1, &key, &up);
	begin_reach(10);
	CHECK_FAULT(te_reach_volume(&reach, &blocks->reader, ROOT, &fault), -EILSEQ,
		    TE_FAULT_NODE_LOOP, ROOT);
	CHECK_FAULT(te_reach_volume(&reach, &blocks->reader, ~0ULL, &fault), -EILSEQ,
		    TE_FAULT_NODE_CHILD, ~0ULL);
	te_reach_exit(&reach);
}

static void reach_needs_a_bit_for_every_block_of_the_reader(void)
{
	begin();
	CHECK_EQ(te_reach_init(&reach, NR_BLOCKS - 1, 10, 128), 0);
	CHECK_EQ(te_reach_volume(&reach, &blocks->reader, ROOT, &fault), -EINVAL);
	te_reach_exit(&reach);
}

UNIT_MAIN(UNIT(nodes_come_depth_first_in_key_order),
	  UNIT(an_empty_tree_is_one_empty_leaf),
	  UNIT(a_skipped_node_is_not_read),
	  UNIT(a_callbacks_error_ends_the_walk),
	  UNIT(a_signal_ends_the_walk),
	  UNIT(an_unreadable_node_ends_the_walk),
	  UNIT(children_are_hinted_but_for_unwanted_ones),
	  UNIT(every_child_is_hinted_once),
	  UNIT(hints_join_what_lies_together),
	  UNIT(a_node_that_is_its_own_child_is_a_loop),
	  UNIT(a_node_that_is_its_own_grandchild_is_a_loop),
	  UNIT(a_tree_has_a_greatest_depth),
	  UNIT(leaves_lie_at_one_depth),
	  UNIT(a_child_stays_within_its_parents_keys),
	  UNIT(the_same_child_twice_is_found_by_its_keys),
	  UNIT(a_root_beyond_the_device_is_never_asked_for),
	  UNIT(volumes_reach_shared_nodes_once),
	  UNIT(reach_stays_on_the_data_device),
	  UNIT(reach_stays_below_the_longest_device),
	  UNIT(reach_finds_loops_and_roots_beyond_the_device),
	  UNIT(reach_needs_a_bit_for_every_block_of_the_reader))
