/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of the space below a passdown target, unit by unit, and who may
 * touch it.
 *
 * Each unit has two bits:
 *
 *	free  trimmed
 *	 0       0	in use, or never heard of
 *	 1       0	its discard was taken, and is yet to be passed down
 *	 0       1	passed down, and not written since
 *	 1       1	its stripe is being passed down: who wants to write must wait
 *
 * Units come in stripes, the array's chunk x data disks: less than a whole stripe
 * an array does not discard.  A stripe is *due* when each of its units is free or
 * trimmed and one of them is free.
 *
 * The one thing that must never happen is a discard that lands on data written
 * after it was decided on.  So whatever is decided of a stripe is decided under
 * its lock: te_units_write() makes units used, or has the write wait where they
 * are being passed down; te_units_take() looks again at all units of a stripe
 * and marks them in the same breath.
 *
 * The *guard* is for those who compute free space from an older state of things.
 * While it is on, units that were written since it began do not become free; and
 * none does, when it is not known which were.
 *
 * What does not belong to a whole stripe, at both ends, has no units: its
 * discards are forgotten.
 *
 * How many units and stripes there are of each kind is counted as they change, so that
 * who asks never waits for terabytes of bits.
 *
 * Cost: two bits a unit, and a third while the guard is on.
 */
#ifndef TE_PASSDOWN_UNITS_H
#define TE_PASSDOWN_UNITS_H

#include <linux/atomic.h>
#include <linux/bio.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>

#define TE_UNIT_LOCKS	128		/* a power of two */

struct te_units {
	sector_t first;			/* on the device below: the first stripe */
	u32 unit_sectors;
	u32 per_stripe;			/* units */
	u64 nr_stripes;

	/* Neighbours in a word may belong to stripes under other locks: hence atomic. */
	atomic_long_t *free;
	atomic_long_t *trimmed;
	atomic_long_t *written;		/* since the guard began; NULL: no guard */
	bool shut;			/* a guard, and all may have been written */
	struct mutex guard_lock;	/* of who begins and ends it, or counts on it */

	spinlock_t locks[TE_UNIT_LOCKS];	/* of a stripe: its number modulo this */

	atomic64_t nr_free;		/* units, those being passed down too */
	atomic64_t nr_trimmed;		/* units */
	atomic64_t nr_due;		/* stripes */

	spinlock_t waiting_lock;	/* inside a stripe's */
	struct bio_list waiting;	/* writes that found their stripe busy */
};

/* Stripes that are passed down as one. */
struct te_stripes {
	u64 first;
	u64 nr;
};

/*
 * Whole stripes of [start, start + sectors) of the device below, counted from the
 * beginning of its disk, of which it is a partition from `origin` on; stripe_sectors
 * is a multiple of unit_sectors.  -ENOMEM, -EFBIG.
 */
int te_units_init(struct te_units *units, sector_t origin, sector_t start, sector_t sectors,
		  u32 stripe_sectors, u32 unit_sectors);
void te_units_exit(struct te_units *units);

/* Writes were not seen: nothing is known.  No I/O is in flight. */
void te_units_forget(struct te_units *units);
/* A guard is on that has not seen all writes: until its end nothing becomes free. */
void te_units_shut(struct te_units *units);

static inline u32 te_units_stripe_sectors(const struct te_units *units)
{
	return units->unit_sectors * units->per_stripe;
}

/*
 * A write of the device below, about to be sent there.  False: it must not be yet;
 * it stands on the waiting list, unless it is REQ_NOWAIT.
 */
bool te_units_write(struct te_units *units, struct bio *bio);

/*
 * A discard of the device below: whole units in it become free.  Counts those
 * that the guard kept from it in *guarded, and in *stripes tells which stripes
 * it touched (nr 0: none).
 */
void te_units_discard(struct te_units *units, sector_t sector, sector_t sectors, u64 *guarded,
		      struct te_stripes *stripes);

/* The same, but -ENOENT and nothing of it when no guard is on.  May sleep. */
int te_units_discard_guarded(struct te_units *units, sector_t sector, sector_t sectors,
			     u64 *guarded, struct te_stripes *stripes);

/*
 * Takes the next run of due stripes in [from, end), at most `most` of them, for
 * being passed down.  False: there is none.
 */
bool te_units_take(struct te_units *units, u64 from, u64 end, u64 most, struct te_stripes *run);

/*
 * The end of that: trimmed, or due as before.  Moves the writes that have waited to
 * *again; each must go through te_units_write() once more.  From any context.
 */
void te_units_done(struct te_units *units, const struct te_stripes *run, bool trimmed,
		   struct bio_list *again);

static inline bool te_units_guarded(const struct te_units *units)
{
	return READ_ONCE(units->written) || READ_ONCE(units->shut);
}

/* -EBUSY: it is on already; -ENOMEM.  Once back, each write that follows is seen. */
int te_units_guard_begin(struct te_units *units);
/* -ENOENT: it is not on. */
int te_units_guard_end(struct te_units *units);

#endif
