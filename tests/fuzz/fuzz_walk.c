// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the core on a whole metadata device: superblock, held root, details,
 * every volume's tree, and the difference of neighbours.
 *
 * The input is a byte of choices and packed blocks (packed.h), whose numbers and
 * checksums are put right, so that the walks go as deep as the blocks lead them:
 * through loops, shared and unequal subtrees, children beyond the device, keys that
 * their parent does not allow.  Whatever comes of it, every call ends, gives back its
 * blocks, reads no block more often than walks of a few trees can, and each error
 * says what it is.
 */
#include "core/details.h"
#include "core/diff.h"
#include "core/reach.h"
#include "packed.h"
#include "target.h"

#define CHOICE_RAW	(1u << 0)	/* blocks as they are */
#define CHOICE_HELD	(1u << 1)	/* from the metadata snapshot */

#define MAX_BLOCKS	64
#define MAX_VOLUMES	16
/* What a bitmap of data blocks may take here; real pools have as much. */
#define MAX_DATA_BLOCKS	(1u << 20)

struct volumes {
	struct te_details of[MAX_VOLUMES];
	size_t nr;
};

static int add_volume(void *context, const struct te_details *details)
{
	struct volumes *volumes = context;

	keeps(!volumes->nr || details->dev_id > volumes->of[volumes->nr - 1].dev_id);
	keeps(details->dev_id <= THIN_DEV_ID_MAX);
	volumes->of[volumes->nr++] = *details;
	return volumes->nr == MAX_VOLUMES;
}

static int see_entry(void *context, u64 virtual_block, bool has_old, u64 old_value, bool has_new,
		     u64 new_value)
{
	u64 *last = context;

	/* Ascending, and a difference. */
	keeps(!*last || virtual_block >= *last);
	keeps(has_old || has_new);
	keeps(!has_old || !has_new || te_mapping_block(old_value) != te_mapping_block(new_value));
	*last = virtual_block + 1;
	/* Unshared twins may be as many as a walk can have steps: enough is enough. */
	return *last > (1u << 20);
}

static const struct te_diff_ops diff_ops = { .entry = see_entry };

/* Each error says what it is, and every block was put back. */
static int told(struct blocks *blocks, int err, struct te_fault *fault)
{
	keeps(!blocks->nr_held);
	keeps(!err || (fault->kind != TE_FAULT_NONE && te_fault_words(fault->kind)[0]));
	fault->kind = TE_FAULT_NONE;
	return err;
}

static void reach_all(struct blocks *blocks, const struct te_superblock *sb,
		      const struct volumes *volumes)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_reach reach;
	size_t i;

	if (te_reach_init(&reach, blocks->reader.nr_blocks, sb->nr_data_blocks,
			  sb->data_block_sectors))
		return;
	blocks->nr_gets = 0;
	for (i = 0; i < volumes->nr; i++)
		told(blocks, te_reach_volume(&reach, &blocks->reader, volumes->of[i].root, &fault),
		     &fault);
	/* A node once, and what is refused once more by each volume that has it. */
	keeps(blocks->nr_gets <= (volumes->nr + 1) * blocks->reader.nr_blocks);
	te_reach_exit(&reach);
}

static void find_all(struct blocks *blocks, const struct te_superblock *sb,
		     const struct volumes *volumes)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_details details;
	size_t i;

	for (i = 0; i < volumes->nr; i++)
		keeps(!told(blocks, te_details_find(&blocks->reader, sb, volumes->of[i].dev_id,
						    &details, &fault), &fault) &&
		      details.root == volumes->of[i].root);
}

static void compare_all(struct blocks *blocks, const struct volumes *volumes)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	size_t i;

	for (i = 0; i < volumes->nr; i++) {
		u64 last = 0;
		struct te_diff *diff = te_diff_create(&blocks->reader, &diff_ops, &last, &fault);

		keeps(diff != NULL);
		te_diff_run(diff, i ? volumes->of[i - 1].root : 0, volumes->of[i].root);
		te_diff_destroy(diff);
		keeps(!blocks->nr_held);
	}
}

static void walk_all(struct blocks *blocks, bool held)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct volumes volumes = { .nr = 0 };
	struct te_superblock sb;
	int err;

	if (told(blocks, te_superblock_read(&blocks->reader, held, &sb, &fault), &fault))
		return;
	err = te_details_each(&blocks->reader, &sb, add_volume, &volumes, &fault);
	if (err < 0)
		told(blocks, err, &fault);
	find_all(blocks, &sb, &volumes);
	if (sb.nr_data_blocks <= MAX_DATA_BLOCKS)
		reach_all(blocks, &sb, &volumes);
	compare_all(blocks, &volumes);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	struct packed packed = { input, bytes };
	u8 choices = packed_byte(&packed);
	struct blocks *blocks = packed_blocks(&packed, MAX_BLOCKS, !(choices & CHOICE_RAW));

	walk_all(blocks, choices & CHOICE_HELD);
	blocks_free(blocks);
	return 0;
}
