/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A crew: threads that stand ready to issue prepared requests all at once.
 *
 * They are started before the window and joined after it; in between they wait
 * on a semaphore, on small stacks that are locked in memory like all the rest.
 */
#ifndef TE_CREW_H
#define TE_CREW_H

#include "live/dm_call.h"

struct te_crew;

/* `calls` and `errs`: nr each, to be there until the crew is dismissed.  NULL: cannot. */
struct te_crew *te_crew_start(int control, const struct te_dm_call *calls, int *errs, size_t nr);

/* Issues all calls, their results in errs, and returns when the last is done.  Once. */
void te_crew_go(struct te_crew *crew);

/* Ends the threads, whether they were called or not.  NULL is fine. */
void te_crew_dismiss(struct te_crew *crew);

#endif
