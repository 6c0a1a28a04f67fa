/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a frame is to hold, as the plan says; and the ops that come of it. */
#ifndef TE_SEND_FILL_H
#define TE_SEND_FILL_H

#include "stream/ops_frame.h"

/* An op, or for DATA a part of one: whole blocks, unless a block exceeds a frame. */
struct te_send_piece {
	enum te_op_kind kind;
	bool shared;
	bool went;			/* before where to start: only its bytes count */
	u32 source;			/* SHARE: index in the plan's order */
	u64 offset;			/* bytes into the volume */
	u64 bytes;
};

/* Makes the ops of the pieces, whose data is all in the frame; zeros leave it. */
void te_send_fill(struct te_ops_frame *frame, const struct te_send_piece *pieces, size_t nr,
		  u64 block_bytes);

#endif
