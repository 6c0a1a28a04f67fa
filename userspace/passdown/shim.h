/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of the target thin-passdown: finding them, what they tell, what they are told. */
#ifndef TE_SHIM_H
#define TE_SHIM_H

#include <sys/sysmacros.h>

#include <thinexport/target.h>
#include "live/dm.h"

/* The uuid of those that `passdown create` makes; behind it the identity of what is below. */
#define TE_SHIM_UUID_PREFIX	TE_DM_UUID_PREFIX "passdown-"

/* The way down that the device below leaves. */
enum te_shim_way {
	TE_SHIM_DISCARD,
	TE_SHIM_ZEROS,			/* it takes no discard, and zeros are asked for */
	TE_SHIM_NONE,
};

struct te_shim {
	struct te_dm_device dm;
	dev_t below;
	u64 start;			/* on its disk, from whose beginning stripes are counted */
	u64 sectors;
	u32 unit_sectors;
	u32 stripe_sectors;
	u64 free_units;			/* discarded above, not yet passed down */
	u64 trimmed_units;		/* passed down, not written since */
	u64 due_stripes;
	u64 passed_stripes;		/* this and the others since the device was made */
	u64 discards;
	u64 guarded_units;
	u64 waited;
	u64 errors;
	bool auto_pass;
	bool guarded;
	enum te_shim_way way;
};

/* Is the device one?  1 and *shim, 0, or -errno; quiet. */
int te_shim_read(const struct te_dm_device *device, struct te_shim *shim);

/* By dm name or path.  0 or -errno after one sentence. */
int te_shim_find(const char *name, struct te_shim *shim);

/* Asks for table and status anew. */
int te_shim_refresh(struct te_shim *shim);

/* All there are, to each(): its non-zero result ends the call. */
int te_shim_each(int (*each)(void *context, const struct te_shim *shim), void *context);

static inline dev_t te_shim_dev(const struct te_shim *shim)
{
	return makedev(shim->dm.major, shim->dm.minor);
}

static inline u64 te_shim_bytes(const struct te_shim *shim, u64 units)
{
	return units * shim->unit_sectors * 512;
}

static inline u64 te_shim_stripe_bytes(const struct te_shim *shim, u64 stripes)
{
	return stripes * shim->stripe_sectors * 512;
}

/*
 * The stripe that the array below has now, in sectors, when the passdown's is no multiple
 * of it, as after a reshape: then the array acknowledges discards and drops most of what
 * they cover.  Else 0.  The second warns of it.
 */
u32 te_shim_stripe_below(const struct te_shim *shim);
void te_shim_warn_of_stripe(const struct te_shim *shim);

/* What a flush came to. */
struct te_shim_flush {
	u64 most_rate;			/* bytes a second; 0: as fast as they are taken */
	u64 passed_stripes;
	u64 due_stripes;		/* are left */
	u64 failed_passes;
};

/*
 * Passes all due stripes down, some at a time, and before each looks whether an array
 * below is being reshaped: -EAGAIN after one sentence.  -EINTR: interrupted.  Others
 * -errno after one sentence.  *flush is filled in whatever happens.
 */
int te_shim_flush(const struct te_shim *shim, struct te_shim_flush *flush);

/* Quiet: -EBUSY: it is on; -ENOENT: it is not. */
int te_shim_guard_end(const struct te_shim *shim);

#endif
