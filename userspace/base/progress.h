/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far long work is, on stderr.
 *
 * For a person: bytes, rate, time left, in one line of at most 80 columns that is
 * drawn over again, when stderr is a terminal.  What te_error and its like say
 * meanwhile stands on a line of its own.
 *
 * For a program: one JSON object a line, at the beginning, about each second, and
 * at the end:
 *
 *	{"phase":"send","done_bytes":N,"total_bytes":N,"rate":N,"seconds":X.X,
 *	 "seconds_left":N}
 *
 * phase: "send", "receive", "verify", "scan" (the first reading of a file of which
 * some volumes are chosen), "finish" (a received pool's flush and metadata).
 * Bytes are those of provisioned blocks, before encoding; rate is the mean so far,
 * bytes a second.  total_bytes is left out when not known, seconds_left when
 * that or the rate is not.
 *
 * One work at a time, and from the main thread.
 */
#ifndef TE_PROGRESS_H
#define TE_PROGRESS_H

#include "core/seam.h"

enum te_progress_phase {
	TE_PROGRESS_SEND,
	TE_PROGRESS_RECEIVE,
	TE_PROGRESS_VERIFY,
	TE_PROGRESS_SCAN,
	TE_PROGRESS_FINISH,
};

/* --progress: "auto" (as without it), "json", "none".  False after one sentence. */
bool te_progress_option(const char *word);

/* total_bytes 0: not known. */
void te_progress_begin(enum te_progress_phase phase, u64 total_bytes);

/* Cheap enough to be called for each block. */
void te_progress_add(u64 bytes);

/* What is done stays, but something else is being done. */
void te_progress_turn(enum te_progress_phase phase);

/* Takes the line away until it is drawn again: something else is about to be printed. */
void te_progress_hide(void);

/* Takes the line away for good, or writes the last object.  Fine without begin. */
void te_progress_end(void);

/* Seconds since begin, also without a terminal; never 0. */
double te_progress_seconds(void);

#endif
