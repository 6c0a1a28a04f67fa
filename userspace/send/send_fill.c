// SPDX-License-Identifier: GPL-2.0-or-later
/* The ops that come of what a frame is to hold. */
#include "send/send_fill.h"

#define SECTOR_BYTES	512u

static bool all_zero(const u8 *data, size_t bytes)
{
	static const u8 zeros[16];

	/* Units are multiples of 4 KiB: each byte equals the one 16 before it. */
	return !memcmp(data, zeros, 16) && !memcmp(data, data + 16, bytes - 16);
}

static void add_op(struct te_ops_frame *frame, const struct te_send_piece *piece,
		   enum te_op_kind kind, u64 offset, u64 bytes)
{
	bool provisions = kind == TE_OP_DATA || kind == TE_OP_ZERO;
	const struct te_op op = {
		.offset = cpu_to_le64(offset / SECTOR_BYTES),
		.length = cpu_to_le64(bytes / SECTOR_BYTES),
		.source = cpu_to_le32(kind == TE_OP_SHARE ? piece->source : 0),
		.kind = cpu_to_le16((u16)kind),
		.flags = cpu_to_le16(provisions && piece->shared ? TE_OP_SHARED : 0),
	};

	te_ops_frame_add(frame, &op);
}

/* DATA or ZERO, block by block; what is not zero moves up to what is before it. */
static void add_data(struct te_ops_frame *frame, const struct te_send_piece *piece, const u8 *from,
		     u64 block_bytes)
{
	u64 unit = block_bytes <= TE_OPS_FRAME_DATA ? block_bytes : piece->bytes;
	u64 at;

	for (at = 0; at < piece->bytes; at += unit, from += unit) {
		u8 *to = frame->data + frame->data_bytes;
		bool zero = all_zero(from, unit);

		add_op(frame, piece, zero ? TE_OP_ZERO : TE_OP_DATA, piece->offset + at, unit);
		if (zero)
			continue;
		if (to != from)
			memmove(to, from, unit);
		frame->data_bytes += unit;
	}
}

void te_send_fill(struct te_ops_frame *frame, const struct te_send_piece *pieces, size_t nr,
		  u64 block_bytes)
{
	const u8 *from = frame->data;
	size_t i;

	te_ops_frame_clear(frame);
	for (i = 0; i < nr; i++) {
		const struct te_send_piece *piece = &pieces[i];

		if (!piece->went && piece->kind != TE_OP_DATA)
			add_op(frame, piece, piece->kind, piece->offset, piece->bytes);
		else if (!piece->went)
			add_data(frame, piece, from, block_bytes);
		if (piece->kind == TE_OP_DATA)
			from += piece->bytes;
	}
}
