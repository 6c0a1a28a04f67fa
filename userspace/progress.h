/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far long work is: bytes, rate, time left, in one line on stderr that is
 * drawn over again, when stderr is a terminal; else nothing.  One at a time, and
 * from the main thread.  What te_error and its like say meanwhile stands on a
 * line of its own.
 */
#ifndef TE_PROGRESS_H
#define TE_PROGRESS_H

#include "core/seam.h"

/* `verb`: one word, "sent".  total_bytes 0: not known. */
void te_progress_begin(const char *verb, u64 total_bytes);

/* Cheap enough to be called for each block. */
void te_progress_add(u64 bytes);

/* Takes the line away.  Fine without begin. */
void te_progress_end(void);

/* Seconds since begin, also without a terminal; never 0. */
double te_progress_seconds(void);

#endif
