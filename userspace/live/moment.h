/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a moment will be made of: which volumes of a live pool, under which ids
 * their snapshots, and what has to stand still by itself.
 */
#ifndef TE_MOMENT_H
#define TE_MOMENT_H

#include "lvm/lvm.h"
#include "live/peek.h"
#include "live/record.h"
#include "live/window.h"

/* Can this pool be frozen, now?  -errno after one sentence that says what to do. */
int te_moment_check_pool(const struct te_pool *pool);

struct te_moment {
	struct te_thin *thins;		/* active on the pool, ours left out */
	size_t nr_thins;
	dev_t *freeze;			/* to be suspended singly, in this order */
	size_t nr_freeze;
	size_t nr_mounted;		/* of freeze, the first ones */
	bool whole_pool;		/* not: chosen by name */
	size_t nr_orphans;		/* of a whole pool, left out: LVM does not know them */
	bool still;			/* nobody can write to what was chosen */
};

struct te_moment_ids {
	u32 *ids;
	size_t nr;
};

/* What the moment is to be of. */
struct te_moment_wish {
	char *const *wanted;		/* names or ids; none: all volumes */
	size_t nr_wanted;
	const struct te_moment_ids *others;	/* snapshots of other runs: never chosen */
	const struct te_lvm *lvm;	/* what LVM knows of the pool, or NULL */
	bool strict;			/* LVM must know the same volumes as the pool */
};

/*
 * Chooses volumes, their snapshots' ids from the top of the 24 bits, and what to
 * freeze; fills the run's volumes, suspends and time.  With `lvm`, its chosen
 * ones are wanted too, all are those that LVM knows, and others are told of.
 */
int te_moment_choose(struct te_moment *moment, struct te_run *run, const struct te_pool *pool,
		     const struct te_moment_wish *wish);
void te_moment_free(struct te_moment *moment);

/*
 * Has file systems and caches write out what they can before the window, so
 * that freezing them takes little.  What cannot be found is left.
 */
void te_moment_sync(const struct te_moment *moment);

/*
 * The metadata snapshot holds what was meant: each volume's tree is its
 * snapshot's, the snapshots were created one right after the other, and no volume
 * has appeared since the choice.  The run's time_before is set to what it was in
 * the window, and each volume's moment.  -EAGAIN: the pool's set of volumes changed
 * meanwhile; quiet.
 */
int te_moment_verify(const struct te_moment *moment, struct te_run *run,
		     const struct te_pool *pool, const struct te_moment_ids *others);

#endif
