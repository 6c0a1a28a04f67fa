/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libFuzzer, or replay.c in its place, calls of a target. */
#ifndef TE_FUZZ_TARGET_H
#define TE_FUZZ_TARGET_H

#include "core/seam.h"

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes);

/* A promise that was not kept ends the run, as a sanitizer's report does. */
static inline void keeps(bool promise)
{
	if (!promise)
		abort();
}

#endif
