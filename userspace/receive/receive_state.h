/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a receive stands: what it must know, between two frames, beside what those
 * who place and build know; and all of it together as a checkpoint's contents.
 */
#ifndef TE_RECEIVE_STATE_H
#define TE_RECEIVE_STATE_H

#include "build/build.h"
#include "receive/checkpoint.h"
#include "receive/choice.h"
#include "receive/place.h"
#include "receive/receive.h"
#include "stream/stream_check.h"

/* Consecutive virtual sectors that go to consecutive sectors of the data device. */
struct te_receive_run {
	u64 start;			/* sectors into the volume */
	u64 sectors;			/* 0: there is none */
	u64 pool_block;			/* where it starts */
	bool shared;
};

struct te_receive_state {
	u64 received_sectors;

	/* Of the volume that is arriving. */
	u32 dev_id;			/* in the stream */
	enum te_choice_use use;
	u64 skipped_sectors;		/* provisioned there, and not received */
	bool has_parent;
	u32 parent;
	u64 volume_sectors;		/* that it announced to map */
	u64 position;			/* sectors: what is before it is told to the builder */
	struct te_receive_run run;
	u32 newest_creation_time;	/* of all volumes so far */
};

/* The beginning: what stream it is, and what of it is wanted.  Bytes for te_pack's room. */
size_t te_receive_beginning_bytes(const struct te_choice *choice, size_t catalog_bytes);
void te_receive_save_beginning(struct te_pack *pack, const struct te_begin *begin,
			       const char *catalog, size_t catalog_bytes,
			       const struct te_choice *choice);

/* A slot: the place, and everybody's state. */
size_t te_receive_slot_bytes(u64 nr_volumes);
void te_receive_save_slot(struct te_pack *pack, const struct te_resume *place,
			  const struct te_receive_state *state,
			  const struct te_receive_totals *totals, u64 position);

/* A checkpoint taken out again; `before` and `choice` point into its packs. */
struct te_receive_kept {
	struct te_checkpoint checkpoint;
	struct te_pack beginning;
	struct te_pack slot;		/* the builder's state is what is left in it */
	struct te_stream_before before;
	struct te_choice choice;	/* its words; settled it is not */
	u64 placed_sectors;
	bool scanned;
	const u8 *uses;			/* by volume, when scanned */
	struct te_receive_state state;
	struct te_receive_totals totals;
	u64 position;			/* bytes placed on the data device */
};

/* 0, or -errno after one sentence. */
int te_receive_load(struct te_receive_kept *kept, int fd, const char *name, u64 nr_blocks);
void te_receive_kept_exit(struct te_receive_kept *kept);

#endif
