/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who keeps a receive's place: when to, and all that goes into a checkpoint.
 *
 * A checkpoint has everything flushed and so stops the receive for a moment.  Unless
 * the user says how much data may come between two, it is TE_KEEP_BYTES at least and
 * TE_KEEP_SECONDS at least: a fast target loses a few of a hundred of its time, on a
 * slow line little is sent again.  When the stream breaks off, or a signal ends it, a
 * last one is made, if there was one before: a receive that was shorter than a window
 * leaves its target as it always did, and is quickly sent again.
 */
#ifndef TE_RECEIVE_KEEP_H
#define TE_RECEIVE_KEEP_H

#include "receive/receive_state.h"
#include "receive/room.h"
#include "stream/stream_read.h"

#define TE_KEEP_BYTES		(64u << 20)
#define TE_KEEP_SECONDS		5

struct te_receive_keeper;

struct te_receive_keeper *te_receive_keeper_create(const struct te_target *target,
						   u64 window_bytes);
void te_receive_keeper_destroy(struct te_receive_keeper *keeper);

/*
 * Of a target that was interrupted: has the reader go on there, and settles the choice
 * as it was, which the given one, if any, must be.  0, or -errno after one sentence.
 */
int te_receive_keeper_open(struct te_receive_keeper *keeper, struct te_stream_reader *reader,
			   struct te_choice *choice);
struct te_receive_kept *te_receive_keeper_kept(struct te_receive_keeper *keeper);

/* Of any other: plans its checkpoints.  `record` is CATALOG. */
int te_receive_keeper_begin(struct te_receive_keeper *keeper, const struct te_room *room,
			    const struct te_begin *begin, const struct te_record *record,
			    const struct te_choice *choice);

/* For te_build_pool.kept_from. */
u64 te_receive_keeper_from(const struct te_receive_keeper *keeper);

/* A record was taken.  True when it is time for a checkpoint. */
bool te_receive_keeper_note(struct te_receive_keeper *keeper,
			    const struct te_stream_reader *reader, u64 received_bytes);

/*
 * Makes a checkpoint; with `last`, only if there is one to replace.  The state must be
 * that behind the record noted last.  0, or -errno after one sentence.
 */
int te_receive_keep(struct te_receive_keeper *keeper, bool last, struct te_build *build,
		    struct te_place_writer *place, const struct te_receive_state *state,
		    const struct te_receive_totals *totals);

/* The pool is there. */
void te_receive_keeper_wipe(struct te_receive_keeper *keeper, const struct te_build *build);

#endif
