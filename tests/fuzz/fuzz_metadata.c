// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the core on a whole metadata device: superblock, held root, details,
 * every volume's tree, and the difference of neighbours.
 *
 * The input is a byte of choices and then metadata blocks.  Checksums and block
 * numbers are put right on the way in, unless the choices say not to: else
 * nothing damaged would get past the first check.
 */
#include <stdio.h>

#include <thinexport/thin_disk.h>

#include "core/details.h"
#include "core/diff.h"
#include "core/reach.h"

#define CHOICE_RAW	(1u << 0)	/* blocks as they are */
#define CHOICE_HELD	(1u << 1)	/* from the metadata snapshot */

#define MAX_BLOCKS	64
#define MAX_VOLUMES	16
/* What a bitmap of data blocks may take here; real pools have as much. */
#define MAX_DATA_BLOCKS	(1u << 20)

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes);

struct image {
	struct te_reader reader;
	u8 blocks[MAX_BLOCKS][THIN_METADATA_BLOCK_BYTES];
	unsigned int held;		/* blocks that were got and not put back */
};

struct volumes {
	struct image *image;
	u64 roots[MAX_VOLUMES];
	size_t nr;
};

static int image_get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	struct image *image = container_of(reader, struct image, reader);

	if (block >= reader->nr_blocks)
		abort();	/* the core promises not to ask */
	/* A copy of its own, so that a use after put is seen. */
	*cookie = malloc(THIN_METADATA_BLOCK_BYTES);
	memcpy(*cookie, image->blocks[block], THIN_METADATA_BLOCK_BYTES);
	*data = *cookie;
	image->held++;
	return 0;
}

static void image_put(struct te_reader *reader, void *cookie)
{
	container_of(reader, struct image, reader)->held--;
	free(cookie);
}

static const struct te_reader_ops image_ops = {
	.get = image_get,
	.put = image_put,
};

static void seal(u8 *block, u64 number, u64 nr_blocks)
{
	struct thin_disk_superblock *sb = (void *)block;
	struct thin_disk_node *node = (void *)block;
	bool super = le64_to_cpu(sb->magic) == THIN_SUPERBLOCK_MAGIC || number == 0;

	/* Both kinds have the checksum and the number in the same places. */
	node->blocknr = cpu_to_le64(number);
	node->csum = cpu_to_le32(crc32c(~0u, block + 4, THIN_METADATA_BLOCK_BYTES - 4) ^
				 (super ? THIN_SUPERBLOCK_CSUM_XOR : THIN_NODE_CSUM_XOR));
}

static int add_volume(void *context, const struct te_details *details)
{
	struct volumes *volumes = context;

	if (volumes->nr == MAX_VOLUMES)
		return 1;
	volumes->roots[volumes->nr++] = details->root;
	return 0;
}

static int see_entry(void *context, u64 virtual_block, bool has_old, u64 old_value, bool has_new,
		     u64 new_value)
{
	u64 *last = context;

	/* Ascending, and a difference. */
	if (*last && virtual_block < *last)
		abort();
	if (!has_old && !has_new)
		abort();
	if (has_old && has_new && te_mapping_block(old_value) == te_mapping_block(new_value))
		abort();
	*last = virtual_block + 1;
	/* Unshared twins may be as many as a walk can have steps: enough is enough. */
	return *last > (1u << 20);
}

static const struct te_diff_ops diff_ops = { .entry = see_entry };

static void walk_all(struct image *image, const struct te_superblock *sb, struct volumes *volumes)
{
	struct te_fault fault = { 0 };
	struct te_reach reach;
	size_t i;

	if (te_reach_init(&reach, image->reader.nr_blocks, sb->nr_data_blocks,
			  sb->data_block_sectors))
		return;
	for (i = 0; i < volumes->nr; i++) {
		fault.kind = TE_FAULT_NONE;
		if (te_reach_volume(&reach, &image->reader, volumes->roots[i], &fault) &&
		    (fault.kind == TE_FAULT_NONE || !te_fault_words(fault.kind)))
			abort();	/* each error says what it is */
	}
	te_reach_exit(&reach);
	for (i = 0; i < volumes->nr; i++) {
		u64 last = 0;
		struct te_diff *diff = te_diff_create(&image->reader, &diff_ops, &last, &fault);

		if (!diff)
			return;
		te_diff_run(diff, i ? volumes->roots[i - 1] : 0, volumes->roots[i]);
		te_diff_destroy(diff);
	}
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	static struct image image;
	struct volumes volumes = { .image = &image };
	struct te_superblock sb;
	struct te_fault fault;
	u64 i, nr;

	if (bytes <= 1)
		return 0;
	nr = DIV_ROUND_UP(bytes - 1, THIN_METADATA_BLOCK_BYTES);
	if (nr > MAX_BLOCKS)
		return 0;
	memset(image.blocks, 0, nr * THIN_METADATA_BLOCK_BYTES);
	memcpy(image.blocks, input + 1, bytes - 1);
	if (!(input[0] & CHOICE_RAW))
		for (i = 0; i < nr; i++)
			seal(image.blocks[i], i, nr);
	image.reader.ops = &image_ops;
	image.reader.nr_blocks = nr;

	if (!te_superblock_read(&image.reader, input[0] & CHOICE_HELD, &sb, &fault) &&
	    sb.nr_data_blocks <= MAX_DATA_BLOCKS &&
	    te_details_each(&image.reader, &sb, add_volume, &volumes, &fault) >= 0)
		walk_all(&image, &sb, &volumes);
	if (image.held)
		abort();	/* every block is put back, whatever went wrong */
	return 0;
}
