/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a set of volumes reaches: the nodes of their mapping trees and the data
 * blocks these map, as two bitmaps.  However many volumes share a node, it is
 * read once.
 */
#ifndef TE_REACH_H
#define TE_REACH_H

#include "bitmap.h"
#include "walk.h"

struct te_reach {
	struct te_bitmap metadata;	/* nodes, roots included */
	struct te_bitmap data;		/* mapped blocks */
	u64 max_virtual_block;		/* bound on keys, exclusive */
};

/* Both bitmaps empty, without directory.  -ENOMEM, -EFBIG. */
int te_reach_init(struct te_reach *reach, u64 nr_metadata_blocks, u64 nr_data_blocks,
		  u32 data_block_sectors);
void te_reach_exit(struct te_reach *reach);

/*
 * Adds the volume whose tree is at `root`.  Errors as te_walk_tree, and
 * TE_FAULT_DATA_BLOCK, TE_FAULT_VIRTUAL_BLOCK.
 */
int te_reach_volume(struct te_reach *reach, struct te_reader *reader, u64 root,
		    struct te_fault *fault);

#endif
