/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of block numbers with rank and select.
 *
 * One bit a block, in the byte order of the view, and after
 * te_bitmap_index() a directory: the count of set bits before each
 * TE_BITMAP_SPAN bits, in 64 bits (1/32 of the bitmap).  Rank adds the bits of
 * one span to it; select searches the directory and then one span.
 */
#ifndef TE_BITMAP_H
#define TE_BITMAP_H

#include "seam.h"

#define TE_BITMAP_SPAN		2048u

/* 2^34 but 512: what one allocation of the kernel can hold. */
#define TE_BITMAP_MAX_BITS	(((u64)INT_MAX / 64) * 64 * 8)

struct te_bitmap {
	u64 nr_bits;
	u64 nr_set;			/* kept by set and clear */
	__le64 *words;			/* te_bitmap_bytes(nr_bits) */
	u64 *directory;			/* NULL until indexed */
};

/* Bytes of the words for nr_bits: whole 64-bit words. */
u64 te_bitmap_bytes(u64 nr_bits);

/* -ENOMEM, or -EFBIG when it cannot be addressed.  Init of zero bits is fine. */
int te_bitmap_init(struct te_bitmap *map, u64 nr_bits);
void te_bitmap_exit(struct te_bitmap *map);	/* also of a zeroed map */

bool te_bitmap_test(const struct te_bitmap *map, u64 bit);
/* True when it was set before.  bit < nr_bits is the caller's duty. */
bool te_bitmap_set(struct te_bitmap *map, u64 bit);

/* Sets the bits of `mask` in the 64 from bit 64 * word on, all below nr_bits. */
void te_bitmap_set_mask(struct te_bitmap *map, u64 word, u64 mask);
void te_bitmap_clear_all(struct te_bitmap *map);

/* Builds the directory, and recounts nr_set from the words; -ENOMEM. */
int te_bitmap_index(struct te_bitmap *map);

/* Set bits below `bit` (bit <= nr_bits).  Needs the directory. */
u64 te_bitmap_rank(const struct te_bitmap *map, u64 bit);

/* The bit whose rank is `n` and which is set; n < nr_set.  Needs the directory. */
u64 te_bitmap_select(const struct te_bitmap *map, u64 n);

/*
 * Length of the run of set bits from `bit` on, at most `most`: how many packed
 * blocks from here are contiguous in the pool.
 */
u64 te_bitmap_run(const struct te_bitmap *map, u64 bit, u64 most);

#endif
