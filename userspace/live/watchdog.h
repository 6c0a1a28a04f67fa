/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog: a child that resumes what the window suspended when the window's
 * owner dies or takes too long.
 *
 * It is forked before the window, in a session of its own, with its memory
 * locked and the resume requests ready in memory it shares with its parent.
 * They are tied by a pipe: its end tells of the parent's death (the kernel
 * closes it after the parent's last ioctl has returned), a byte of the window's
 * start and of its end.
 *
 * Late: the moment is marked as missed first, then everything is resumed, and
 * again until the parent says that it is through: a suspend that was under way
 * may take effect only then.  The parent looks at the mark after each step.
 */
#ifndef TE_WATCHDOG_H
#define TE_WATCHDOG_H

#include <stdatomic.h>
#include <sys/types.h>

#include "live/dm_call.h"

enum te_moment {
	TE_MOMENT_OPEN,			/* the window's steps are being done */
	TE_MOMENT_TAKEN,		/* all done: only resuming is left */
	TE_MOMENT_MISSED,		/* the watchdog has begun to resume */
};

/* Lies in memory that parent and child share; calls in the order of resuming. */
struct te_watch {
	_Atomic int moment;		/* enum te_moment */
	int control;
	u32 limit_ms;
	size_t nr_resumes;
	struct te_dm_call *resumes;
};

struct te_watchdog {
	pid_t pid;
	int pipe;
};

/* Returns when the child stands ready; -errno, quiet. */
int te_watchdog_start(struct te_watchdog *dog, struct te_watch *watch);

/* The limit counts from here.  Writes a byte, nothing else. */
void te_watchdog_arm(struct te_watchdog *dog);

/* Everything is resumed: ends the child and waits for it. */
void te_watchdog_stop(struct te_watchdog *dog);

/*
 * Locks this process's memory and keeps its allocations from writing files out,
 * and takes both back.  Both processes do so.  -errno.
 */
int te_hold_memory(void);
void te_release_memory(void);

#endif
