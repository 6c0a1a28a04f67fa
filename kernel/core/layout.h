/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layout of a view: where its parts lie, and what a byte of it is.  The target
 * serves by it, the command checks and reads views and images of views by it.
 */
#ifndef TE_LAYOUT_H
#define TE_LAYOUT_H

#include <thinexport/view.h>
#include "bitmap.h"
#include "fault.h"

enum te_view_part {
	TE_PART_HEADER,
	TE_PART_VOLUMES,
	TE_PART_METADATA_BITMAP,
	TE_PART_METADATA,		/* packed: `block` and `within` say where */
	TE_PART_DATA_BITMAP,
	TE_PART_DATA,			/* packed */
	TE_PART_PADDING,		/* zeros between the parts and behind the view */
};

struct te_layout {
	u64 volumes_offset;		/* bytes, as all here */
	u64 metadata_bitmap_offset;
	u64 metadata_offset;
	u64 data_bitmap_offset;
	u64 data_offset;
	u64 view_bytes;
	u32 data_block_bytes;
	u32 nr_volumes;
	const struct te_bitmap *metadata;	/* indexed */
	const struct te_bitmap *data;		/* indexed */
};

/* -EFBIG when the view would pass 2^63 bytes. */
int te_layout_init(struct te_layout *layout, u32 nr_volumes, u32 data_block_sectors,
		   const struct te_bitmap *metadata, const struct te_bitmap *data);

/* What lies at a byte of the view, and how far it goes on being just that. */
struct te_place {
	enum te_view_part part;
	u64 within;			/* bytes from the start of the part, or, packed,
					 * from the start of the pool's block `block` */
	u64 block;			/* packed parts: number in the pool */
	u64 bytes;			/* until this ends; over contiguous blocks of the
					 * pool, but at most `most` */
};

void te_layout_find(const struct te_layout *layout, u64 offset, u64 most,
		    struct te_place *place);

/* Fills the header, checksums included, from the layout and the pool's facts. */
void te_layout_header(const struct te_layout *layout, u64 transaction_id,
		      const struct te_view_volume *volumes, struct te_view_header *header);

/*
 * Checks a header of hostile origin: magic, version, checksum, reserved bytes,
 * and that the offsets are the very ones that te_layout_init would give from its
 * counts.  NULL when good, else what is wrong, as a constant sentence.
 */
const char *te_layout_check(const struct te_view_header *header);

#endif
