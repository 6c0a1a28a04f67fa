// SPDX-License-Identifier: GPL-2.0-or-later
/* Free, trimmed, busy: what is known of the space below a passdown target. */
#include "passdown_units.h"

#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

#define MAX_UNITS	(1ULL << 34)	/* 1 PiB of 64 KiB */

/* Units of one word of a map. */
struct part {
	u64 word;
	unsigned long bits;
};

/* The first part of [*from, to), which then begins behind it.  False: it was empty. */
static bool next_part(u64 *from, u64 to, struct part *part)
{
	u32 first = *from % BITS_PER_LONG;
	u32 nr = min_t(u64, BITS_PER_LONG - first, to - *from);

	if (*from >= to)
		return false;
	part->word = *from / BITS_PER_LONG;
	part->bits = GENMASK(first + nr - 1, first);
	*from += nr;
	return true;
}

static unsigned long get(const atomic_long_t *map, const struct part *part)
{
	return atomic_long_read(map + part->word) & part->bits;
}

static u64 nr_units(const struct te_units *units)
{
	return units->nr_stripes * units->per_stripe;
}

static size_t map_bytes(const struct te_units *units)
{
	return DIV_ROUND_UP_ULL(nr_units(units), BITS_PER_LONG) * sizeof(atomic_long_t);
}

static spinlock_t *lock_of(struct te_units *units, u64 stripe)
{
	return &units->locks[stripe & (TE_UNIT_LOCKS - 1)];
}

int te_units_init(struct te_units *units, sector_t origin, sector_t start, sector_t sectors,
		  u32 stripe_sectors, u32 unit_sectors)
{
	u64 first = DIV_ROUND_UP_ULL(origin + start, stripe_sectors);
	u64 end = div_u64(origin + start + sectors, stripe_sectors);
	unsigned int i;

	units->first = first * stripe_sectors - origin;
	units->unit_sectors = unit_sectors;
	units->per_stripe = stripe_sectors / unit_sectors;
	units->nr_stripes = end > first ? end - first : 0;
	units->written = NULL;
	units->shut = false;
	mutex_init(&units->guard_lock);
	for (i = 0; i < TE_UNIT_LOCKS; i++)
		spin_lock_init(&units->locks[i]);
	spin_lock_init(&units->waiting_lock);
	bio_list_init(&units->waiting);
	atomic64_set(&units->nr_free, 0);
	atomic64_set(&units->nr_trimmed, 0);
	atomic64_set(&units->nr_due, 0);
	if (nr_units(units) > MAX_UNITS)
		return -EFBIG;

	units->free = vzalloc(map_bytes(units) + sizeof(long));
	units->trimmed = vzalloc(map_bytes(units) + sizeof(long));
	if (units->free && units->trimmed)
		return 0;
	te_units_exit(units);
	return -ENOMEM;
}

void te_units_exit(struct te_units *units)
{
	vfree(units->written);
	vfree(units->trimmed);
	vfree(units->free);
}

void te_units_forget(struct te_units *units)
{
	memset(units->free, 0, map_bytes(units));
	memset(units->trimmed, 0, map_bytes(units));
	atomic64_set(&units->nr_free, 0);
	atomic64_set(&units->nr_trimmed, 0);
	atomic64_set(&units->nr_due, 0);
	if (units->written)
		te_units_shut(units);
}

void te_units_shut(struct te_units *units)
{
	WRITE_ONCE(units->shut, true);
}

/* The units that [sector, sector + sectors) touches, or with `whole` covers: [*from, *to). */
static void units_in(const struct te_units *units, sector_t sector, sector_t sectors, bool whole,
		     u64 *from, u64 *to)
{
	sector_t end = sector + sectors;
	u32 before = whole ? units->unit_sectors - 1 : 0;
	u32 after = whole ? 0 : units->unit_sectors - 1;

	*from = sector > units->first ?
		div_u64(sector - units->first + before, units->unit_sectors) : 0;
	*to = end > units->first ? div_u64(end - units->first + after, units->unit_sectors) : 0;
	*to = min(*to, nr_units(units));
}

/* Neither in use nor busy, each of them, and one free. */
static bool is_due(const struct te_units *units, u64 stripe)
{
	u64 from = stripe * units->per_stripe, to = from + units->per_stripe;
	unsigned long free = 0;
	struct part part;

	while (next_part(&from, to, &part)) {
		unsigned long its_free = get(units->free, &part);

		if ((its_free ^ get(units->trimmed, &part)) != part.bits)
			return false;
		free |= its_free;
	}
	return free != 0;
}

/* Sets or clears units of one stripe, and gives back how many have changed. */
static u32 set(atomic_long_t *map, u64 from, u64 to)
{
	unsigned long changes;
	struct part part;
	u32 nr = 0;

	while (next_part(&from, to, &part)) {
		changes = part.bits & ~get(map, &part);
		if (changes)
			atomic_long_or(changes, map + part.word);
		nr += hweight_long(changes);
	}
	return nr;
}

static u32 clear(atomic_long_t *map, u64 from, u64 to)
{
	unsigned long changes;
	struct part part;
	u32 nr = 0;

	while (next_part(&from, to, &part)) {
		changes = get(map, &part);
		if (changes)
			atomic_long_andnot(changes, map + part.word);
		nr += hweight_long(changes);
	}
	return nr;
}

/* Most writes change nothing, and leave it to the processors that do. */
static void count(atomic64_t *counter, s64 by)
{
	if (by)
		atomic64_add(by, counter);
}

/* All units of a stripe are busy or none is. */
static bool is_busy(const struct te_units *units, u64 unit)
{
	struct part part;

	next_part(&unit, unit + 1, &part);
	return get(units->free, &part) && get(units->trimmed, &part);
}

/* Units of one stripe.  False when they are busy. */
static bool use(struct te_units *units, u64 stripe, u64 from, u64 to)
{
	atomic_long_t *written = READ_ONCE(units->written);

	if (is_busy(units, from))
		return false;
	if (written)
		set(written, from, to);
	count(&units->nr_due, -(s64)is_due(units, stripe));
	count(&units->nr_free, -(s64)clear(units->free, from, to));
	count(&units->nr_trimmed, -(s64)clear(units->trimmed, from, to));
	return true;
}

static void wait_for_pass(struct te_units *units, struct bio *bio)
{
	if (bio->bi_opf & REQ_NOWAIT)
		return;
	spin_lock(&units->waiting_lock);
	bio_list_add(&units->waiting, bio);
	spin_unlock(&units->waiting_lock);
}

bool te_units_write(struct te_units *units, struct bio *bio)
{
	u64 from, to, part_end, stripe;
	unsigned long flags;
	bool ready = true;

	units_in(units, bio->bi_iter.bi_sector, bio_sectors(bio), false, &from, &to);
	for (; ready && from < to; from = part_end) {
		stripe = div_u64(from, units->per_stripe);
		part_end = min(to, (stripe + 1) * units->per_stripe);

		spin_lock_irqsave(lock_of(units, stripe), flags);
		ready = use(units, stripe, from, part_end);
		if (!ready)
			wait_for_pass(units, bio);
		spin_unlock_irqrestore(lock_of(units, stripe), flags);
	}
	return ready;
}

/* Units of one stripe. */
static void set_free(struct te_units *units, u64 stripe, u64 from, u64 to, u64 *guarded)
{
	const atomic_long_t *written = READ_ONCE(units->written);
	bool shut = READ_ONCE(units->shut);
	struct part part;
	u32 nr = 0;

	while (next_part(&from, to, &part)) {
		unsigned long kept = shut ? part.bits : written ? get(written, &part) : 0;
		unsigned long fresh = part.bits & ~kept & ~get(units->trimmed, &part) &
				      ~get(units->free, &part);

		*guarded += hweight_long(kept);
		nr += hweight_long(fresh);
		if (fresh)
			atomic_long_or(fresh, units->free + part.word);
	}
	count(&units->nr_free, nr);
	/* Before, one of them was in use. */
	count(&units->nr_due, nr && is_due(units, stripe));
}

void te_units_discard(struct te_units *units, sector_t sector, sector_t sectors, u64 *guarded,
		      struct te_stripes *stripes)
{
	u64 from, to, part_end, stripe;
	unsigned long flags;

	units_in(units, sector, sectors, true, &from, &to);
	stripes->nr = 0;
	if (from >= to)
		return;
	stripes->first = div_u64(from, units->per_stripe);
	for (; from < to; from = part_end) {
		stripe = div_u64(from, units->per_stripe);
		part_end = min(to, (stripe + 1) * units->per_stripe);

		spin_lock_irqsave(lock_of(units, stripe), flags);
		set_free(units, stripe, from, part_end, guarded);
		spin_unlock_irqrestore(lock_of(units, stripe), flags);
		stripes->nr = stripe + 1 - stripes->first;
	}
}

static bool take(struct te_units *units, u64 stripe)
{
	u64 from = stripe * units->per_stripe, to = from + units->per_stripe;
	unsigned long flags;
	bool due;

	spin_lock_irqsave(lock_of(units, stripe), flags);
	due = is_due(units, stripe);
	if (due) {
		count(&units->nr_free, set(units->free, from, to));
		count(&units->nr_trimmed, (s64)set(units->trimmed, from, to) - units->per_stripe);
		count(&units->nr_due, -1);
	}
	spin_unlock_irqrestore(lock_of(units, stripe), flags);
	return due;
}

/* The first stripe from `stripe` on that has a free unit, or `end`. */
static u64 next_candidate(const struct te_units *units, u64 stripe, u64 end)
{
	u64 unit = stripe * units->per_stripe, end_unit = end * units->per_stripe;
	u64 word = unit / BITS_PER_LONG;
	unsigned long bits = atomic_long_read(units->free + word) & ~0UL << unit % BITS_PER_LONG;

	while (!bits) {
		word++;
		if (word * BITS_PER_LONG >= end_unit)
			return end;
		bits = atomic_long_read(units->free + word);
	}
	return min(end, div_u64(word * BITS_PER_LONG + __ffs(bits), units->per_stripe));
}

bool te_units_take(struct te_units *units, u64 from, u64 end, u64 most, struct te_stripes *run)
{
	end = min(end, units->nr_stripes);
	for (; from < end; from++) {
		from = next_candidate(units, from, end);
		cond_resched();
		if (from == end || !take(units, from))
			continue;
		run->first = from;
		run->nr = 1;
		while (run->nr < most && run->first + run->nr < end &&
		       take(units, run->first + run->nr))
			run->nr++;
		return true;
	}
	return false;
}

/* All its units are busy, and so counted as free. */
static void end_pass(struct te_units *units, u64 stripe, bool trimmed)
{
	u64 from = stripe * units->per_stripe, to = from + units->per_stripe;

	if (trimmed) {
		count(&units->nr_free, -(s64)clear(units->free, from, to));
		count(&units->nr_trimmed, units->per_stripe);
	} else {
		clear(units->trimmed, from, to);
		count(&units->nr_due, 1);
	}
}

void te_units_done(struct te_units *units, const struct te_stripes *run, bool trimmed,
		   struct bio_list *again)
{
	unsigned long flags;
	u64 i;

	for (i = run->first; i < run->first + run->nr; i++) {
		spin_lock_irqsave(lock_of(units, i), flags);
		end_pass(units, i, trimmed);
		spin_unlock_irqrestore(lock_of(units, i), flags);
	}
	/* Who saw a unit busy is on the list by now: he got there under its lock. */
	spin_lock_irqsave(&units->waiting_lock, flags);
	bio_list_merge(again, &units->waiting);
	bio_list_init(&units->waiting);
	spin_unlock_irqrestore(&units->waiting_lock, flags);
}

/* Nobody is at work any more with what stood in `units` before. */
static void let_all_pass(struct te_units *units)
{
	unsigned int i;

	for (i = 0; i < TE_UNIT_LOCKS; i++) {
		spin_lock_irq(&units->locks[i]);
		spin_unlock_irq(&units->locks[i]);
	}
}

static int begin_guard(struct te_units *units)
{
	atomic_long_t *written;
	unsigned int noio;

	if (te_units_guarded(units))
		return -EBUSY;
	/* The pool above stands still: memory must not be won by writing to it. */
	noio = memalloc_noio_save();
	written = vzalloc(map_bytes(units) + sizeof(long));
	memalloc_noio_restore(noio);
	if (!written)
		return -ENOMEM;
	smp_store_release(&units->written, written);
	let_all_pass(units);
	return 0;
}

static int end_guard(struct te_units *units)
{
	atomic_long_t *written = units->written;

	if (!te_units_guarded(units))
		return -ENOENT;
	WRITE_ONCE(units->shut, false);
	WRITE_ONCE(units->written, NULL);
	let_all_pass(units);
	vfree(written);
	return 0;
}

/* Messages are not serialized: a second map must not take the place of a first one. */
int te_units_guard_begin(struct te_units *units)
{
	int r;

	mutex_lock(&units->guard_lock);
	r = begin_guard(units);
	mutex_unlock(&units->guard_lock);
	return r;
}

int te_units_guard_end(struct te_units *units)
{
	int r;

	mutex_lock(&units->guard_lock);
	r = end_guard(units);
	mutex_unlock(&units->guard_lock);
	return r;
}

/* The guard does not end under it. */
int te_units_discard_guarded(struct te_units *units, sector_t sector, sector_t sectors,
			     u64 *guarded, struct te_stripes *stripes)
{
	int r = -ENOENT;

	mutex_lock(&units->guard_lock);
	if (te_units_guarded(units)) {
		te_units_discard(units, sector, sectors, guarded, stripes);
		r = 0;
	}
	mutex_unlock(&units->guard_lock);
	return r;
}
