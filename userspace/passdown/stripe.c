// SPDX-License-Identifier: GPL-2.0-or-later
/* The stripe of what a device lies on. */
#include "passdown/stripe.h"

#include <stdio.h>
#include <sys/sysmacros.h>

#include <thinexport/target.h>
#include "base/say.h"
#include "live/dm_table.h"
#include "passdown/sysfs.h"

#define DEFAULT_SECTORS	128u		/* 64 KiB */
#define MOST_SECTORS	(1u << 21)	/* what the target takes: 1 GiB */
#define MOST_LAYERS	16

/* Also of "raid5_ls", as device-mapper has them. */
static u32 parity_disks(const char *level)
{
	if (!strncmp(level, "raid6", 5))
		return 2;
	return !strncmp(level, "raid4", 5) || !strncmp(level, "raid5", 5);
}

static void count_data_disks(struct te_md *md)
{
	u32 parity = parity_disks(md->level);

	if (parity && md->raid_disks > parity)
		md->data_disks = md->raid_disks - parity;
}

/* mdadm freezes an array first, and then for a while holds back what is sent to it. */
static bool is_reshape(const char *action)
{
	return !strcmp(action, "reshape") || !strcmp(action, "frozen");
}

static bool read_raid_table(const struct te_dm_device *device, struct te_md *md)
{
	struct te_dm_target *targets;
	size_t nr;
	bool read;

	if (te_dm_targets(device, &targets, &nr))
		return false;
	read = nr == 1 && !strcmp(targets[0].type, "raid") &&
	       sscanf(targets[0].parameters, "%15s %*u %u", md->level, &md->chunk_sectors) == 2;
	free(targets);
	return read;
}

/*
 * An array of device-mapper's, and so of LVM's: an md below, of which nothing is in sysfs.
 *
 *	table	<level> <#parameters> <chunk sectors> ...
 *	status	<level> <#disks> <health> <in sync>/<all> <sync action> ...
 */
static bool read_dm_raid(dev_t dev, struct te_md *md)
{
	char status[512], action[16] = "idle";
	struct te_dm_device device;

	if (!te_sysfs_line(dev, "dm/name", status, sizeof(status)) ||
	    te_dm_find_number(major(dev), minor(dev), &device) || !read_raid_table(&device, md))
		return false;
	snprintf(md->name, sizeof(md->name), "%.31s", device.name);
	if (!te_dm_status(&device, status, sizeof(status)))
		sscanf(status, "%*s %u %*s %*s %15s", &md->raid_disks, action);
	count_data_disks(md);
	md->reshaping = is_reshape(action);
	md->dm = true;
	return true;
}

bool te_md_read(dev_t dev, struct te_md *md)
{
	char position[32] = "none", action[32] = "idle";
	u64 chunk = 0, disks = 0;

	memset(md, 0, sizeof(*md));
	if (!te_sysfs_line(dev, "md/level", md->level, sizeof(md->level)) || !md->level[0])
		return read_dm_raid(dev, md);
	te_sysfs_name(dev, md->name, sizeof(md->name));
	te_sysfs_number(dev, "md/chunk_size", &chunk);
	te_sysfs_number(dev, "md/raid_disks", &disks);
	te_sysfs_line(dev, "md/reshape_position", position, sizeof(position));
	te_sysfs_line(dev, "md/sync_action", action, sizeof(action));
	md->chunk_sectors = (u32)(chunk >> 9);
	md->raid_disks = (u32)disks;
	count_data_disks(md);
	md->reshaping = strcmp(position, "none") != 0 || is_reshape(action);
	return true;
}

/* Looking below a device for an array. */
struct look {
	bool (*wanted)(const struct te_md *md);
	struct te_md md;
	unsigned int layers;
};

static int look_at(void *context, dev_t dev, const char *name)
{
	struct look *look = context;
	int found = 0;
	dev_t disk;
	u64 start;

	if (te_md_read(dev, &look->md) && look->wanted(&look->md))
		return 1;
	if (look->layers++ < MOST_LAYERS)
		found = te_sysfs_disk(dev, &disk, &start) ? look_at(look, disk, "") :
							     te_sysfs_each(dev, "slaves", look_at, look);
	look->layers--;
	return found;
}

static bool is_reshaping(const struct te_md *md)
{
	return md->reshaping;
}

static bool has_stripes(const struct te_md *md)
{
	return md->data_disks > 0;
}

/* Where the device's first sector lies: below, perhaps before the beginning there. */
struct place {
	const char *path;		/* what the user named */
	dev_t dev;
	int64_t sector;
	unsigned int layers;
};

static int find(const struct place *place, struct te_stripe *stripe);

/* An array of arrays: a stripe of one is so much of each below, and seldom a stripe there. */
static int refuse_nested(const struct place *place, const struct te_md *md)
{
	struct look look = { .wanted = has_stripes };

	if (!te_sysfs_each(place->dev, "slaves", look_at, &look))
		return 0;
	te_error("%s: a member of %s (%s) lies on %s (%s), and what are whole stripes of both cannot be seen: give --stripe",
		 place->path, md->name, md->level, look.md.name, look.md.level);
	return -EINVAL;
}

static int find_in_md(const struct place *place, const struct te_md *md, struct te_stripe *stripe)
{
	stripe->sectors = te_md_stripe(md);
	snprintf(stripe->from, sizeof(stripe->from), "%s (%s): chunks of %u KiB on %u data disks",
		 md->name, md->level, md->chunk_sectors / 2, md->data_disks);
	if (!stripe->sectors || stripe->sectors % 8 || stripe->sectors > MOST_SECTORS) {
		te_error("%s: the stripe of %s is %u sectors, and passdown takes multiples of 4 KiB up to 1 GiB",
			 place->path, md->name, stripe->sectors);
		return -EINVAL;
	}
	if (place->sector % stripe->sectors == 0)
		return 0;
	te_error("%s begins inside a stripe of %s (stripes of %u sectors, begins at sector %lld): begin it at the border of one, or make passdown on %s itself",
		 place->path, md->name, stripe->sectors, (long long)place->sector, md->name);
	return -EINVAL;
}

static int find_in_disk(const struct place *place, struct te_stripe *stripe)
{
	char name[64];
	u64 bytes = 0;

	te_sysfs_name(place->dev, name, sizeof(name));
	te_sysfs_number(place->dev, "queue/discard_granularity", &bytes);
	stripe->sectors = DEFAULT_SECTORS;
	if (bytes > (u64)DEFAULT_SECTORS << 9 && bytes % 4096 == 0 &&
	    bytes <= (u64)MOST_SECTORS << 9)
		stripe->sectors = (u32)(bytes >> 9);
	snprintf(stripe->from, sizeof(stripe->from), "%s discards in pieces of %s", name,
		 te_bytes(bytes ? bytes : 512));
	return 0;
}

static int refuse_layer(const struct place *place, const struct te_dm_target *target)
{
	if (!strcmp(target->type, TE_TARGET_PASSDOWN))
		te_error("%s lies on a passdown already", place->path);
	else if (!strcmp(target->type, "thin") || !strcmp(target->type, "thin-pool"))
		te_error("%s is of a thin pool: passdown belongs below the pool, on the array or the physical volume",
			 place->path);
	else
		te_error("%s lies on a device-mapper target '%s', whose stripe cannot be seen: give --stripe",
			 place->path, target->type);
	return -EINVAL;
}

static int find_in_target(const struct place *place, const struct te_dm_target *target,
			  struct te_stripe *stripe)
{
	unsigned int major_number, minor_number;
	unsigned long long sector;
	struct place below = *place;

	if (strcmp(target->type, "linear") ||
	    sscanf(target->parameters, "%u:%u %llu", &major_number, &minor_number, &sector) != 3)
		return refuse_layer(place, target);
	below.dev = makedev(major_number, minor_number);
	below.sector = place->sector + (int64_t)sector - (int64_t)target->start;
	below.layers++;
	return find(&below, stripe);
}

static int find_in_targets(const struct place *place, const struct te_dm_device *device,
			   struct te_stripe *stripe)
{
	struct te_dm_target *targets;
	struct te_stripe other;
	size_t nr, i;
	int err = te_dm_targets(device, &targets, &nr);

	if (err || !nr) {
		te_error("%s: the table of %s cannot be read: %s", place->path, device->name,
			 err ? strerror(-err) : "there is none");
		return err ? err : -EINVAL;
	}
	err = find_in_target(place, &targets[0], stripe);
	for (i = 1; !err && i < nr; i++) {
		err = find_in_target(place, &targets[i], &other);
		if (!err && other.sectors != stripe->sectors) {
			te_error("%s lies on stripes of %u and of %u sectors: give --stripe",
				 place->path, stripe->sectors, other.sectors);
			err = -EINVAL;
		}
	}
	free(targets);
	return err;
}

static int find(const struct place *place, struct te_stripe *stripe)
{
	struct place disk = *place;
	struct te_dm_device device;
	struct te_md md;
	u64 start;
	int err;

	if (place->layers > MOST_LAYERS) {
		te_error("%s: too many devices one below the other", place->path);
		return -ELOOP;
	}
	if (te_md_read(place->dev, &md)) {
		err = refuse_nested(place, &md);
		if (err || md.data_disks)
			return err ? err : find_in_md(place, &md, stripe);
	}
	if (te_sysfs_disk(place->dev, &disk.dev, &start)) {
		disk.sector += (int64_t)start;
		disk.layers++;
		return find(&disk, stripe);
	}
	if (te_sysfs_line(place->dev, "dm/name", device.name, sizeof(device.name)) &&
	    !te_dm_find_number(major(place->dev), minor(place->dev), &device))
		return find_in_targets(place, &device, stripe);
	return find_in_disk(place, stripe);
}

int te_stripe_find(dev_t dev, const char *path, struct te_stripe *stripe)
{
	struct place place = { .path = path, .dev = dev };
	u64 start;

	memset(stripe, 0, sizeof(*stripe));
	/* The target itself counts stripes from the beginning of a partition's disk. */
	te_sysfs_disk(dev, &place.dev, &start);
	return find(&place, stripe);
}

int te_stripe_settle(dev_t dev, const char *path, u32 given, struct te_stripe *stripe)
{
	char array[32];

	if (te_md_reshaping(dev, array, sizeof(array))) {
		te_error("%s: %s is being reshaped, and its stripe will be another: wait until that is done",
			 path, array);
		return -EBUSY;
	}
	if (!given)
		return te_stripe_find(dev, path, stripe);
	stripe->sectors = given;
	snprintf(stripe->from, sizeof(stripe->from), "as given");
	return 0;
}

bool te_md_reshaping(dev_t dev, char *name, size_t bytes)
{
	struct look look = { .wanted = is_reshaping };

	if (!look_at(&look, dev, ""))
		return false;
	snprintf(name, bytes, "%s", look.md.name);
	return true;
}

bool te_md_below(dev_t dev, struct te_md *md)
{
	struct look look = { .wanted = has_stripes };

	if (!look_at(&look, dev, ""))
		return false;
	*md = look.md;
	return true;
}
