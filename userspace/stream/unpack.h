/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unpacking: a frame's memory, and what is done with it before its turn, by any
 * thread: its payload compared with its checksum, and decoded.
 *
 * A frame may hold 4 MiB and as much again before it is decoded; most hold 1 MiB.  So
 * memory is reserved for the largest, and what a frame has used of it beyond
 * TE_SLOT_STAYS is given back to the system behind it: how much is resident follows
 * from the frames that are in memory now, not from those that were.
 */
#ifndef TE_UNPACK_H
#define TE_UNPACK_H

#include <thinexport/stream.h>
#include "core/seam.h"
#include "base/say.h"

/* Of raw and of stored, that stays: as much as send's frames take. */
#define TE_SLOT_STAYS		((1u << 20) + (256u << 10))

/* A frame between input and caller.  The header decides what of it is read. */
struct te_slot {
	struct te_frame_header header;
	u64 sequence;
	u64 offset;			/* in the stream */
	u8 *raw;			/* table and data, where te_slot_raw() says */
	u8 *stored;			/* a payload before decoding */
	bool ready;			/* the reader's */
	int err;
	char said[TE_SAID_BYTES];	/* the sentence for that; none for -EINTR */
};

int te_slot_init(struct te_slot *slot);		/* -ENOMEM */
void te_slot_exit(struct te_slot *slot);	/* also of one that is all zeros */

/* By the header, which is checked: an optional frame of a kind that is not known. */
bool te_slot_is_skipped(const struct te_slot *slot);

/* Where the payload goes that is read, and where it is when it is unpacked: a NUL follows. */
u8 *te_slot_stored(const struct te_slot *slot);
u8 *te_slot_raw(const struct te_slot *slot);

/* Bytes of memory that the frame takes. */
size_t te_slot_bytes(const struct te_slot *slot);

/* The frame is done with. */
void te_slot_clear(struct te_slot *slot);

/* "NAME: frame 3 (byte 4711) <what is wrong>".  Returns err. */
int te_slot_refuse(const struct te_slot *slot, const char *name, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* By codec, made when first met; a thread's own. */
struct te_decoders {
	void *of[TE_CODEC_ZSTD + 1];
};

void te_decoders_exit(struct te_decoders *decoders);

/*
 * Compares the payload's checksum, which is that if the caller has worked it out, with the
 * header's, and decodes.  0, or -errno after one sentence.
 */
int te_slot_unpack(struct te_slot *slot, const char *name, u32 csum, struct te_decoders *decoders);

#endif
