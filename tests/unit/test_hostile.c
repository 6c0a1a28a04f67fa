// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Metadata by somebody who means harm: good pools with a few words altered and
 * the checksums made right again.  Whatever comes of it, every call ends, gives
 * back its blocks and, on an error, says what is wrong; the sanitizers see the rest.
 */
#include "blocks.h"
#include "core/details.h"
#include "core/diff.h"
#include "core/reach.h"
#include "generate.h"
#include "unit.h"

#define ROUNDS	3000

static struct te_gen *gen;		/* the good pool; and what is random */
static struct blocks *blocks;
static struct te_superblock sb;
static struct te_fault fault;
static u64 nr_damaged;

static void begin(u64 seed, u32 nr_devices)
{
	const struct te_gen_history history = {
		.nr_mappings = 3000, .nr_volumes = 2, .nr_snapshots = 5, .change = 0.05,
		.run = 10, .scatter = 0.2, .discards = 0.3, .odd = true,
		.nr_devices = nr_devices,
	};

	gen = te_gen_create(-1, 0, 0, 128, seed);
	te_gen_history(gen, &history);
	te_gen_finish(gen);
	blocks = blocks_new(gen->nr_metadata_blocks);
}

static void end(void)
{
	blocks_free(blocks);
	te_gen_destroy(gen);
}

/* A number as an attacker would choose it: near a bound, or another block's. */
static u64 evil(void)
{
	static const u64 numbers[] = {
		0, 1, 2, 3, 84, 125, 126, 127, 251, 252, 253, 254, 255, 4096, 0x7fffffff,
		0x80000000, 0xffffffff, 1ULL << 54, (1ULL << 63) - 1, 1ULL << 63, ~0ULL,
	};

	switch (te_gen_random(gen, 4)) {
	case 0: return numbers[te_gen_random(gen, ARRAY_SIZE(numbers))];
	case 1: return te_gen_random(gen, gen->next_metadata_block);
	case 2: return te_gen_random(gen, gen->next_metadata_block) << THIN_TIME_BITS;
	default: return te_gen_random(gen, ~0ULL);
	}
}

/* Alters a word of a block, the first ones more often, and seals it again. */
static void alter(u64 block)
{
	char *bytes = blocks_at(blocks, block);
	u64 words = te_gen_random(gen, 2) ? 8 : THIN_METADATA_BLOCK_BYTES / 8;
	u64 word = te_gen_random(gen, words), value = evil();
	__le64 disk;

	memcpy(&disk, bytes + 8 * word, sizeof(disk));
	switch (te_gen_random(gen, 3)) {
	case 0: break;
	case 1: value = le64_to_cpu(disk) + 1 - 2 * te_gen_random(gen, 2); break;
	default: value = le64_to_cpu(disk) ^ 1ULL << te_gen_random(gen, 64);
	}
	disk = cpu_to_le64(value);
	memcpy(bytes + 8 * word, &disk, sizeof(disk));
	if (block)
		node_seal((void *)bytes);
	else
		superblock_seal((void *)bytes);
}

static void damage(void)
{
	u64 nr = 1 + te_gen_random(gen, 4);

	memcpy(blocks->bytes, gen->image, gen->nr_metadata_blocks * THIN_METADATA_BLOCK_BYTES);
	blocks->nr_gets = 0;
	while (nr--)
		alter(te_gen_random(gen, 16) ? te_gen_random(gen, gen->next_metadata_block) : 0);
}

/* After each call: blocks are back, an error is told, and it did not go round in circles. */
static int ended(int r)
{
	CHECK_EQ(blocks->nr_held, 0);
	CHECK(r <= 0);
	CHECK((r == 0) == (fault.kind == TE_FAULT_NONE));
	CHECK(fault.kind < TE_FAULT_NR);
	CHECK(blocks->nr_gets < 100 * gen->nr_metadata_blocks);
	nr_damaged += r != 0;
	memset(&fault, 0, sizeof(fault));
	return r;
}

static int nothing(void *context, u64 virtual_block, bool has_old, u64 old_value, bool has_new,
		   u64 new_value)
{
	return 0;
}

static int now_and_then(void *context, u64 block, unsigned int level)
{
	return te_gen_random(gen, 3) ? TE_VISIT_DESCEND : TE_VISIT_SKIP;
}

static int ascends(void *context, u64 block, struct te_range range)
{
	CHECK(range.low < range.high);
	return 0;
}

static const struct te_diff_ops diff_ops = {
	.enter = now_and_then,
	.skipped = ascends,
	.entry = nothing,
};

static int read_all(void *context, const struct te_details *details)
{
	struct te_reach *reach = context;

	te_reach_volume(reach, &blocks->reader, details->root, &fault);
	memset(&fault, 0, sizeof(fault));
	return 0;
}

static void read_pool(void)
{
	struct te_details details;
	struct te_reach reach;

	if (ended(te_superblock_read(&blocks->reader, false, &sb, &fault)))
		return;
	if (te_reach_init(&reach, blocks->reader.nr_blocks,
			  sb.nr_data_blocks < 1 << 20 ? sb.nr_data_blocks : 1 << 20,
			  sb.data_block_sectors))
		return;
	ended(te_details_each(&blocks->reader, &sb, read_all, &reach, &fault));
	ended(te_details_find(&blocks->reader, &sb, gen->volumes[0].id, &details, &fault));
	te_reach_exit(&reach);
}

static void every_reading_of_an_altered_pool_ends(void)
{
	u64 round;

	begin(1, 300);	/* a top level of two levels */
	nr_damaged = 0;
	for (round = 0; round < ROUNDS; round++) {
		damage();
		read_pool();
	}
	CHECK(nr_damaged > ROUNDS / 20);
	end();
}

static void every_difference_of_altered_trees_ends(void)
{
	u64 round;

	begin(2, 0);
	nr_damaged = 0;
	for (round = 0; round < ROUNDS; round++) {
		u64 old = gen->volumes[te_gen_random(gen, gen->nr_volumes)].root;
		u64 new = gen->volumes[te_gen_random(gen, gen->nr_volumes)].root;
		struct te_diff *diff;

		damage();
		diff = te_diff_create(&blocks->reader, &diff_ops, NULL, &fault);
		ended(te_diff_run(diff, te_gen_random(gen, 8) ? old : 0, new));
		te_diff_destroy(diff);
	}
	CHECK(nr_damaged > ROUNDS / 20);
	end();
}

/* Any block taken for a root, of either tree. */
static void every_block_taken_for_a_root_is_read_or_refused(void)
{
	u64 root;

	begin(3, 0);
	memcpy(blocks->bytes, gen->image, gen->nr_metadata_blocks * THIN_METADATA_BLOCK_BYTES);
	for (root = 0; root < gen->nr_metadata_blocks + 2; root++) {
		struct te_reach reach;
		struct te_diff *diff;
		u8 value[24];
		int r;

		blocks->nr_gets = 0;
		CHECK_EQ(te_reach_init(&reach, blocks->reader.nr_blocks, 1000, 128), 0);
		ended(te_reach_volume(&reach, &blocks->reader, root, &fault));
		te_reach_exit(&reach);
		r = te_btree_lookup(&blocks->reader, root, 24, te_gen_random(gen, 100), value,
				    &fault);
		if (r != -ENODATA)
			ended(r);
		diff = te_diff_create(&blocks->reader, &diff_ops, NULL, &fault);
		ended(te_diff_run(diff, gen->volumes[0].root, root));
		te_diff_destroy(diff);
	}
	end();
}

UNIT_MAIN(UNIT(every_reading_of_an_altered_pool_ends),
	  UNIT(every_difference_of_altered_trees_ends),
	  UNIT(every_block_taken_for_a_root_is_read_or_refused))
