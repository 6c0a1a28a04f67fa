/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The superblock, checked, and the held root behind it. */
#ifndef TE_SUPERBLOCK_H
#define TE_SUPERBLOCK_H

#include "fault.h"
#include "reader.h"

struct te_superblock {
	u64 transaction_id;
	u64 held_root;			/* 0: no metadata snapshot */
	u64 mapping_root;
	u64 details_root;
	u64 nr_data_blocks;		/* from the data space map's root */
	u64 nr_allocated_data_blocks;	/* likewise */
	u64 nr_metadata_blocks;		/* from the metadata space map's root */
	u64 nr_allocated_metadata_blocks;
	u32 data_block_sectors;
	u32 time;
	bool needs_check;
};

/*
 * Checks the 4 KiB at `data`, said to be metadata block `location`, in the
 * order: magic, place, checksum, version and features, sizes, roots within
 * nr_blocks.  A metadata snapshot's copy has no space maps: there the four
 * counts are 0, which is not an error here.
 * -EINVAL not a thin superblock at all (magic); -EILSEQ damaged; -EOPNOTSUPP
 * made by something newer.
 */
int te_superblock_check(const void *data, u64 location, u64 nr_blocks,
			struct te_superblock *sb, struct te_fault *fault);

/*
 * Reads the superblock, or with `held` the metadata snapshot's, filling the
 * counts it lacks from the live one.  -ENODATA when held and there is none.
 */
int te_superblock_read(struct te_reader *reader, bool held,
		       struct te_superblock *sb, struct te_fault *fault);

#endif
