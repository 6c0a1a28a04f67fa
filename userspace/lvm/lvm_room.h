/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The room of an active pool that is written to by others too: how much may be written
 * before one must look again.
 *
 * A pool that is full lets its writers wait, and one that has no metadata left turns
 * read-only; both hit everybody who uses it.  So a part of each is left alone:
 * 1/64, at least TE_LVM_LEAST_SPARE blocks and at most what the two MOST say.  What lies
 * above is spent in shares, each at most half of what is there, and good for TE_LVM_LOOK_US
 * alone: others write as well, and we may have waited for our stream meanwhile.
 *
 * LVM makes no volumes in a pool that is filled beyond its autoextend threshold.  Where
 * dmeventd watches the pool and extends it then, it is waited for, TE_LVM_ROOM_SECONDS at
 * most; where not, the threshold is the pool's end.
 */
#ifndef TE_LVM_ROOM_H
#define TE_LVM_ROOM_H

#include "lvm/lvm.h"

#define TE_LVM_LEAST_SPARE	16u
#define TE_LVM_MOST_SPARE	4096u	/* data blocks */
#define TE_LVM_MOST_SPARE_META	1024u	/* metadata blocks */
#define TE_LVM_ROOM_SECONDS	60u
#define TE_LVM_LOOK_US		250000u

struct te_lvm_room {
	const struct te_lvm *lvm;
	struct te_pool pool;		/* as it was looked at last */
	unsigned int threshold;		/* percent; 100: none */
	bool extends;			/* dmeventd extends it */
	u64 budget;			/* bytes that may be written without a look, */
	u64 looked_at;			/* and since when, of te_clock_us() */
	bool spent;			/* something of it has been */
};

/* Asks LVM for the threshold.  0, or -errno after one sentence. */
int te_lvm_room_begin(struct te_lvm_room *room, const struct te_lvm *lvm);

/*
 * Looks at the pool, which must be one that can be written to, or is one within
 * TE_LVM_ROOM_SECONDS when it is suspended: 0, or -errno after one sentence (none for
 * -EINTR).  *data and *metadata, blocks: what may be written to it, as it is.
 */
int te_lvm_room_look(struct te_lvm_room *room, u64 *data, u64 *metadata);

/* `bytes` are to be written: how many of them may be.  0: one must look before. */
u64 te_lvm_room_spend(struct te_lvm_room *room, u64 bytes);

/*
 * Looks, when `pending` bytes are still to be written of what was spent.  Waits
 * if it makes sense; 0, or -ENOSPC or another -errno after one sentence (none for
 * -EINTR).
 */
int te_lvm_room_renew(struct te_lvm_room *room, u64 pending);

#endif
