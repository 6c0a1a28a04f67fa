// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices of the target thin-passdown. */
#include "passdown/shim.h"

#include <stdio.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "live/dm_table.h"
#include "passdown/rate.h"
#include "passdown/stripe.h"
#include "passdown/sysfs.h"

/*
 * What goes down between two looks at the array: what it takes in about so long, since a
 * reshape that begins meanwhile must not meet a discard; and no more than that many bytes.
 */
#define LOOK_SECONDS	0.1
#define FIRST_BATCH	(16u << 20)
#define MOST_BATCH	(256u << 20)

static int parse_status(struct te_shim *shim, const char *text)
{
	char mode[8], guard[16], way[16];
	unsigned long long n[8];

	if (sscanf(text, "%u %u %llu %llu %llu %llu %llu %llu %llu %llu %7s %15s %15s",
		   &shim->unit_sectors, &shim->stripe_sectors, &n[0], &n[1], &n[2], &n[3], &n[4],
		   &n[5], &n[6], &n[7], mode, guard, way) != 13 ||
	    !shim->unit_sectors || !shim->stripe_sectors)
		return -EPROTO;
	shim->free_units = n[0];
	shim->trimmed_units = n[1];
	shim->due_stripes = n[2];
	shim->passed_stripes = n[3];
	shim->discards = n[4];
	shim->guarded_units = n[5];
	shim->waited = n[6];
	shim->errors = n[7];
	shim->auto_pass = !strcmp(mode, "auto");
	shim->guarded = strcmp(guard, "-") != 0;
	shim->way = !strcmp(way, "discard") ? TE_SHIM_DISCARD :
		    !strcmp(way, "zeros") ? TE_SHIM_ZEROS : TE_SHIM_NONE;
	return 0;
}

static void set_below(struct te_shim *shim, dev_t below, u64 start)
{
	dev_t disk;

	shim->below = below;
	if (!te_sysfs_disk(below, &disk, &shim->start))
		shim->start = 0;
	shim->start += start;
}

int te_shim_read(const struct te_dm_device *device, struct te_shim *shim)
{
	unsigned int below_major, below_minor;
	unsigned long long start;
	struct te_dm_target *targets;
	char status[512];
	size_t nr;
	int err = te_dm_targets(device, &targets, &nr);

	if (err)
		return err;
	memset(shim, 0, sizeof(*shim));
	shim->dm = *device;
	err = nr == 1 && !strcmp(targets[0].type, TE_TARGET_PASSDOWN);
	if (err) {
		shim->sectors = targets[0].sectors;
		if (sscanf(targets[0].parameters, "%u:%u %llu", &below_major, &below_minor,
			   &start) == 3)
			set_below(shim, makedev(below_major, below_minor), start);
		else
			err = -EPROTO;
	}
	free(targets);
	if (err <= 0)
		return err;
	err = te_dm_status(device, status, sizeof(status));
	if (!err)
		err = parse_status(shim, status);
	return err ? err : 1;
}

int te_shim_find(const char *name, struct te_shim *shim)
{
	struct te_dm_device device;
	int is, err = te_dm_find(name, &device);

	if (err == -ENXIO || err == -ENOTBLK) {
		te_error("%s: there is no such device; `thinexport passdown status` lists the passdown devices",
			 name);
		return err;
	}
	is = err ? err : te_shim_read(&device, shim);
	if (is > 0)
		return 0;
	if (is < 0) {
		te_error("%s: cannot be looked up: %s", name, strerror(-is));
		return is;
	}
	te_error("%s is no passdown device; `thinexport passdown status` lists those there are",
		 name);
	return -EINVAL;
}

int te_shim_refresh(struct te_shim *shim)
{
	struct te_dm_device device = shim->dm;
	int is = te_dm_find_number(device.major, device.minor, &device);

	if (!is)
		is = te_shim_read(&device, shim);
	if (is > 0)
		return 0;
	if (!is)
		is = -ENXIO;
	te_error("%s: its status cannot be read: %s", device.name, strerror(-is));
	return is;
}

struct visit {
	int (*each)(void *context, const struct te_shim *shim);
	void *context;
};

static int visit_device(void *context, const struct te_dm_device *device)
{
	struct visit *visit = context;
	struct te_shim shim;
	int is = te_shim_read(device, &shim);

	if (is > 0)
		return visit->each(visit->context, &shim);
	return is == -ENXIO ? 0 : is;
}

int te_shim_each(int (*each)(void *context, const struct te_shim *shim), void *context)
{
	struct visit visit = { each, context };

	return te_dm_each(visit_device, &visit);
}

u32 te_shim_stripe_below(const struct te_shim *shim)
{
	struct te_md md;
	u32 sectors;

	/* What comes of a reshape is seen at its end; zeros need no whole stripes. */
	if (shim->way != TE_SHIM_DISCARD || !te_md_below(shim->below, &md) || md.reshaping)
		return 0;
	sectors = te_md_stripe(&md);
	return sectors && shim->stripe_sectors % sectors ? sectors : 0;
}

void te_shim_warn_of_stripe(const struct te_shim *shim)
{
	u32 below = te_shim_stripe_below(shim);

	if (below)
		te_warn("%s: its stripes are %s and those of the array below %s, which takes whole ones only, so not all that goes down is taken: `thinexport passdown restripe %s`, and trim after it",
			shim->dm.name, te_bytes(te_shim_stripe_bytes(shim, 1)),
			te_bytes((u64)below * 512), shim->dm.name);
}

static int flush_some(const struct te_shim *shim, u64 stripes, struct te_shim_flush *flush,
		      u64 *passed)
{
	unsigned long long n[3];
	char message[64], answer[128];
	int err;

	snprintf(message, sizeof(message), "%s %llu", TE_MESSAGE_FLUSH,
		 (unsigned long long)stripes);
	err = te_dm_message(&shim->dm, message, answer, sizeof(answer));
	if (!err && sscanf(answer, "%llu %llu %llu", &n[0], &n[1], &n[2]) != 3)
		err = -EPROTO;
	if (err == -EOPNOTSUPP)
		te_error("%s: what is below takes no discard; `thinexport passdown status %s` tells of the ways out",
			 shim->dm.name, shim->dm.name);
	else if (err == -EAGAIN)
		te_error("%s is suspended by someone else; wait for that, or resume it by `dmsetup resume %s`",
			 shim->dm.name, shim->dm.name);
	else if (err && err != -EINTR)
		te_error("%s: cannot be flushed: %s", shim->dm.name, strerror(-err));
	if (err)
		return err;
	*passed = n[0];
	flush->passed_stripes += n[0];
	flush->due_stripes = n[1];
	flush->failed_passes += n[2];
	return 0;
}

static u64 next_batch(u64 bytes, double took, u64 least, u64 most)
{
	if (took > LOOK_SECONDS)
		return bytes / 2 > least ? bytes / 2 : least;
	return took < LOOK_SECONDS / 2 && bytes * 2 <= most ? bytes * 2 : bytes;
}

int te_shim_flush(const struct te_shim *shim, struct te_shim_flush *flush)
{
	u64 stripe = te_shim_stripe_bytes(shim, 1), bytes, passed;
	u64 most = flush->most_rate && flush->most_rate < MOST_BATCH ? flush->most_rate : MOST_BATCH;
	struct te_rate rate;
	char array[32];
	double start;
	int err;

	bytes = most < FIRST_BATCH ? most : FIRST_BATCH;
	flush->due_stripes = shim->due_stripes;
	te_rate_start(&rate, flush->most_rate);
	do {
		if (te_interrupted())
			return -EINTR;
		if (te_md_reshaping(shim->below, array, sizeof(array))) {
			te_error("%s: %s is being reshaped or about to be, and a discard would never end: nothing more goes down; flush again when that is done",
				 shim->dm.name, array);
			return -EAGAIN;
		}
		start = te_rate_seconds(&rate);
		err = flush_some(shim, bytes > stripe ? bytes / stripe : 1, flush, &passed);
		if (err)
			return err;
		bytes = next_batch(bytes, te_rate_seconds(&rate) - start, stripe, most);
		te_rate_add(&rate, te_shim_stripe_bytes(shim, passed));
	} while (passed && !flush->failed_passes);
	return 0;
}

int te_shim_guard_end(const struct te_shim *shim)
{
	char answer[8];

	return te_dm_message(&shim->dm, TE_MESSAGE_GUARD_END, answer, sizeof(answer));
}
