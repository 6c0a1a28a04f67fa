/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passing freed space down, in whole stripes; and the state of it, from table to table. */
#ifndef TE_KERNEL_PASSDOWN_H
#define TE_KERNEL_PASSDOWN_H

#include <linux/bio.h>
#include <linux/device-mapper.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "passdown_units.h"

#define DM_MSG_PREFIX "thin-passdown"

/*
 * Reads, writes and flushes go through.  A discard ends here: what it frees is
 * remembered, whatever the device below says of discards, and acknowledged.
 * Whole stripes of free units are passed down later, by bios of our own, which
 * no layer cuts at a granularity that is not the array's stripe: at the message
 * `flush`, or with the feature `auto` as they fall due.
 *
 * All that a pass needs to know of writes, and a write of passes, is in te_units.
 *
 * The state outlives a table: another one of the same device with the same
 * geometry takes it over, so that resuming, or changing a feature, forgets
 * nothing.  It does not outlive the device, nor a table between the two that is
 * none of ours: the writes of that one were not seen.
 */
struct te_passdown {
	struct list_head list;
	struct kref kref;

	/* Whose state it is. */
	struct mapped_device *md;
	dev_t below;
	sector_t begin, start, len;

	struct te_units units;
	struct bio_set bios, zero_bios;

	/* Of the table that is live; under pass_lock. */
	const struct dm_target *live;
	struct block_device *bdev;
	bool auto_pass;
	bool zero_fill;
	bool stopped;			/* suspended */

	struct mutex pass_lock;		/* one walk over the due stripes at a time */
	u64 next;			/* stripe: there the next flush begins */
	spinlock_t passes_lock;
	unsigned int in_flight;		/* passes */
	wait_queue_head_t settled;	/* one fewer is in flight */

	/* Writes that have waited and may try again; memory may wait for them. */
	spinlock_t again_lock;
	struct bio_list again;
	struct work_struct again_work;
	struct workqueue_struct *again_wq;

	/* For `auto`: stripes that discards have touched. */
	spinlock_t touched_lock;
	struct te_stripes touched;
	struct delayed_work auto_work;

	atomic64_t discards;		/* taken */
	atomic64_t guarded;		/* units that the guard kept from becoming free */
	atomic64_t waited;		/* writes */
	atomic64_t passed;		/* stripes */
	atomic64_t errors;		/* passes */
};

/*
 * The state for this target: of a table of the same device and geometry, else a
 * new one, stopped.  ERR_PTR with ti->error set.
 */
struct te_passdown *te_passdown_get(struct dm_target *ti, struct block_device *below,
				    sector_t start, u32 stripe_sectors, u32 unit_sectors);
/* Of the table that is live still, to the state's knowledge: the next is not one of ours. */
void te_passdown_put(struct te_passdown *passdown, const struct dm_target *ti);

/* No pass begins any more, and none is left. */
void te_passdown_stop(struct te_passdown *passdown);
/* Goes on, with the device and the features of the table that is live now. */
void te_passdown_start(struct te_passdown *passdown, const struct dm_target *ti,
		       struct block_device *bdev, bool auto_pass, bool zero_fill);

/* With `auto`: has these stripes passed down soon.  From any context. */
void te_passdown_touch(struct te_passdown *passdown, const struct te_stripes *stripes);

/*
 * Passes due stripes down, up to `budget` of them, and waits for them: from where the
 * last flush ended, once around.  What fails is counted, and stays due.  -EOPNOTSUPP: the
 * device takes none; -EAGAIN: suspended; -EINTR: by a fatal signal.
 */
int te_passdown_flush(struct te_passdown *passdown, u64 budget);

#endif
