/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window: the short time in which all volumes of a pool stand still.
 *
 *	suspend each open thin     file systems on them frozen, their I/O done
 *	suspend the pool           all its other thins with it
 *	guard_begin ...            to each passdown, for a trim (passdown/trim.h)
 *	create_snap ...            one for each chosen volume
 *	reserve_metadata_snap
 *	resume the pool, then the thins
 *
 * Suspending the pool alone makes all volumes stand at one moment, but freezes
 * no file system: what is mounted on the host would be kept as after a power
 * cut.  So every thin that somebody has open is suspended by itself first, which
 * freezes what is on it; those that are mounted come before the others, because a
 * file system may have its journal on another volume and must still be able to
 * write there.  The pool comes last, and is resumed first: a thin's resume waits
 * while the pool holds it.
 *
 * Freezing a file system is waiting, mostly for RCU grace periods: some 60 ms
 * each, which many can share.  So the mounted thins are suspended at once, by
 * threads that stand ready; four took 400 ms one after another.
 *
 * The host's root file system, this program's text, its stack and /var may lie
 * on what is frozen.  So in the window there is no page fault that reads a
 * file (mlockall), no allocation that writes one out (PR_SET_IO_FLUSHER), no
 * open, no output and no library that might do any of it: only prepared ioctls
 * (dm_call.h) and the clock.  Signals wait.  SIGKILL and SIGSTOP cannot be held,
 * so a watchdog, forked before, resumes everything when this process is gone or
 * late (watchdog.h).
 *
 * Nor does it wait behind others for the disk or the processor, however low the
 * priority that the command was given (priority.h).
 *
 * Volumes that nobody can write to, since they are not active, or are read-only
 * and not open, need none of this: their snapshots are made without anything being
 * suspended, and no other volume of the pool waits either.
 *
 * What remains: a process that is killed together with its watchdog (by its
 * control group) leaves the pool suspended until `thinexport cleanup`.
 */
#ifndef TE_WINDOW_H
#define TE_WINDOW_H

#include <stdatomic.h>
#include <sys/types.h>

#include "core/seam.h"

#define TE_WINDOW_LIMIT_MS	10000	/* the watchdog's patience, unless told */

struct te_window_snap {
	u32 dev_id;			/* of the volume */
	u32 snap_id;			/* of the snapshot to be made */
};

/* A trim's look at the superblock while nothing changes it. */
struct te_window_look {
	int fd;				/* the metadata device, O_DIRECT */
	void *block;			/* 4 KiB, aligned */
};

struct te_window_request {
	dev_t pool;
	const dev_t *thins;		/* to be suspended by themselves, in this order */
	size_t nr_thins;
	size_t nr_mounted;		/* of thins, the first ones: all at once */
	const struct te_window_snap *snaps;
	size_t nr_snaps;
	u32 limit_ms;
	bool still;			/* nobody can write to them: nothing is suspended */
	_Atomic int *mark;		/* mark.h; set as the metadata snapshot is taken */
	const dev_t *guards;		/* passdown devices */
	size_t nr_guards;
	const struct te_window_look *look;	/* or NULL */
};

enum te_window_step {
	TE_WINDOW_NONE,			/* all steps done */
	TE_WINDOW_PREPARE,		/* nothing was suspended */
	TE_WINDOW_SUSPEND_THIN,
	TE_WINDOW_SUSPEND_POOL,
	TE_WINDOW_GUARD,
	TE_WINDOW_SNAP,
	TE_WINDOW_RESERVE,
	TE_WINDOW_LOOK,
	TE_WINDOW_LATE,			/* the watchdog ended it: no moment */
};

/* What came of it.  Whatever failed, all that was suspended is resumed. */
struct te_window_result {
	enum te_window_step failed;
	int err;			/* of the failed step */
	size_t index;			/* of the thin, guard or snap it was about */
	size_t nr_created;		/* snaps that exist now, the first ones asked for */
	size_t nr_guarded;		/* guards that are on now, likewise */
	bool reserved;			/* the metadata snapshot exists and is ours */
	int resume_err;			/* something could not be resumed */
	u64 us;				/* from the first suspend to the last resume; 0: still */
};

void te_window_run(const struct te_window_request *request, struct te_window_result *result);

#endif
