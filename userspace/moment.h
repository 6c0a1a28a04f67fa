/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a moment will be made of: which volumes of a live pool, under which ids
 * their snapshots, and what has to stand still by itself.
 */
#ifndef TE_MOMENT_H
#define TE_MOMENT_H

#include "peek.h"
#include "record.h"
#include "window.h"

/* Can this pool be frozen, now?  -errno after one sentence that says what to do. */
int te_moment_check_pool(const struct te_pool *pool);

struct te_moment {
	struct te_thin *thins;		/* active on the pool, ours left out */
	size_t nr_thins;
	dev_t *freeze;			/* to be suspended singly, in this order */
	size_t nr_freeze;
	size_t nr_mounted;		/* of freeze, the first ones */
	bool whole_pool;		/* not: chosen by name */
};

/*
 * Chooses volumes by name or id (none: all), their snapshots' ids from the top
 * of the 24 bits, and what to freeze; fills the run's volumes, suspends and
 * time.  `others` are snapshots of other runs, which are never chosen.
 */
struct te_moment_ids {
	u32 *ids;
	size_t nr;
};

int te_moment_choose(struct te_moment *moment, struct te_run *run, const struct te_pool *pool,
		     char *const *wanted, size_t nr_wanted, const struct te_moment_ids *others);
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
 * the window.  -EAGAIN: the pool's set of volumes changed meanwhile; quiet.
 */
int te_moment_verify(const struct te_moment *moment, struct te_run *run,
		     const struct te_pool *pool, const struct te_moment_ids *others);

#endif
