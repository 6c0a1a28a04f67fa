// SPDX-License-Identifier: GPL-2.0-or-later
/* Passing freed space down, in whole stripes. */
#include "passdown.h"

#include <linux/blkdev.h>
#include <linux/list.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#define MAX_PASSES		8		/* in flight */
#define PASS_SECTORS		(1u << 17)	/* 64 MiB: so long may a write have to wait */
#define ZERO_SECTORS		(1u << 11)	/* 1 MiB of zeros, or one stripe */
#define RETRY_JIFFIES		(30 * HZ)	/* of what has failed, when nobody asks */

static LIST_HEAD(passdowns);
static DEFINE_MUTEX(passdowns_lock);

/* ------------------------------------------------------------------------ */
/* Passing down. */

struct pass {
	struct te_passdown *passdown;
	struct te_stripes run;
	struct bio bio;
};

static sector_t run_sector(const struct te_passdown *passdown, const struct te_stripes *run)
{
	return passdown->units.first +
	       run->first * te_units_stripe_sectors(&passdown->units);
}

static sector_t run_sectors(const struct te_passdown *passdown, const struct te_stripes *run)
{
	return run->nr * te_units_stripe_sectors(&passdown->units);
}

static void end_pass(struct te_passdown *passdown, const struct te_stripes *run, bool good)
{
	struct bio_list again = BIO_EMPTY_LIST;
	unsigned long flags;

	if (good)
		atomic64_add(run->nr, &passdown->passed);
	else
		atomic64_inc(&passdown->errors);
	te_units_done(&passdown->units, run, good, &again);
	if (bio_list_empty(&again))
		return;
	spin_lock_irqsave(&passdown->again_lock, flags);
	bio_list_merge(&passdown->again, &again);
	spin_unlock_irqrestore(&passdown->again_lock, flags);
	queue_work(passdown->again_wq, &passdown->again_work);
}

static void end_discard(struct bio *bio)
{
	struct pass *pass = container_of(bio, struct pass, bio);
	struct te_passdown *passdown = pass->passdown;
	unsigned long flags;

	end_pass(passdown, &pass->run, !bio->bi_status);
	bio_put(bio);
	/* Last, and all under the lock: who waits for none to be in flight may free it. */
	spin_lock_irqsave(&passdown->passes_lock, flags);
	passdown->in_flight--;
	wake_up(&passdown->settled);
	spin_unlock_irqrestore(&passdown->passes_lock, flags);
}

/* Until at most so many passes are in flight. */
static void wait_for_passes(struct te_passdown *passdown, unsigned int most)
{
	spin_lock_irq(&passdown->passes_lock);
	wait_event_lock_irq(passdown->settled, passdown->in_flight <= most,
			    passdown->passes_lock);
	spin_unlock_irq(&passdown->passes_lock);
}

/* One bio, not larger than the device takes at once, so nobody has to cut it. */
static void discard(struct te_passdown *passdown, const struct te_stripes *run)
{
	struct bio *bio = bio_alloc_bioset(passdown->bdev, 0, REQ_OP_DISCARD, GFP_NOIO,
					   &passdown->bios);
	struct pass *pass = container_of(bio, struct pass, bio);

	pass->passdown = passdown;
	pass->run = *run;
	bio->bi_iter.bi_sector = run_sector(passdown, run);
	bio->bi_iter.bi_size = to_bytes(run_sectors(passdown, run));
	bio->bi_end_io = end_discard;
	wait_for_passes(passdown, MAX_PASSES - 1);
	spin_lock_irq(&passdown->passes_lock);
	passdown->in_flight++;
	spin_unlock_irq(&passdown->passes_lock);
	submit_bio_noacct(bio);
}

/* A bio of zeros, of all these sectors or as many as fit in. */
static struct bio *zeros(struct te_passdown *passdown, sector_t sector, sector_t sectors)
{
	unsigned int nr = min_t(sector_t, DIV_ROUND_UP(sectors, PAGE_SECTORS), BIO_MAX_VECS);
	struct bio *bio = bio_alloc_bioset(passdown->bdev, nr, REQ_OP_WRITE, GFP_NOIO,
					   &passdown->zero_bios);

	bio->bi_iter.bi_sector = sector;
	while (nr-- && sectors) {
		unsigned int some = min_t(sector_t, sectors, PAGE_SECTORS);

		__bio_add_page(bio, ZERO_PAGE(0), some << SECTOR_SHIFT, 0);
		sectors -= some;
	}
	return bio;
}

/*
 * By bios of our own: writes that wait for this pass may have all those of the block
 * layer.  As one plugged chain, since md must see whole stripes.
 */
static int write_zeros(struct te_passdown *passdown, sector_t sector, sector_t sectors)
{
	struct bio *bio = NULL, *next;
	struct blk_plug plug;
	int r;

	blk_start_plug(&plug);
	while (sectors) {
		next = zeros(passdown, sector, sectors);
		sector += bio_sectors(next);
		sectors -= bio_sectors(next);
		if (bio) {
			bio_chain(bio, next);
			submit_bio_noacct(bio);
		}
		bio = next;
	}
	r = submit_bio_wait(bio);
	bio_put(bio);
	blk_finish_plug(&plug);
	return r;
}

static void fill_with_zeros(struct te_passdown *passdown, const struct te_stripes *run)
{
	int r = write_zeros(passdown, run_sector(passdown, run), run_sectors(passdown, run));

	end_pass(passdown, run, !r);
}

/* Stripes that may go down as one.  0: the device takes no discard. */
static u64 most_stripes(struct te_passdown *passdown)
{
	u32 stripe = te_units_stripe_sectors(&passdown->units);
	unsigned int most = bdev_max_discard_sectors(passdown->bdev);
	unsigned int granularity = bdev_discard_granularity(passdown->bdev) >> SECTOR_SHIFT;

	/*
	 * md gathers whole stripes in its stripe cache, which must hold all of them: when it
	 * waits for room it handles those it has in part, and reads the rest.  Its least, 256
	 * pages a member, is one stripe with the largest chunks that are usual.
	 */
	if (!most)
		return passdown->zero_fill ? max(1u, ZERO_SECTORS / stripe) : 0;
	/* Up to here the block layer does not cut. */
	if (granularity && most >= granularity)
		most -= most % granularity;
	return max(1u, min(most, PASS_SECTORS) / stripe);
}

/* What may keep the next run from going down. */
static int may_pass(struct te_passdown *passdown)
{
	if (READ_ONCE(passdown->stopped))
		return -EAGAIN;
	if (fatal_signal_pending(current))
		return -EINTR;
	return most_stripes(passdown) ? 0 : -EOPNOTSUPP;
}

/* Those of [from, end), until *budget is spent; under pass_lock.  Sends, and does not wait. */
static int pass_down(struct te_passdown *passdown, u64 from, u64 end, u64 *budget)
{
	struct te_stripes run;
	int r = 0;

	while (*budget) {
		r = may_pass(passdown);
		if (r || !te_units_take(&passdown->units, from, end,
					min(most_stripes(passdown), *budget), &run))
			break;
		if (bdev_max_discard_sectors(passdown->bdev))
			discard(passdown, &run);
		else
			fill_with_zeros(passdown, &run);
		from = run.first + run.nr;
		passdown->next = from;
		*budget -= run.nr;
	}
	return r;
}

int te_passdown_flush(struct te_passdown *passdown, u64 budget)
{
	u64 begin;
	int r;

	if (mutex_lock_killable(&passdown->pass_lock))
		return -EINTR;
	begin = passdown->next;
	r = pass_down(passdown, begin, U64_MAX, &budget);
	if (!r)
		r = pass_down(passdown, 0, begin, &budget);
	wait_for_passes(passdown, 0);
	mutex_unlock(&passdown->pass_lock);
	return r;
}

void te_passdown_touch(struct te_passdown *passdown, const struct te_stripes *stripes)
{
	struct te_stripes *touched = &passdown->touched;
	unsigned long flags;
	u64 end;

	if (!stripes->nr || !READ_ONCE(passdown->auto_pass))
		return;
	spin_lock_irqsave(&passdown->touched_lock, flags);
	end = max(touched->nr ? touched->first + touched->nr : 0, stripes->first + stripes->nr);
	if (!touched->nr || stripes->first < touched->first)
		touched->first = stripes->first;
	touched->nr = end - touched->first;
	spin_unlock_irqrestore(&passdown->touched_lock, flags);
	queue_delayed_work(system_unbound_wq, &passdown->auto_work, 0);
}

static void pass_touched(struct work_struct *work)
{
	struct te_passdown *passdown = container_of(to_delayed_work(work), struct te_passdown,
						 auto_work);
	s64 errors = atomic64_read(&passdown->errors);
	struct te_stripes touched;
	u64 budget = U64_MAX;
	int r;

	spin_lock_irq(&passdown->touched_lock);
	touched = passdown->touched;
	passdown->touched.nr = 0;
	spin_unlock_irq(&passdown->touched_lock);

	mutex_lock(&passdown->pass_lock);
	r = pass_down(passdown, touched.first, touched.first + touched.nr, &budget);
	wait_for_passes(passdown, 0);
	mutex_unlock(&passdown->pass_lock);
	if (r == -EAGAIN || (!r && atomic64_read(&passdown->errors) == errors))
		return;
	/* The device may take them another time. */
	te_passdown_touch(passdown, &touched);
	mod_delayed_work(system_unbound_wq, &passdown->auto_work, RETRY_JIFFIES);
}

static void send_again(struct work_struct *work)
{
	struct te_passdown *passdown = container_of(work, struct te_passdown, again_work);
	struct bio_list bios;
	struct bio *bio;

	spin_lock_irq(&passdown->again_lock);
	bios = passdown->again;
	bio_list_init(&passdown->again);
	spin_unlock_irq(&passdown->again_lock);

	while ((bio = bio_list_pop(&bios)))
		if (te_units_write(&passdown->units, bio))
			submit_bio_noacct(bio);
}

/* ------------------------------------------------------------------------ */
/* The state, from table to table. */

static void free_passdown(struct te_passdown *passdown)
{
	cancel_delayed_work_sync(&passdown->auto_work);
	if (passdown->again_wq)
		destroy_workqueue(passdown->again_wq);
	bioset_exit(&passdown->zero_bios);
	bioset_exit(&passdown->bios);
	te_units_exit(&passdown->units);
	kfree(passdown);
}

static void release_passdown(struct kref *kref)
{
	struct te_passdown *passdown = container_of(kref, struct te_passdown, kref);

	list_del(&passdown->list);
	mutex_unlock(&passdowns_lock);
	free_passdown(passdown);
}

void te_passdown_put(struct te_passdown *passdown, const struct dm_target *ti)
{
	/* Not when another table has taken over: it may be passing down for long. */
	if (READ_ONCE(passdown->live) == ti) {
		mutex_lock(&passdown->pass_lock);
		if (passdown->live == ti) {
			WRITE_ONCE(passdown->live, NULL);
			te_units_forget(&passdown->units);
		}
		mutex_unlock(&passdown->pass_lock);
	}
	kref_put_mutex(&passdown->kref, release_passdown, &passdowns_lock);
}

static struct te_passdown *find_passdown(struct dm_target *ti, dev_t below, sector_t start,
					 u32 stripe_sectors, u32 unit_sectors)
{
	struct te_passdown *passdown;

	list_for_each_entry(passdown, &passdowns, list)
		if (passdown->md == dm_table_get_md(ti->table) && passdown->below == below &&
		    passdown->begin == ti->begin && passdown->len == ti->len &&
		    passdown->start == start && passdown->units.unit_sectors == unit_sectors &&
		    te_units_stripe_sectors(&passdown->units) == stripe_sectors)
			return passdown;
	return NULL;
}

static struct te_passdown *new_passdown(struct dm_target *ti, struct block_device *below,
					sector_t start, u32 stripe_sectors, u32 unit_sectors)
{
	struct te_passdown *passdown = kzalloc(sizeof(*passdown), GFP_KERNEL);
	int r;

	if (!passdown) {
		ti->error = "Cannot allocate the state";
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&passdown->kref);
	passdown->md = dm_table_get_md(ti->table);
	passdown->below = below->bd_dev;
	passdown->begin = ti->begin;
	passdown->start = start;
	passdown->len = ti->len;
	passdown->stopped = true;
	mutex_init(&passdown->pass_lock);
	spin_lock_init(&passdown->passes_lock);
	init_waitqueue_head(&passdown->settled);
	spin_lock_init(&passdown->again_lock);
	bio_list_init(&passdown->again);
	INIT_WORK(&passdown->again_work, send_again);
	spin_lock_init(&passdown->touched_lock);
	INIT_DELAYED_WORK(&passdown->auto_work, pass_touched);

	r = te_units_init(&passdown->units, get_start_sect(below), start, ti->len,
			  stripe_sectors, unit_sectors);
	if (r) {
		ti->error = r == -EFBIG ? "Device has too many units: give a larger one" :
					  "Cannot allocate the bitmaps";
		kfree(passdown);
		return ERR_PTR(r);
	}
	r = bioset_init(&passdown->bios, MAX_PASSES, offsetof(struct pass, bio), 0);
	/* Of a chain: one that is being filled, and the one before. */
	if (!r)
		r = bioset_init(&passdown->zero_bios, 2, 0, BIOSET_NEED_BVECS);
	if (r) {
		ti->error = "Cannot allocate bios";
		goto bad;
	}
	passdown->again_wq = alloc_workqueue("thin-passdown", WQ_MEM_RECLAIM, 0);
	if (!passdown->again_wq) {
		ti->error = "Cannot allocate a workqueue";
		r = -ENOMEM;
		goto bad;
	}
	return passdown;

bad:
	free_passdown(passdown);
	return ERR_PTR(r);
}

struct te_passdown *te_passdown_get(struct dm_target *ti, struct block_device *below,
				    sector_t start, u32 stripe_sectors, u32 unit_sectors)
{
	struct te_passdown *passdown;

	mutex_lock(&passdowns_lock);
	passdown = find_passdown(ti, below->bd_dev, start, stripe_sectors, unit_sectors);
	if (passdown)
		kref_get(&passdown->kref);
	mutex_unlock(&passdowns_lock);
	if (passdown)
		return passdown;

	/* Not under the lock: memory may be waiting for a device that is being resumed. */
	passdown = new_passdown(ti, below, start, stripe_sectors, unit_sectors);
	if (IS_ERR(passdown))
		return passdown;
	mutex_lock(&passdowns_lock);
	list_add(&passdown->list, &passdowns);
	mutex_unlock(&passdowns_lock);
	return passdown;
}

void te_passdown_stop(struct te_passdown *passdown)
{
	WRITE_ONCE(passdown->stopped, true);
	cancel_delayed_work_sync(&passdown->auto_work);
	mutex_lock(&passdown->pass_lock);
	mutex_unlock(&passdown->pass_lock);
}

/* The table before had another geometry, and a guard. */
static bool guarded_before(const struct te_passdown *passdown)
{
	const struct te_passdown *other;
	bool guarded = false;

	mutex_lock(&passdowns_lock);
	list_for_each_entry(other, &passdowns, list)
		guarded |= other != passdown && other->md == passdown->md &&
			   te_units_guarded(&other->units);
	mutex_unlock(&passdowns_lock);
	return guarded;
}

void te_passdown_start(struct te_passdown *passdown, const struct dm_target *ti,
		       struct block_device *bdev, bool auto_pass, bool zero_fill)
{
	struct te_stripes all = { .nr = passdown->units.nr_stripes };

	if (guarded_before(passdown))
		te_units_shut(&passdown->units);
	mutex_lock(&passdown->pass_lock);
	WRITE_ONCE(passdown->live, ti);
	passdown->bdev = bdev;
	passdown->auto_pass = auto_pass;
	passdown->zero_fill = zero_fill;
	WRITE_ONCE(passdown->stopped, false);
	mutex_unlock(&passdown->pass_lock);
	te_passdown_touch(passdown, &all);
}
