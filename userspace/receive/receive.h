/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Receiving: a stream becomes a new pool, or volumes of one that is there. */
#ifndef TE_RECEIVE_H
#define TE_RECEIVE_H

#include "receive/choice.h"
#include "receive/target.h"

struct te_receive_totals {
	u32 nr_volumes;			/* that were wanted, and are there */
	u64 data_bytes;			/* written, of DATA */
	u64 zero_bytes;			/* and of ZERO */
	u64 before_bytes;		/* of both, before this receive was gone on with */
	u64 skipped_bytes;		/* in DATA and ZERO of dropped volumes alone */
	u64 unused_bytes;		/* written for dropped volumes, and free in the pool */
	u64 metadata_bytes;		/* used of a new pool's metadata device */

	/* Into a pool that is there. */
	u64 copied_bytes;		/* that other volumes shared, and each now has by itself */
	u64 filled_bytes;		/* zeros where nothing was provisioned */
};

struct te_receive_options {
	unsigned int threads;		/* that decode what has arrived */
	bool force;			/* the target may hold signatures; they are taken away */
	u64 window_bytes;		/* of data between checkpoints; TE_WINDOW_... */
};

#define TE_WINDOW_AUTO	0		/* as much as costs little time */
#define TE_WINDOW_NONE	UINT64_MAX	/* no checkpoints */

/*
 * Reads the stream from fd into the sink, of which nothing is changed before
 * the stream's beginning is found good, what `choice` names is there, and the
 * room is enough.  A sink that was interrupted takes the continuation of its own
 * stream, and no other.  `choice` is settled afterwards.  0: all is there and on
 * disk.  Else -errno, after one sentence (none for -EINTR).
 */
struct te_sink;
int te_receive(int fd, const char *name, struct te_sink *sink, struct te_choice *choice,
	       const struct te_receive_options *options, struct te_receive_totals *totals);

#endif
