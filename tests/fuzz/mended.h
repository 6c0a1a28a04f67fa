/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream as an input has it, mended: else a change anywhere would end it at the
 * next checksum.
 *
 * A frame starts wherever its magic stands and reaches to the next, so that what is
 * put in, taken out or moved is a frame or a part of one and does not take the rest
 * with it.  What is put right, unless the choices say not to:
 *
 *   - numbers, checksums of headers and payloads, the digest; always but for RAW
 *   - sizes: in the header as the frame is, payloads as long as their structs
 *   - order: BEGIN first, each volume ended before the next, END last; what cannot come
 *     where it is, is left out, and what must is put in
 *   - fields: magics, version, reserved ones, ids that no other volume has
 *   - ops: of a kind that can stand there, ascending, of whole blocks; the data of an
 *     OPS frame is as much as its DATAs need, what there is being repeated
 *   - totals: indices, sums, what is provisioned and newest; and the catalog is
 *     written anew, of what BEGIN and VOLUMEs say
 *
 * So a stream of a few hundred bytes reaches every part of a receiver, and one choice
 * less reaches the checks of what was not put right.
 */
#ifndef TE_FUZZ_MENDED_H
#define TE_FUZZ_MENDED_H

#include "core/seam.h"

/* What is left as it is. */
#define MENDED_RAW		(1u << 0)	/* everything */
#define MENDED_NO_SIZES		(1u << 1)
#define MENDED_NO_OPS		(1u << 2)
#define MENDED_NO_TOTALS	(1u << 3)
#define MENDED_NO_ORDER		(1u << 4)
#define MENDED_NO_FIELDS	(1u << 5)
#define MENDED_CUT_BLOCKS	(1u << 6)	/* ops may begin and end inside blocks */

#define MENDED_MOST_BYTES	(1u << 20)

/* Into `out`, which has MENDED_MOST_BYTES; how many it took. */
size_t mended_stream(const u8 *input, size_t bytes, u8 choices, u8 *out);

#endif
