/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receiving: a stream becomes a new pool. */
#ifndef TE_RECEIVE_H
#define TE_RECEIVE_H

#include "target.h"

struct te_receive_totals {
	u32 nr_volumes;
	u64 data_bytes;			/* in DATA */
	u64 zero_bytes;			/* in ZERO */
	u64 metadata_bytes;		/* used of the metadata device */
};

/*
 * Reads the stream from fd onto the target, of which nothing is changed before
 * the stream's beginning is found good and the room enough.  `force`: the
 * target may hold signatures; they are taken away.  0: the pool is there and on
 * disk.  Else -errno, after one sentence (none for -EINTR), and no pool.
 */
int te_receive(int fd, const char *name, const struct te_target *target, bool force,
	       struct te_receive_totals *totals);

#endif
