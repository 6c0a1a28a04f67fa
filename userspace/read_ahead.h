/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan's ops with their data, read ahead in a thread of its own, so that reading
 * overlaps with encoding and writing.
 *
 * The thread runs the plan and fills chunks: pieces of ops, and the bytes of the
 * DATA among them one behind the other.  What lies together in the pool is read
 * with one call, whether or not it is together in the volume.  Four chunks of
 * 2 MiB: one being encoded, one being read, two between them.
 */
#ifndef TE_READ_AHEAD_H
#define TE_READ_AHEAD_H

#include "plan.h"

/* An op, or for DATA a part of one: whole blocks, unless a block exceeds a chunk. */
struct te_piece {
	enum te_op_kind kind;
	bool shared;
	u32 source;			/* SHARE: index in the plan's order */
	u64 offset;			/* bytes into the volume */
	u64 bytes;
	u64 pool_offset;		/* DATA: bytes into the pool's data */
	const u8 *data;			/* DATA: its bytes, aligned to 4 KiB */
};

struct te_chunk {
	size_t volume;			/* index in the plan's order */
	bool last;			/* of this volume */
	const struct te_piece *pieces;
	size_t nr_pieces;
};

struct te_read_ahead;

/* Starts with the first volume.  NULL after one sentence. */
struct te_read_ahead *te_read_ahead_start(struct te_plan *plan);

/*
 * The next chunk, valid until the next call; every volume has at least one.  1, or 0
 * behind the last, or -errno after one sentence (none for -EINTR).
 */
int te_read_ahead_next(struct te_read_ahead *ahead, struct te_chunk *chunk);

/* Ends the thread, wherever it is.  NULL is fine. */
void te_read_ahead_stop(struct te_read_ahead *ahead);

#endif
