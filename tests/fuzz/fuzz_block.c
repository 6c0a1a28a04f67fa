// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the checks of one block, as a superblock and as a node of each kind,
 * with its checksum put right and as it is.  What passes must keep the promises
 * of the headers: keys in order and in range, children inside the device.
 */
#include "core/btree.h"
#include "core/superblock.h"

#define NR_BLOCKS	1000
#define LOCATION	7

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes);

static void check_promises(const struct te_node *node, struct te_range range)
{
	u32 i;

	for (i = 0; i < node->nr_entries; i++) {
		u64 key = te_node_key(node, i);

		if (key < range.low || key >= range.high)
			abort();
		if (i && key <= te_node_key(node, i - 1))
			abort();
		if (!node->leaf && te_node_value64(node, i) >= NR_BLOCKS)
			abort();
		if (te_node_search(node, key) != (int)i)
			abort();
	}
}

static void check_node(const u8 *block, u32 value_bytes, struct te_range range)
{
	struct te_fault fault = { 0 };
	struct te_node node;

	if (!te_node_check(block, LOCATION, value_bytes, range, NR_BLOCKS, &node, &fault))
		check_promises(&node, range);
	else if (fault.kind == TE_FAULT_NONE)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	static u8 block[THIN_METADATA_BLOCK_BYTES] __attribute__((aligned(8)));
	struct thin_disk_node *node = (void *)block;
	const struct te_range all = { 0, ~0ull }, some = { 100, 5000 };
	struct te_superblock sb;
	struct te_fault fault;

	memset(block, 0, sizeof(block));
	memcpy(block, input, bytes < sizeof(block) ? bytes : sizeof(block));
	check_node(block, 8, all);

	node->blocknr = cpu_to_le64(LOCATION);
	node->csum = cpu_to_le32(crc32c(~0u, block + 4, sizeof(block) - 4) ^ THIN_NODE_CSUM_XOR);
	check_node(block, 8, all);
	check_node(block, 8, some);
	check_node(block, 24, all);
	check_node(block, 4, all);

	node->csum = cpu_to_le32(crc32c(~0u, block + 4, sizeof(block) - 4) ^
				 THIN_SUPERBLOCK_CSUM_XOR);
	if (!te_superblock_check(block, LOCATION, NR_BLOCKS, &sb, &fault) &&
	    (sb.mapping_root >= NR_BLOCKS || sb.details_root >= NR_BLOCKS ||
	     sb.held_root >= NR_BLOCKS || !sb.data_block_sectors))
		abort();
	return 0;
}
