/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stripe of what a device lies on, and what stands in the way of discards there.
 *
 * RAID 4, 5 and 6 discard whole stripes only: md's chunk times its data disks, from
 * the beginning of the array.  The queue's limits do not tell it.  discard_granularity
 * is the stripe rounded up to a power of two, io_opt a multiple of the stripe where
 * the members have an optimal size of their own.  So md is asked, in sysfs, or device-mapper
 * where the array is one of its target `raid` (LVM's), through partitions and linear maps.  A linear map must begin at the border of a stripe, or the
 * stripes of the target and the array's would not be the same; from a partition the
 * target itself counts back to the beginning of the disk.
 *
 * Other levels and plain disks discard in small pieces; for them the stripe is
 * 64 KiB, or the disk's granularity where that is more.
 */
#ifndef TE_STRIPE_H
#define TE_STRIPE_H

#include <sys/types.h>

#include "core/seam.h"

struct te_md {
	char name[32];			/* "md127", "vg-lv" */
	char level[16];			/* "raid5", "raid5_ls" */
	u32 chunk_sectors;
	u32 raid_disks;
	u32 data_disks;			/* 0: it has no stripes that matter to a discard */
	bool reshaping;			/* or about to be */
	bool dm;			/* device-mapper's target raid, and so perhaps LVM's */
};

/* False: it is no array that runs, md's or device-mapper's. */
bool te_md_read(dev_t dev, struct te_md *md);

struct te_stripe {
	u32 sectors;
	char from[120];			/* "md127 (raid5): chunks of 64 KiB on 3 data disks" */
};

/* The stripe of `dev`, named `path`.  -errno after one sentence. */
int te_stripe_find(dev_t dev, const char *path, struct te_stripe *stripe);

/* The same, or the one that is given, unless the array is about to get another. */
int te_stripe_settle(dev_t dev, const char *path, u32 given, struct te_stripe *stripe);

/*
 * A discard that is sent into a reshape, or while mdadm prepares one and holds writes back,
 * never ends.  True, with the array's name, when `dev` is or lies on an array that is being
 * reshaped, or is frozen, with which mdadm begins; what was sent before, md lets end first.
 */
bool te_md_reshaping(dev_t dev, char *name, size_t bytes);

static inline u32 te_md_stripe(const struct te_md *md)
{
	return md->chunk_sectors * md->data_disks;
}

/* True when `dev` is or lies on a RAID 4, 5 or 6, of which *md is told. */
bool te_md_below(dev_t dev, struct te_md *md);

#endif
