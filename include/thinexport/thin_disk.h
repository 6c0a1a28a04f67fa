/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dm-thin's metadata as it lies on disk.
 *
 * A metadata device is an array of 4 KiB blocks.  Block 0 is the superblock;
 * it names three trees and two space maps:
 *
 *	superblock --- mapping tree, top level:    device id -> root block
 *	           |       `- mapping tree, bottom: virtual block -> block, time
 *	           |-- details tree:               device id -> thin_disk_details
 *	           |-- data space map              (reference counts of data blocks)
 *	           `-- metadata space map          (reference counts of metadata blocks)
 *
 * A metadata snapshot ("held root") is a copy of the superblock in another
 * block, whose number the superblock holds.  Its space map roots are zero.
 *
 * All numbers are little-endian.  All checksums are crc32c (polynomial
 * 0x1edc6f41, reflected, seed 0xffffffff, result not inverted) of the whole
 * 4 KiB but for the checksum's own 4 bytes, xor a constant of the block's kind.
 *
 * Source of every fact here: linux drivers/md/dm-thin-metadata.c and
 * drivers/md/persistent-data/, which keep these structures private.
 */
#ifndef THINEXPORT_THIN_DISK_H
#define THINEXPORT_THIN_DISK_H

#include <linux/types.h>

#define THIN_METADATA_BLOCK_BYTES	4096
#define THIN_METADATA_BLOCK_SECTORS	8

#define THIN_SUPERBLOCK_LOCATION	0
#define THIN_SUPERBLOCK_MAGIC		27022010
#define THIN_SUPERBLOCK_CSUM_XOR	160774
#define THIN_VERSION_MIN		1
#define THIN_VERSION			2

/* superblock.flags */
#define THIN_FLAG_NEEDS_CHECK		(1u << 0)

/* A pool's data block: 64 KiB to 1 GiB, a multiple of 64 KiB (sectors). */
#define THIN_DATA_BLOCK_MIN_SECTORS	128
#define THIN_DATA_BLOCK_MAX_SECTORS	2097152

/* No device ends beyond 2^63 bytes. */
#define THIN_MAX_SECTORS		(1ULL << 54)

/* Device ids are 24 bits wide. */
#define THIN_DEV_ID_MAX			((1u << 24) - 1)

/* Most blocks dm-thin will use of a metadata device: 255 bitmaps of 16320. */
#define THIN_METADATA_MAX_BLOCKS	4161600ULL

#define THIN_SPACE_MAP_ROOT_BYTES	128

struct thin_disk_superblock {
	__le32 csum;			/*   0 */
	__le32 flags;			/*   4 THIN_FLAG_... */
	__le64 blocknr;			/*   8 the block it lies in */
	__u8 uuid[16];			/*  16 */
	__le64 magic;			/*  32 */
	__le32 version;			/*  40 */
	__le32 time;			/*  44 grows by one with each snapshot */
	__le64 trans_id;		/*  48 */
	__le64 held_root;		/*  56 metadata snapshot's block, or 0 */
	__u8 data_space_map_root[THIN_SPACE_MAP_ROOT_BYTES];	/*  64 */
	__u8 metadata_space_map_root[THIN_SPACE_MAP_ROOT_BYTES];/* 192 */
	__le64 data_mapping_root;	/* 320 top level of the mapping tree */
	__le64 device_details_root;	/* 328 */
	__le32 data_block_size;		/* 336 sectors */
	__le32 metadata_block_size;	/* 340 sectors, always 8 */
	__le64 metadata_nr_blocks;	/* 344 */
	__le32 compat_flags;		/* 352 */
	__le32 compat_ro_flags;		/* 356 */
	__le32 incompat_flags;		/* 360 */
	__le32 padding;			/* 364 not dm-thin's; aligns the size */
};					/* 368 */

/* Value of the details tree. */
struct thin_disk_details {
	__le64 mapped_blocks;		/*   0 */
	__le64 transaction_id;		/*   8 when it was created */
	__le32 creation_time;		/*  16 superblock.time at its creation */
	__le32 snapshotted_time;	/*  20 and when last snapshotted: a mapping
					 *     older than this looks shared */
};					/*  24 */

/* A btree node: this header, max_entries keys (__le64), max_entries values. */
#define THIN_NODE_CSUM_XOR		121107
#define THIN_NODE_INTERNAL		1
#define THIN_NODE_LEAF			2

struct thin_disk_node {
	__le32 csum;			/*   0 */
	__le32 flags;			/*   4 THIN_NODE_INTERNAL or _LEAF */
	__le64 blocknr;			/*   8 the block it lies in */
	__le32 nr_entries;		/*  16 */
	__le32 max_entries;		/*  20 dm-thin's own: a multiple of 3 */
	__le32 value_size;		/*  24 bytes; 8 in an internal node */
	__le32 padding;			/*  28 */
	__le64 keys[];			/*  32 ascending, no two the same */
};

/* Value of the bottom level: block << THIN_TIME_BITS | time. */
#define THIN_TIME_BITS			24
#define THIN_TIME_MASK			((1ULL << THIN_TIME_BITS) - 1)

/* What a space map root holds, in the first 32 of its 128 bytes. */
struct thin_disk_space_map_root {
	__le64 nr_blocks;		/*   0 */
	__le64 nr_allocated;		/*   8 */
	__le64 bitmap_root;		/*  16 data: a btree of index entries;
					 *     metadata: a thin_disk_metadata_index */
	__le64 ref_count_root;		/*  24 btree: block -> __le32 count, where > 2 */
};					/*  32 */

struct thin_disk_index_entry {
	__le64 blocknr;			/*   0 the bitmap's block */
	__le32 nr_free;			/*   8 */
	__le32 none_free_before;	/*  12 lowest entry that may be free */
};					/*  16 */

#define THIN_INDEX_CSUM_XOR		160478
#define THIN_INDEX_MAX_BITMAPS		255

struct thin_disk_metadata_index {
	__le32 csum;			/*   0 */
	__le32 padding;			/*   4 */
	__le64 blocknr;			/*   8 */
	struct thin_disk_index_entry index[THIN_INDEX_MAX_BITMAPS];	/* 16 */
};					/* 4096 */

/*
 * A bitmap block: this header, then two bits a block: the reference count, or
 * 3 for "look in the ref_count tree".  Entry i lies in the __le64 word i / 32,
 * at bits 2 * (i % 32) and the next, the *high* bit of the count first.
 */
#define THIN_BITMAP_CSUM_XOR		240779

struct thin_disk_bitmap {
	__le32 csum;			/*   0 */
	__le32 padding;			/*   4 */
	__le64 blocknr;			/*   8 */
	__le64 words[(THIN_METADATA_BLOCK_BYTES - 16) / 8];		/* 16 */
};					/* 4096 */

#define THIN_BITMAP_ENTRIES	((THIN_METADATA_BLOCK_BYTES - 16) * 4)

#endif
