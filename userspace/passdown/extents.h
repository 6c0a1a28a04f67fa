/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The free blocks of a pool as extents of the passdown devices below it: as long as
 * possible, over the borders of blocks and pieces, since only whole stripes count.
 */
#ifndef TE_EXTENTS_H
#define TE_EXTENTS_H

#include "core/bitmap.h"
#include "passdown/stack.h"

struct te_extents {
	const struct te_bitmap *used;	/* blocks that any volume has */
	u64 nr_blocks;
	u32 block_sectors;
	const struct te_stack *stack;
};

/*
 * Each extent to each(), by passdown (an index into the stack's, or -1: no passdown
 * lies there) and ascending there, in sectors.  Its non-zero result ends the call.
 */
int te_extents_each(const struct te_extents *extents,
		    int (*each)(void *context, long shim, u64 start, u64 sectors),
		    void *context);

#endif
