/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A batch: what some frames in a row need of the pool's data, read in the order
 * in which it lies there.
 *
 * A pool that was written at random has the blocks of one volume everywhere.  In
 * stream order each block is a read and a seek; in the order of the pool the head
 * sweeps over the device once a batch, and what turns out to be neighbours is one read.
 */
#ifndef TE_BATCH_H
#define TE_BATCH_H

#include <sys/uio.h>

#include "core/seam.h"

/* Bytes that lie together in the pool and in a frame. */
struct te_extent {
	u64 pool_offset;
	size_t bytes;
	u8 *to;
	size_t slot;			/* whose frame it is */
};

#define TE_READ_EXTENTS	64u

/* Extents one behind the other in the pool. */
struct te_read {
	const struct te_extent *extents;
	unsigned int nr_extents;	/* at most TE_READ_EXTENTS */
};

struct te_batch {
	struct te_extent *extents;
	size_t nr_extents, room;
	struct te_read *reads;
	size_t nr_reads;
	size_t next;			/* read that nobody has taken: the caller's */
};

int te_batch_init(struct te_batch *batch, size_t most_extents);	/* -ENOMEM */
void te_batch_exit(struct te_batch *batch);			/* also one that is all zeros */

/* There is room: the caller's care. */
void te_batch_add(struct te_batch *batch, const struct te_extent *extent);

/* Makes the reads of the extents, in the order of the pool. */
void te_batch_order(struct te_batch *batch);

void te_batch_clear(struct te_batch *batch);

#endif
