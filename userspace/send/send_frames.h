/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan's frames, read and packed ahead by several threads, and given in stream
 * order.
 *
 *	planner	runs the plan, says what each frame is to hold, and orders
 *		the reads of a batch of frames (batch.h)
 *	workers	take a read each, straight into the frames; who brought a
 *		frame's last bytes looks for zeros in it and packs it
 *	caller	takes the frames in order, and writes them
 *
 * Two batches of frames: the one is planned and read while the other is packed and
 * written.  A frame's content depends on the plan and the data alone, so that the
 * stream is the same with any number of threads.
 *
 * As many workers pack at once as there are threads asked for; more of them
 * stand by, so that reads are in flight meanwhile.
 */
#ifndef TE_SEND_FRAMES_H
#define TE_SEND_FRAMES_H

#include "stream/ops_frame.h"
#include "send/plan.h"

struct te_send_frame {
	size_t volume;			/* index in the plan's order */
	bool last;			/* of this volume */
	u64 read_bytes;			/* of the pool, for it */
	struct te_ops_frame *frame;	/* packed, when it has data; else its ops as they are */
};

struct te_send_frames;

/* Where to start: in a volume, behind its ops before a position.  All zeros: at all's. */
struct te_send_place {
	size_t volume;
	u64 position;			/* sectors */
};

/*
 * What is before `from` is planned, so that frames end where they always do, but
 * neither read nor given.  NULL after one sentence.
 */
struct te_send_frames *te_send_frames_start(struct te_plan *plan, struct te_codec_choice codec,
					    unsigned int threads,
					    const struct te_send_place *from);

/*
 * The next frame, valid until the next call; every volume has at least one.  1, or 0
 * behind the last, or -errno after one sentence (none for -EINTR).
 */
int te_send_frames_next(struct te_send_frames *frames, struct te_send_frame *frame);

/* Ends the threads, wherever they are.  NULL is fine. */
void te_send_frames_stop(struct te_send_frames *frames);

#endif
