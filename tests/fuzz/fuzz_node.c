// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the checks of one btree node.
 *
 * The input is a byte of choices and a packed block (packed.h), whose number and
 * checksum are put right: so flags, value size, counts, the order and range of keys
 * and the children are what decides.  It is taken for a node of each tree that dm-thin
 * has (values of 4, 8, 16 and 24 bytes), where all keys may come and where some may.
 * What passes must keep the promises of btree.h: keys ascend and lie in the range,
 * children lie in the device, each key is found, and what a child may hold does
 * not reach into its neighbour.
 */
#include "packed.h"
#include "target.h"

#define CHOICE_RAW	(1u << 0)	/* number and checksum as they are */

#define NR_BLOCKS	1000
#define LOCATION	7

static void check_entry(const struct te_node *node, struct te_range range, u32 i)
{
	u64 key = te_node_key(node, i);
	struct te_range below;

	keeps(key >= range.low && key < range.high);
	keeps(!i || key > te_node_key(node, i - 1));
	keeps(te_node_search(node, key) == (int)i);
	keeps(key == ~0ULL || te_node_search(node, key + 1) >= (int)i);
	if (node->leaf)
		return;
	keeps(te_node_value64(node, i) < NR_BLOCKS);
	below = te_node_child_range(node, i, range);
	keeps(below.low == key && below.high <= range.high);
	keeps(i + 1 == node->nr_entries || below.high == te_node_key(node, i + 1));
}

static void check_node(const u8 *block, u32 value_bytes, struct te_range range)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_node node;
	const u8 *end;
	u32 i;

	if (te_node_check(block, LOCATION, value_bytes, range, NR_BLOCKS, &node, &fault)) {
		keeps(fault.kind != TE_FAULT_NONE && te_fault_words(fault.kind)[0]);
		return;
	}
	end = (const u8 *)node.values + (size_t)node.nr_entries * node.value_bytes;
	keeps(node.nr_entries <= node.max_entries && end <= block + THIN_METADATA_BLOCK_BYTES);
	for (i = 0; i < node.nr_entries; i++)
		check_entry(&node, range, i);
	keeps(te_node_search(&node, ~0ULL) == (int)node.nr_entries - 1);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	static const u32 value_bytes[] = { 4, 8, 16, 24 };
	const struct te_range all = { 0, ~0ULL }, some = { 100, 5000 };
	struct packed packed = { input, bytes };
	u8 choices = packed_byte(&packed);
	struct blocks *blocks = packed_blocks(&packed, 1, false);
	struct thin_disk_node *node = blocks_at(blocks, 0);
	size_t i;

	if (!(choices & CHOICE_RAW)) {
		node->blocknr = cpu_to_le64(LOCATION);
		node_seal(node);
	}
	for (i = 0; i < ARRAY_SIZE(value_bytes); i++) {
		check_node((void *)node, value_bytes[i], all);
		check_node((void *)node, value_bytes[i], some);
	}
	blocks_free(blocks);
	return 0;
}
