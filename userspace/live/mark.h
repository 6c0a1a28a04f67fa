/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mark of a window: how far it got, in memory that outlives its process.
 *
 *	/run/thinexport/<pool>.<id>.window
 *
 * The record cannot be written inside the window.  So of one who died there it
 * tells only what might exist, and a metadata snapshot that another program took
 * of a still pool afterwards looks in every byte like the run's own.  The mark
 * tells them apart.  It is one page of a tmpfs, mapped before the window: setting
 * it is a store to locked memory, no file system that could be frozen is asked.
 *
 * What remains: an owner killed between the mark RESERVING and the request, a few
 * instructions, followed by such another program.  And the mark does not outlive the
 * machine: then nothing tells whose the metadata snapshot is, and it is left.
 */
#ifndef TE_MARK_H
#define TE_MARK_H

#include <stdatomic.h>

#include "live/record.h"

enum te_mark {
	TE_MARK_LOST = 0,		/* there is none: another boot, or no tmpfs */
	TE_MARK_BEGUN = 1,		/* the metadata snapshot was not asked for */
	TE_MARK_RESERVING = 2,		/* may have been taken */
	TE_MARK_RESERVED = 3,		/* was taken */
};

/*
 * Makes the run's mark, BEGUN, to be set while it is mapped; memory of this process
 * alone where /run is no tmpfs.  NULL after one sentence.
 */
_Atomic int *te_mark_map(const struct te_run *run);
void te_mark_unmap(_Atomic int *mark);

/* What the mark of a run, dead or alive, says. */
enum te_mark te_mark_read(const struct te_run *run);

/* Takes it away; it need not be there. */
void te_mark_drop(const struct te_run *run);

#endif
