/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame of ops: its table and data gathered, then packed by any thread, long
 * before its place in the stream is known.
 *
 * It lies in one piece of memory:
 *
 *	| a page | room for the table | data |
 *
 * The table grows from the start of its room, the data from the start of its
 * own, which is aligned, so that a device can be read straight into it.  When
 * the frame is packed the table moves up to the data; the header goes before
 * what is then the payload.  So a frame goes out in one write and in one call
 * of a codec.
 */
#ifndef TE_OPS_FRAME_H
#define TE_OPS_FRAME_H

#include "stream/codec.h"

/*
 * Data in one frame.  Smaller frames compress worse and cost a header and a write
 * each, larger ones fall out of the processor's cache between read, checksum and
 * write: between 256 KiB and 3 MiB neither was seen to matter much.
 */
#define TE_OPS_FRAME_DATA	(1u << 20)

struct te_ops_frame {
	u8 *memory;
	struct te_op *ops;		/* in memory */
	u8 *data;			/* in memory, TE_OPS_FRAME_DATA of room, aligned to 4 KiB */
	size_t nr_ops;
	u64 zero_sectors;		/* in its ZEROs */
	size_t data_bytes;		/* the caller's, who also puts the data there */

	/* When packed: all of the header but its number and what follows from that. */
	struct te_frame_header header;
	u8 *payload;			/* in memory, with room for a header before it */
};

int te_ops_frame_init(struct te_ops_frame *frame);	/* -ENOMEM */
void te_ops_frame_exit(struct te_ops_frame *frame);	/* also one that is all zeros */
void te_ops_frame_clear(struct te_ops_frame *frame);

/*
 * Adds an op, or makes the last one longer when this goes on where that ends and is
 * of its kind.  False: the table is full.
 */
bool te_ops_frame_add(struct te_ops_frame *frame, const struct te_op *op);

/* What packs frames: one thread's at a time. */
struct te_packer;

struct te_packer *te_packer_create(struct te_codec_choice choice);	/* NULL: no memory */
void te_packer_destroy(struct te_packer *packer);			/* NULL is fine */

/* Encodes, and makes payload and header.  `ops` is gone then, the counts are not. */
void te_packer_pack(struct te_packer *packer, struct te_ops_frame *frame);

#endif
