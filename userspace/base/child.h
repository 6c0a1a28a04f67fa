/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another program, run for what it prints.
 *
 * No shell takes part.  The program gets our environment, with LC_ALL=C in it so
 * that its words are those which are documented, nothing to read, and none of our
 * descriptors.  What it prints is bounded: a program gone wrong is not a reason
 * to fill the memory.
 */
#ifndef TE_CHILD_H
#define TE_CHILD_H

#include "core/seam.h"

#define TE_CHILD_SAID_BYTES	4096

struct te_child {
	int status;			/* its exit status, or 128 + the signal that ended it */
	char *text;			/* its standard output, with a NUL behind it; te_free() it */
	size_t bytes;
	char said[TE_CHILD_SAID_BYTES];	/* the beginning of its standard error */
};

/*
 * Runs argv[0], found by PATH or where the system's own programs lie, to its end.
 * 0: it ran, whatever its status.  Quiet, and with no text:
 * -ENOENT	there is no such program
 * -E2BIG	it printed more than `most` bytes
 * -EINTR	te_interrupted(); it was told to end
 * -errno	it cannot be started, or read
 */
int te_child_run(char *const argv[], size_t most, struct te_child *child);

/*
 * The same for one that changes something and must not be stopped halfway: no signal
 * to us ends it, not even from the terminal, and all that it prints is taken.  What
 * `hold` holds, a lock, is held until it has ended, even if we have not lived so
 * long: it is its standard input, which no program closes.
 */
int te_child_change(char *const argv[], int hold, struct te_child *child);

/*
 * The first line of what it said that tells of a failure, without blanks before
 * it, in *child; "" when it said nothing.
 */
const char *te_child_reason(struct te_child *child);

#endif
