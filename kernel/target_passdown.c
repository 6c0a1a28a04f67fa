// SPDX-License-Identifier: GPL-2.0-or-later
/* The dm target `thin-passdown`: discards over an array, in whole stripes. */
#include <linux/blkdev.h>
#include <linux/gcd.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <thinexport/target.h>
#include "passdown.h"
#include "targets.h"

#define UNIT_SECTORS		128u		/* 64 KiB, unless the stripe asks for less */
#define MIN_UNIT_SECTORS	8u
#define MAX_STRIPE_SECTORS	(1u << 21)	/* 1 GiB */
#define MAX_DISCARD_SECTORS	(1u << 21)	/* 1 GiB: at once, from above */

/* A table's. */
struct target {
	struct dm_dev *dev;
	struct te_passdown *passdown;
	bool auto_pass;
	bool zero_fill;
};

/* ------------------------------------------------------------------------ */
/* The way of a bio. */

static void took_discard(struct te_passdown *passdown, u64 guarded,
			 const struct te_stripes *stripes)
{
	atomic64_inc(&passdown->discards);
	atomic64_add(guarded, &passdown->guarded);
	te_passdown_touch(passdown, stripes);
}

static int map_discard(struct te_passdown *passdown, struct bio *bio)
{
	struct te_stripes stripes;
	u64 guarded = 0;

	te_units_discard(&passdown->units, bio->bi_iter.bi_sector, bio_sectors(bio), &guarded,
			 &stripes);
	took_discard(passdown, guarded, &stripes);
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

static int map_write(struct te_passdown *passdown, struct bio *bio)
{
	bool nowait = bio->bi_opf & REQ_NOWAIT;

	if (te_units_write(&passdown->units, bio))
		return DM_MAPIO_REMAPPED;
	/* Unless it would not wait, the bio may be on its way by now. */
	atomic64_inc(&passdown->waited);
	if (nowait)
		bio_wouldblock_error(bio);
	return DM_MAPIO_SUBMITTED;
}

static int passdown_map(struct dm_target *ti, struct bio *bio)
{
	struct target *target = ti->private;
	struct te_passdown *passdown = target->passdown;

	bio_set_dev(bio, target->dev->bdev);
	bio->bi_iter.bi_sector = passdown->start + dm_target_offset(ti, bio->bi_iter.bi_sector);
	if (bio_op(bio) == REQ_OP_DISCARD)
		return map_discard(passdown, bio);
	if (op_is_write(bio_op(bio)) && bio_sectors(bio))
		return map_write(passdown, bio);
	return DM_MAPIO_REMAPPED;
}

/* Before the bios of the live table are waited for: those that wait for a pass, too. */
static void passdown_presuspend(struct dm_target *ti)
{
	struct target *target = ti->private;

	te_passdown_stop(target->passdown);
}

static void passdown_resume(struct dm_target *ti)
{
	struct target *target = ti->private;

	te_passdown_start(target->passdown, ti, target->dev->bdev, target->auto_pass,
			  target->zero_fill);
}

/* ------------------------------------------------------------------------ */
/* The table. */

struct geometry {
	unsigned int stripe_sectors;	/* 0: to be found */
	unsigned int unit_sectors;
};

static int parse_features(struct dm_target *ti, struct dm_arg_set *as, struct target *target,
			  struct geometry *geometry)
{
	static const struct dm_arg args[] = {
		{ 0, 6, "Invalid number of features" },
		{ MIN_UNIT_SECTORS, MAX_STRIPE_SECTORS, "Invalid stripe" },
		{ MIN_UNIT_SECTORS, MAX_STRIPE_SECTORS, "Invalid unit" },
	};
	unsigned int nr;
	int r = dm_read_arg_group(&args[0], as, &nr, &ti->error);

	if (r)
		return r;
	if (as->argc != nr) {
		ti->error = "Number of features does not match the arguments";
		return -EINVAL;
	}
	while (as->argc) {
		const char *name = dm_shift_arg(as);

		if (!strcmp(name, TE_FEATURE_AUTO)) {
			target->auto_pass = true;
		} else if (!strcmp(name, TE_FEATURE_ZERO_FILL)) {
			target->zero_fill = true;
		} else if (!strcmp(name, TE_FEATURE_STRIPE)) {
			r = dm_read_arg(&args[1], as, &geometry->stripe_sectors, &ti->error);
		} else if (!strcmp(name, TE_FEATURE_UNIT)) {
			r = dm_read_arg(&args[2], as, &geometry->unit_sectors, &ti->error);
		} else {
			ti->error = "Unknown feature";
			r = -EINVAL;
		}
		if (r)
			return r;
	}
	return 0;
}

/* What is not given: the device's optimal I/O size, of an array its stripe or a multiple. */
static int settle_geometry(struct dm_target *ti, struct geometry *geometry,
			   struct block_device *bdev)
{
	unsigned int stripe = geometry->stripe_sectors, unit = geometry->unit_sectors;

	if (!stripe)
		stripe = bdev_io_opt(bdev) >> SECTOR_SHIFT;
	if (!geometry->stripe_sectors && (stripe < MIN_UNIT_SECTORS || stripe > MAX_STRIPE_SECTORS ||
					  stripe % MIN_UNIT_SECTORS))
		stripe = unit ? unit : UNIT_SECTORS;
	if (!unit)
		unit = gcd(stripe, UNIT_SECTORS);
	if (stripe % MIN_UNIT_SECTORS || unit % MIN_UNIT_SECTORS) {
		ti->error = "Stripe and unit must be multiples of 4 KiB";
		return -EINVAL;
	}
	if (stripe % unit) {
		ti->error = "Stripe is not a multiple of the unit";
		return -EINVAL;
	}
	geometry->stripe_sectors = stripe;
	geometry->unit_sectors = unit;
	return 0;
}

/*
 * <dev> <start> <#features> [stripe <sectors>] [unit <sectors>] [auto] [zero_fill]
 */
static int passdown_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct geometry geometry = { 0 };
	unsigned long long start;
	struct target *target;
	const char *path;
	char dummy;
	int r;

	if (argc < 3) {
		ti->error = "Not enough arguments";
		return -EINVAL;
	}
	path = dm_shift_arg(&as);
	if (sscanf(dm_shift_arg(&as), "%llu%c", &start, &dummy) != 1 || start != (sector_t)start) {
		ti->error = "Invalid start";
		return -EINVAL;
	}
	target = kzalloc(sizeof(*target), GFP_KERNEL);
	if (!target) {
		ti->error = "Cannot allocate the target";
		return -ENOMEM;
	}
	r = parse_features(ti, &as, target, &geometry);
	if (r)
		goto free_target;
	r = dm_get_device(ti, path, dm_table_get_mode(ti->table), &target->dev);
	if (r) {
		ti->error = "Cannot open the device";
		goto free_target;
	}
	r = settle_geometry(ti, &geometry, target->dev->bdev);
	if (r)
		goto put_device;
	target->passdown = te_passdown_get(ti, target->dev->bdev, start,
					   geometry.stripe_sectors, geometry.unit_sectors);
	if (IS_ERR(target->passdown)) {
		r = PTR_ERR(target->passdown);
		goto put_device;
	}
	ti->private = target;
	ti->num_flush_bios = 1;
	ti->num_discard_bios = 1;
	ti->discards_supported = true;
	/* Writes like others, where the device below takes them. */
	ti->num_write_zeroes_bios = 1;
	ti->num_secure_erase_bios = 1;
	return 0;

put_device:
	dm_put_device(ti, target->dev);
free_target:
	kfree(target);
	return r;
}

static void passdown_dtr(struct dm_target *ti)
{
	struct target *target = ti->private;

	te_passdown_put(target->passdown, ti);
	dm_put_device(ti, target->dev);
	kfree(target);
}

/* ------------------------------------------------------------------------ */
/* Status and messages. */

static const char *way_down(struct te_passdown *passdown, const struct target *target)
{
	if (bdev_max_discard_sectors(target->dev->bdev))
		return "discard";
	return target->zero_fill ? "zeros" : "none";
}

static void passdown_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
			    char *result, unsigned int maxlen)
{
	struct target *target = ti->private;
	struct te_passdown *passdown = target->passdown;
	const struct te_units *units = &passdown->units;
	unsigned int sz = 0;

	switch (type) {
	case STATUSTYPE_INFO:
		DMEMIT("%u %u %lld %lld %lld %lld %lld %lld %lld %lld %s %s %s",
		       units->unit_sectors, te_units_stripe_sectors(units),
		       atomic64_read(&units->nr_free), atomic64_read(&units->nr_trimmed),
		       atomic64_read(&units->nr_due), atomic64_read(&passdown->passed),
		       atomic64_read(&passdown->discards), atomic64_read(&passdown->guarded),
		       atomic64_read(&passdown->waited), atomic64_read(&passdown->errors),
		       target->auto_pass ? "auto" : "held", te_units_guarded(units) ? "guarded" : "-",
		       way_down(passdown, target));
		break;

	case STATUSTYPE_TABLE:
		DMEMIT("%s %llu %u " TE_FEATURE_STRIPE " %u " TE_FEATURE_UNIT " %u",
		       target->dev->name, (u64)passdown->start,
		       4 + target->auto_pass + target->zero_fill,
		       te_units_stripe_sectors(units), units->unit_sectors);
		if (target->auto_pass)
			DMEMIT(" " TE_FEATURE_AUTO);
		if (target->zero_fill)
			DMEMIT(" " TE_FEATURE_ZERO_FILL);
		break;

	case STATUSTYPE_IMA:
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",device=%s,start=%llu,stripe=%u,unit=%u,auto=%c,zero_fill=%c;",
		       target->dev->name, (u64)passdown->start, te_units_stripe_sectors(units),
		       units->unit_sectors, target->auto_pass ? 'y' : 'n',
		       target->zero_fill ? 'y' : 'n');
		break;
	}
}

/* flush [<stripes>]: "<passed> <still due> <failed>", of stripes, stripes, passes. */
static int flush(struct te_passdown *passdown, unsigned int argc, char **argv, char *result,
		 unsigned int maxlen)
{
	s64 passed = atomic64_read(&passdown->passed), errors = atomic64_read(&passdown->errors);
	unsigned long long most = U64_MAX;
	unsigned int sz = 0;
	char dummy;
	int r;

	if (argc > 1 && (sscanf(argv[1], "%llu%c", &most, &dummy) != 1 || !most))
		return -EINVAL;
	r = te_passdown_flush(passdown, most);
	if (r)
		return r;
	DMEMIT("%lld %lld %lld", atomic64_read(&passdown->passed) - passed,
	       atomic64_read(&passdown->units.nr_due), atomic64_read(&passdown->errors) - errors);
	return 1;
}

/* discard <start> <sectors>: as a bio from above, but only while the guard is on. */
static int discard_guarded(struct dm_target *ti, struct te_passdown *passdown, char **argv)
{
	unsigned long long start, sectors;
	struct te_stripes stripes;
	u64 guarded = 0;
	char dummy;
	int r;

	if (sscanf(argv[1], "%llu%c", &start, &dummy) != 1 ||
	    sscanf(argv[2], "%llu%c", &sectors, &dummy) != 1 ||
	    start > ti->len || sectors > min_t(u64, ti->len - start, MAX_DISCARD_SECTORS))
		return -EINVAL;
	r = te_units_discard_guarded(&passdown->units, passdown->start + start, sectors, &guarded,
				     &stripes);
	if (!r)
		took_discard(passdown, guarded, &stripes);
	return r;
}

static int passdown_message(struct dm_target *ti, unsigned int argc, char **argv, char *result,
			    unsigned int maxlen)
{
	struct target *target = ti->private;
	struct te_passdown *passdown = target->passdown;

	if (argc <= 2 && !strcmp(argv[0], TE_MESSAGE_FLUSH))
		return flush(passdown, argc, argv, result, maxlen);
	if (argc == 1 && !strcmp(argv[0], TE_MESSAGE_GUARD_BEGIN))
		return te_units_guard_begin(&passdown->units);
	if (argc == 1 && !strcmp(argv[0], TE_MESSAGE_GUARD_END))
		return te_units_guard_end(&passdown->units);
	if (argc == 3 && !strcmp(argv[0], TE_MESSAGE_DISCARD))
		return discard_guarded(ti, passdown, argv);
	DMWARN("%s: unknown message %s", dm_table_device_name(ti->table), argv[0]);
	return -EINVAL;
}

static int passdown_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				    void *data)
{
	struct target *target = ti->private;

	return fn(ti, target->dev, target->passdown->start, ti->len, data);
}

static void passdown_io_hints(struct dm_target *ti, struct queue_limits *limits)
{
	const struct target *target = ti->private;
	const struct te_passdown *passdown = target->passdown;
	const struct te_units *units = &passdown->units;
	/* The block layer rounds by masking, and would cut units of another size in two. */
	u32 granularity = units->unit_sectors & -units->unit_sectors;
	u64 first = units->first - passdown->start;

	/* Ours, not the array's: what is below a stripe is remembered. */
	limits->max_discard_sectors = MAX_DISCARD_SECTORS;
	limits->max_hw_discard_sectors = MAX_DISCARD_SECTORS;
	limits->discard_granularity = granularity << SECTOR_SHIFT;
	limits->discard_alignment = (first & (granularity - 1)) << SECTOR_SHIFT;
}

struct target_type te_passdown_target = {
	.name			= TE_TARGET_PASSDOWN,
	.version		= { 1, 0, 0 },
	.features		= DM_TARGET_NOWAIT,
	.module			= THIS_MODULE,
	.ctr			= passdown_ctr,
	.dtr			= passdown_dtr,
	.map			= passdown_map,
	.presuspend		= passdown_presuspend,
	.presuspend_undo	= passdown_resume,
	.resume			= passdown_resume,
	.status			= passdown_status,
	.message		= passdown_message,
	.iterate_devices	= passdown_iterate_devices,
	.io_hints		= passdown_io_hints,
};

/* The module has another target's name; device-mapper asks for this one. */
MODULE_ALIAS("dm-" TE_TARGET_PASSDOWN);
