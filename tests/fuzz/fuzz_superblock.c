// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the superblock and the held root.
 *
 * The input is a byte of choices and packed blocks (packed.h): block 0 is the
 * superblock, and any other may be its metadata snapshot's.  Their checksums are put
 * right, so that what a superblock says is looked at: version, features, sizes,
 * roots, the space maps' roots, and what a held root and the live one must have in
 * common.  Each block is also taken for a superblock at its own place and at a
 * wrong one.
 */
#include "packed.h"
#include "target.h"

#define CHOICE_RAW	(1u << 0)	/* numbers and checksums as they are */

/* Of the device; the input has the first of them, the others are zeros. */
#define NR_BLOCKS	64

static void keeps_bounds(const struct te_superblock *sb, u64 nr_blocks)
{
	keeps(sb->mapping_root < nr_blocks && sb->details_root < nr_blocks &&
	      sb->held_root < nr_blocks);
	keeps(sb->data_block_sectors >= THIN_DATA_BLOCK_MIN_SECTORS &&
	      sb->data_block_sectors <= THIN_DATA_BLOCK_MAX_SECTORS &&
	      sb->data_block_sectors % THIN_DATA_BLOCK_MIN_SECTORS == 0);
	/* All of its bytes, and a mapping's 40 bits, can be counted. */
	keeps(sb->nr_data_blocks <= 1ULL << 40 &&
	      sb->nr_data_blocks <= THIN_MAX_SECTORS / sb->data_block_sectors);
}

static void check_at(struct blocks *blocks, u64 block, u64 location)
{
	u64 nr = blocks->reader.nr_blocks;
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_superblock sb;

	if (!te_superblock_check(blocks_at(blocks, block), location, nr, &sb, &fault))
		keeps_bounds(&sb, nr);
	else
		keeps(fault.kind != TE_FAULT_NONE && te_fault_words(fault.kind)[0]);
}

static void read_root(struct blocks *blocks, bool held)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_superblock sb;

	if (!te_superblock_read(&blocks->reader, held, &sb, &fault)) {
		keeps_bounds(&sb, blocks->reader.nr_blocks);
		keeps(!held || sb.held_root);
	} else {
		keeps(fault.kind != TE_FAULT_NONE);
	}
	keeps(!blocks->nr_held);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	struct packed packed = { input, bytes };
	u8 choices = packed_byte(&packed);
	struct blocks *blocks = packed_blocks(&packed, NR_BLOCKS, !(choices & CHOICE_RAW));
	u64 nr = blocks->reader.nr_blocks, block;

	blocks->reader.nr_blocks = NR_BLOCKS;
	for (block = 0; block < nr; block++) {
		check_at(blocks, block, block);
		check_at(blocks, block, block + 1);
	}
	read_root(blocks, false);
	read_root(blocks, true);
	blocks_free(blocks);
	return 0;
}
