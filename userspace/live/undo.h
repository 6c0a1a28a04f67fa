/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Undoing a run on a live pool: what a send does at its end, `view close` on
 * demand, and `cleanup` for one that died.
 *
 *	resume what the window left suspended	(only a run that died in its window,
 *						 in this very boot)
 *	end the guards				a trim's: nothing is discarded any more;
						 whatever became of the pool
 *	remove the view, then the pins		by uuid
 *	release the metadata snapshot
 *	delete the snapshots
 *	drop the record
 *
 * Each step may find its work done already, so undoing may be repeated and
 * interrupted.  The record stays until all is gone; only guards that are ended it does
 * not name any more, which would keep trims of other pools from their passdowns.
 * Guards and devices need no pool; what is in one that is not active stays.  A trim has
 * nothing there but, from its window to its walk's end, the metadata snapshot.
 *
 * Whether a snapshot or the metadata snapshot is the run's, its maker knows.
 * After its death the metadata tells: a snapshot of the record's id is the run's
 * when it was created at the very time of the pool that its turn had; the
 * metadata snapshot is, when in it every volume's tree has the same root as its
 * snapshot's, which only the moment of the window had, and when it lies in the
 * recorded block or, in a record from before the window, the mark says that it was
 * taken.  A guard is the run's when its passdown's lock is free: a trim that wants
 * a passdown takes its lock, and begins nothing where a record names it.
 * What is not proved to be the run's is left and told of.
 */
#ifndef TE_UNDO_H
#define TE_UNDO_H

#include "live/record.h"

struct te_undo {
	/* What its maker knows; otherwise it is found out. */
	bool known;
	size_t nr_snaps;		/* of run->volumes, the first ones exist */
	size_t nr_guards;		/* of run->guards, the first ones are on */
	bool reserved;			/* the metadata snapshot is the run's */
	bool suspended;			/* the window could not resume all */

	bool devices_only;		/* snapshots and record stay: the send is pending */
	bool dry;			/* do nothing, only tell */

	/* Is told each act before it is done, "delete ...", in a short line; may be NULL. */
	void (*tell)(void *context, const struct te_run *run, const char *act);
	void *context;
};

/*
 * 0 or -errno after one sentence; whatever fails, the rest is still tried.
 * -EUCLEAN: something was left that may be the run's, and the record is gone.
 */
int te_undo_run(const struct te_run *run, const struct te_undo *undo);

#endif
