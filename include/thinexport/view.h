/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The view: what the `thinexport` target presents, and what `dd` of it holds.
 *
 *	| header | volume table | metadata bitmap | metadata blocks |
 *	| data bitmap | data blocks |        (rest of the device: zeros)
 *
 * Each part starts on a 4 KiB boundary; what lies between the end of a part and
 * the start of the next is zero.  A bitmap has one bit a block of the pool: bit
 * i is bit i % 8 of byte i / 8, set when block i is in the view.  The blocks of
 * a packed part stand in ascending order of their number in the pool, so block
 * i is the n-th of them, n being the count of bits set below i.
 *
 * The metadata blocks are the nodes of the volumes' own mapping trees.  The
 * superblock, the top level and the details tree are not among them: they
 * would name volumes that were not chosen, and nothing keeps them once the
 * metadata snapshot is released.  What a reader needs of them is in the header
 * and in the volume table.
 *
 * Little-endian.  Checksums are crc32c (polynomial 0x1edc6f41, reflected, seed
 * 0xffffffff, result inverted; of the nine bytes "123456789" it is 0xe3069283).
 */
#ifndef THINEXPORT_VIEW_H
#define THINEXPORT_VIEW_H

#include <linux/types.h>

#define TE_VIEW_MAGIC		0x5745495645544d44ULL	/* "DMTEVIEW" */
#define TE_VIEW_VERSION		1
#define TE_VIEW_ALIGN		4096			/* bytes */

/* The first 4 KiB. */
struct te_view_header {
	__le64 magic;			/*   0 */
	__le32 version;			/*   8 a reader refuses any other */
	__le32 csum;			/*  12 of these 4 KiB, this field taken as 0 */
	__le64 view_bytes;		/*  16 all parts; a multiple of 4 KiB */
	__le32 data_block_sectors;	/*  24 */
	__le32 nr_volumes;		/*  28 */
	__le64 nr_data_blocks;		/*  32 of the pool: bits of the data bitmap */
	__le64 nr_metadata_blocks;	/*  40 likewise */
	__le64 nr_mapped;		/*  48 bits set in the data bitmap */
	__le64 nr_reached;		/*  56 bits set in the metadata bitmap */
	__le64 transaction_id;		/*  64 of the pool */
	__le64 volumes_offset;		/*  72 bytes from the start, as all below */
	__le64 metadata_bitmap_offset;	/*  80 */
	__le64 metadata_offset;		/*  88 */
	__le64 data_bitmap_offset;	/*  96 */
	__le64 data_offset;		/* 104 */
	__le32 volumes_csum;		/* 112 of nr_volumes entries */
	__le32 metadata_bitmap_csum;	/* 116 of the bitmap, whole 64-bit words */
	__le32 data_bitmap_csum;	/* 120 */
	__le32 reserved;		/* 124 zero */
	__u8 zero[3968];		/* 128 */
};					/* 4096 */

/* An entry of the volume table; they ascend by device id. */
struct te_view_volume {
	__le32 dev_id;			/*   0 */
	__le32 reserved;		/*   4 zero */
	__le64 root;			/*   8 metadata block of its tree's root */
	__le64 mapped_blocks;		/*  16 as its details say */
	__le64 transaction_id;		/*  24 */
	__le32 creation_time;		/*  32 */
	__le32 snapshotted_time;	/*  36 */
	__le64 virtual_sectors;		/*  40 length of its pin, 0 without one */
	__u8 zero[16];			/*  48 */
};					/*  64 */

#endif
