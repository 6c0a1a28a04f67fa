/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frame's header: sealed when written, checked when read.  Checksums and digest. */
#ifndef TE_FRAME_H
#define TE_FRAME_H

#include <thinexport/stream.h>
#include "core/seam.h"

/* crc32c as stream.h defines it: inverted at the end. */
u32 te_frame_csum(const void *p, size_t bytes);

/* Of bytes before these, or 0, and these. */
u32 te_frame_csum_more(u32 csum, const void *p, size_t bytes);

/* The digest so far and one more header.  It starts at 0. */
u64 te_frame_digest(u64 digest, const struct te_frame_header *header);

/* The same of any bytes. */
u64 te_frame_digest_bytes(u64 digest, const void *p, size_t bytes);

/* A stream's id in hex. */
void te_frame_id_text(const __u8 id[16], char text[33]);

/* Fills magic and header_csum; the other fields are the caller's. */
void te_frame_seal(struct te_frame_header *header);

/*
 * Checks a header of hostile origin, in the order: is it a frame, whole, the
 * next one; can this reader read it; are its sizes within bounds.  0, or
 * -EBADMSG damaged, -EOPNOTSUPP too new, with the reason in `why`.
 */
int te_frame_check(const struct te_frame_header *header, u64 sequence, char *why, size_t bytes);

/* "BEGIN", "OPS", ...; NULL for a kind that is not known. */
const char *te_frame_kind_name(unsigned int kind);

#endif
