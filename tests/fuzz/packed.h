/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata blocks as an input has them: packed, so that the corpora are small and
 * a change hits a word of a block and not its place.
 *
 * A block is its 64-bit words in order, each in LEB128 (seven bits a byte, low ones
 * first, the high bit says that more follow).  Behind a zero word comes a byte: so
 * many more are zero.  The two bytes 80 00, a zero that is too long, end the block;
 * what it does not say is zero.  make-seeds packs.
 *
 * The blocks lie in tests/unit/blocks.h, whose reader hands out a copy of a block
 * each time and counts what was not given back.
 */
#ifndef TE_FUZZ_PACKED_H
#define TE_FUZZ_PACKED_H

#include "blocks.h"

struct packed {
	const u8 *p;
	size_t left;
};

/* A byte of the input, 0 behind its end. */
u8 packed_byte(struct packed *input);

/*
 * All blocks of the input, at most `most` and at least one.  `seal`: the number and
 * the checksum of each are made right, for block 0 and wherever a superblock's magic
 * stands as those of a superblock, else as those of a node.
 */
struct blocks *packed_blocks(struct packed *input, size_t most, bool seal);

#endif
