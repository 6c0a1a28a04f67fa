/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers and bytes packed one behind the other, and taken out again in the same
 * order.  What does not fit, is not there or is above its bound marks the pack as
 * failed and reads as zero: it is enough to ask once, at the end.
 */
#ifndef TE_PACK_H
#define TE_PACK_H

#include "core/seam.h"

struct te_pack {
	u8 *bytes;
	size_t room;			/* when taking out: bytes that are there */
	size_t used;			/* likewise: taken out */
	bool failed;
};

void te_pack_bytes(struct te_pack *pack, const void *p, size_t bytes);
void te_pack_u64(struct te_pack *pack, u64 number);

/* NULL when there are not so many; they lie in the pack, unaligned. */
const void *te_unpack_bytes(struct te_pack *pack, size_t bytes);
void te_unpack_to(struct te_pack *pack, void *p, size_t bytes);
u64 te_unpack_u64(struct te_pack *pack, u64 most);

#endif
