/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trim: what no volume of a pool has is discarded through the passdown below.
 *
 * dm-thin passes down what is discarded, block by block, but nothing of a volume that
 * is deleted, and what was freed before the passdown was there is unknown to it.
 * The pool's metadata knows: free is what no mapping tree has.
 *
 * The one thing that must never happen is a discard of a block that is in use.  The
 * metadata is of the past, and the pool goes on allocating.  So:
 *
 *	1  the pool is suspended: every write has ended, every mapping is committed
 *	2  the guard of each passdown begins: from here each write is remembered
 *	3  the metadata snapshot is taken, the superblock read
 *	4  the pool is resumed
 *	5  all trees of the metadata snapshot are walked; it is released
 *	6  each extent of free blocks is discarded through its passdown, which leaves
 *	   out what was written since 2
 *	7  the guard ends; due stripes are passed down
 *
 * Let a unit become free at 6.  It was not written since 2 (the guard), so what it
 * holds was written before, and by 1 through a mapping that was committed.  If a
 * volume could still read it, that mapping would be in the trees of 3, or a later one
 * to the same block: dm-thin maps a free block only to write or to zero it, which
 * the guard sees, unit by unit; what of the block was not written then is what the
 * volume never wrote.  Between 6 and the pass of its stripe the target itself takes
 * back what is written.  A crash at any time forgets what is free and loses nothing:
 * the superblock on disk is that of 3 or a later one.
 *
 * What this stands on is checked, and where in doubt nothing is freed:
 *
 * - All trees: volumes come from the metadata itself, not from LVM; a volume in one of
 *   the two top trees only is an error, as is any damaged node.
 * - dm-thin's own count: the blocks that are mapped must be as many as its space map
 *   has in use at 3.  A tree that was missed, or blocks that are lost, would show.
 * - Where the data lies: the map from the pool to the passdowns is read before 1, under
 *   the group's lock, and again after 4; discards go to the passdowns themselves, by
 *   that map, not through the pool's data device, below which LVM may put another
 *   disk meanwhile.  Whoever then gets the place writes through the guarded passdown.
 *   What does not lie on a passdown by linear maps is left.
 * - The guard: a passdown takes these discards, which are messages, only while its guard
 *   is on.  An administrator could have ended it, or loaded another table meanwhile.
 * - One at a time: the pool's lock and that of each passdown are held throughout, and
 *   a pool or passdown that an interrupted run has left is refused.
 *
 * A reshape is looked for before each batch: md never ends a discard during one.
 *
 * The pool may go away during 6: what is done where its data lay then goes through
 * the guarded passdowns as well, and the trim goes on.
 *
 * A pool that is not active needs no window: its devices are opened for us alone, and
 * the superblock's own trees are walked.  The guard is there all the same, against who
 * moves what lies below.
 *
 * Killed at any point: the record names the pool and the passdowns; `cleanup` ends the
 * guards and releases the metadata snapshot.  (Of a pool that is not active there is
 * no record: the next trim tells how a guard that is left is ended.)
 */
#ifndef TE_TRIM_H
#define TE_TRIM_H

#include "core/seam.h"

struct te_trim_options {
	const char *pool;		/* LVM's name, dm name or path of an active pool; or NULL, and */
	const char *metadata, *data;	/* the devices of one that is not active */
	bool dry;			/* only compute: no window, no guard, no discard */
	u64 most_rate;			/* bytes a second that go down; 0: any */
};

/* What came of it, in bytes. */
struct te_trim_report {
	char pool[256];
	u64 size, used, free;
	u64 beside;			/* free, but no passdown is below */
	char barrier[64];		/* what is there instead */
	u64 stripes;			/* whole stripes in what is free: what can go down */
	u64 sent;			/* discarded through passdowns */
	u64 written;			/* of it left out: written meanwhile */
	u64 passed;			/* taken by what is below */
	u64 due;			/* whole stripes that could not be passed down */
	bool no_discard;		/* of some of it: what is below takes none; was told */
	u64 failed_passes;
	u64 window_us;
	bool complete;			/* false: ended early, by an error that was told */
};

/* All that could be given back was. */
static inline bool te_trim_is_done(const struct te_trim_report *report)
{
	return report->complete && !report->no_discard && !report->failed_passes;
}

/*
 * 0 or -errno after one sentence; what is in *report holds whatever happens.  Also with
 * 0 something may not have gone down: no_discard, failed_passes.
 */
int te_trim(const struct te_trim_options *options, struct te_trim_report *report);

#endif
