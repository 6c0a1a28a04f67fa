// SPDX-License-Identifier: GPL-2.0-or-later
/* What a moment will be made of. */
#include "live/moment.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/say.h"
#include "live/mount.h"

/*
 * Metadata blocks a moment needs at most: a snapshot copies the way to its
 * entry in two trees, and the metadata snapshot is one block.  On top of it
 * the pool must go on living.
 */
#define BLOCKS_A_SNAPSHOT	8
#define BLOCKS_SPARE		64
#define MOST_USED_PERCENT	95

int te_moment_check_pool(const struct te_pool *pool)
{
	const char *name = pool->dm.name;

	if (pool->mode == TE_POOL_FAIL) {
		te_error("%s: the pool has failed, so nothing of it can be snapshotted; deactivate it, repair it (thin_check, thin_repair), or read its devices by --metadata and --data",
			 name);
		return -EIO;
	}
	if (pool->needs_check) {
		te_error("%s: the pool's metadata needs a check: deactivate it, then send its devices by --metadata and --data, or have it checked: thin_check --clear-needs-check-flag, or with that among LVM's global/thin_check_options activate it",
			 name);
		return -EUCLEAN;
	}
	if (pool->mode == TE_POOL_READ_ONLY) {
		te_error("%s: the pool is read-only or out of metadata space (%llu of %llu blocks are in use) and takes no snapshot; extend its metadata if that is full, or deactivate it and send its devices by --metadata and --data",
			 name, (unsigned long long)pool->used_metadata_blocks,
			 (unsigned long long)pool->nr_metadata_blocks);
		return -EROFS;
	}
	if (pool->mode == TE_POOL_OUT_OF_DATA) {
		te_error("%s: the pool is out of data space, and writes that wait for some would keep its volumes from standing still; extend it first, or deactivate it and send its devices by --metadata and --data",
			 name);
		return -ENOSPC;
	}
	if (pool->dm.suspended) {
		te_error("%s: the pool is suspended by someone else; wait for that, or resume it by `dmsetup resume %s`",
			 name, name);
		return -EBUSY;
	}
	if (pool->dm.inactive_table) {
		te_error("%s: another program is changing the pool's table; try again when it is done",
			 name);
		return -EBUSY;
	}
	if (pool->held_root) {
		te_error("%s: the pool has a metadata snapshot (block %llu) that is not ours, perhaps of thin_dump -m, thin_ls -m or thin_delta; when its owner is done, `dmsetup message %s 0 release_metadata_snap`",
			 name, (unsigned long long)pool->held_root, name);
		return -EBUSY;
	}
	return 0;
}

static int check_room(const struct te_pool *pool, size_t nr_snaps)
{
	u64 free_blocks = pool->nr_metadata_blocks - pool->used_metadata_blocks;
	u64 want = BLOCKS_SPARE + nr_snaps * BLOCKS_A_SNAPSHOT;

	if (pool->used_metadata_blocks * 100 > pool->nr_metadata_blocks * MOST_USED_PERCENT) {
		te_error("%s: %llu of the pool's %llu metadata blocks are in use, too many to take snapshots safely; extend its metadata, or deactivate it and send its devices by --metadata and --data",
			 pool->dm.name, (unsigned long long)pool->used_metadata_blocks,
			 (unsigned long long)pool->nr_metadata_blocks);
		return -ENOSPC;
	}
	if (free_blocks >= want)
		return 0;
	te_error("%s: snapshots of %zu volumes want %llu free metadata blocks, the pool has %llu; extend its metadata",
		 pool->dm.name, nr_snaps, (unsigned long long)want,
		 (unsigned long long)free_blocks);
	return -ENOSPC;
}

static bool is_other(const struct te_moment_ids *others, u32 id)
{
	size_t i;

	for (i = 0; i < others->nr; i++)
		if (others->ids[i] == id)
			return true;
	return false;
}

static int compare_thin(const void *dev_id, const void *thin)
{
	u32 x = *(const u32 *)dev_id, y = ((const struct te_thin *)thin)->dev_id;

	return x < y ? -1 : x > y;
}

/* They ascend by id. */
static const struct te_thin *find_thin(const struct te_moment *moment, u32 dev_id)
{
	return bsearch(&dev_id, moment->thins, moment->nr_thins, sizeof(*moment->thins),
		       compare_thin);
}

static bool is_chosen(const struct te_run *run, u32 dev_id)
{
	size_t i;

	for (i = 0; i < run->nr_volumes; i++)
		if (run->volumes[i].dev_id == dev_id)
			return true;
	return false;
}

/* The thins that are active, without the pins of this and other runs. */
static int list_thins(struct te_moment *moment, const struct te_pool *pool)
{
	size_t i, kept = 0;
	int err = te_pool_thins(pool, &moment->thins, &moment->nr_thins);

	for (i = 0; i < moment->nr_thins; i++)
		if (!moment->thins[i].ours)
			moment->thins[kept++] = moment->thins[i];
	moment->nr_thins = kept;
	return err;
}

/* By LVM's name, by dm name, by path, by id: the id, or -1. */
static long resolve(const struct te_moment *moment, const struct te_lvm *lvm, const char *wanted)
{
	const struct te_lvm_lv *lv = lvm ? te_lvm_find_name(lvm, wanted) : NULL;
	struct te_dm_device device;
	char *end;
	long id;
	size_t i;

	if (lv)
		return (long)lv->dev_id;
	for (i = 0; i < moment->nr_thins; i++)
		if (!strcmp(moment->thins[i].dm.name, wanted))
			return (long)moment->thins[i].dev_id;
	if (strchr(wanted, '/') && !te_dm_find(wanted, &device)) {
		for (i = 0; i < moment->nr_thins; i++)
			if (!strcmp(moment->thins[i].dm.name, device.name))
				return (long)moment->thins[i].dev_id;
	}
	id = strtol(wanted, &end, 10);
	return *wanted >= '0' && *wanted <= '9' && !*end && id <= THIN_DEV_ID_MAX ? id : -1;
}

static int refuse_external_origin(const char *name)
{
	te_error("%s has an external origin: part of what it shows lies outside the pool, so it cannot be sent from here; copy it into a volume of its own and send that, or name the volumes to send",
		 name);
	return -EOPNOTSUPP;
}

/* Active: its table tells its length. */
static int describe_thin(struct te_run_volume *volume, const struct te_thin *thin)
{
	volume->sectors = thin->sectors;
	memcpy(volume->name, thin->dm.name, sizeof(volume->name));
	if (thin->external_origin)
		return refuse_external_origin(thin->dm.name);
	if (thin->dm.suspended || thin->dm.inactive_table) {
		te_error("%s is %s by someone else; try again when that is done", thin->dm.name,
			 thin->dm.suspended ? "suspended" : "being changed");
		return -EBUSY;
	}
	return 0;
}

/* LVM's name comes before the device's, and its size helps where there is none. */
static int describe_lv(struct te_run_volume *volume, const struct te_lvm *lvm,
		       const struct te_lvm_lv *lv)
{
	if (!volume->sectors)
		volume->sectors = lv->sectors;
	snprintf(volume->name, sizeof(volume->name), "%s", lv->name);
	if (lv->merging && lv->origin)
		te_warn("%s is to be merged into %s when that is next activated; both are sent as they are now, and the merge must be asked for again where they arrive",
			lv->name, lv->origin);
	return te_lvm_has_external_origin(lvm, lv) ? refuse_external_origin(lv->name) : 0;
}

static int add_volume(struct te_run *run, const struct te_moment *moment,
		      const struct te_lvm *lvm, u32 dev_id)
{
	const struct te_lvm_lv *lv = lvm ? te_lvm_find_id(lvm, dev_id) : NULL;
	const struct te_thin *thin = find_thin(moment, dev_id);
	struct te_run_volume *more, *volume;
	int err = 0;

	more = realloc(run->volumes, (run->nr_volumes + 1) * sizeof(*more));
	if (!more) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	run->volumes = more;
	volume = &more[run->nr_volumes++];
	memset(volume, 0, sizeof(*volume));
	volume->dev_id = dev_id;
	if (thin)
		err = describe_thin(volume, thin);
	if (!err && lv)
		err = describe_lv(volume, lvm, lv);
	return err;
}

/* LVM's volumes are all in the pool; or they are not, and that is told. */
static int check_lvs(const struct te_peek *peek, const struct te_moment_wish *wish)
{
	size_t i;

	for (i = 0; wish->lvm && i < wish->lvm->nr_volumes; i++) {
		const struct te_lvm_lv *lv = wish->lvm->volumes[i];

		if (te_peek_find(peek, lv->dev_id))
			continue;
		if (wish->strict) {
			te_error("%s: LVM has a volume %s (device id %u), but the pool has not; --force sends the others",
				 wish->lvm->path, lv->name, lv->dev_id);
			return -ENODATA;
		}
		te_warn("%s: LVM has a volume %s (device id %u), but the pool has not",
			wish->lvm->path, lv->name, lv->dev_id);
	}
	return 0;
}

static int choose_all(struct te_moment *moment, struct te_run *run, const struct te_peek *peek,
		      const struct te_moment_wish *wish)
{
	size_t i;
	int err = check_lvs(peek, wish);

	moment->whole_pool = true;
	for (i = 0; !err && i < peek->nr_volumes; i++) {
		u32 dev_id = peek->volumes[i].dev_id;

		if (is_other(wish->others, dev_id))
			continue;
		if (wish->lvm && !te_lvm_find_id(wish->lvm, dev_id))
			moment->nr_orphans++;
		else
			err = add_volume(run, moment, wish->lvm, dev_id);
	}
	if (!err && !run->nr_volumes) {
		te_error("%s: the pool has no volumes", run->pool_name);
		return -ENODATA;
	}
	return err;
}

static int choose_id(struct te_moment *moment, struct te_run *run, const struct te_peek *peek,
		     const struct te_moment_wish *wish, const char *name, long id)
{
	if (id < 0 || !te_peek_find(peek, (u32)id)) {
		te_error("%s: the pool has no volume %s%s", run->pool_name, name,
			 wish->lvm ? "" :
			 "; by name only active ones are known, the others by id");
		return -ENOENT;
	}
	return is_chosen(run, (u32)id) ? 0 : add_volume(run, moment, wish->lvm, (u32)id);
}

static int choose_wanted(struct te_moment *moment, struct te_run *run, const struct te_peek *peek,
			 const struct te_moment_wish *wish)
{
	int err = 0;
	size_t i;

	for (i = 0; wish->lvm && !err && i < wish->lvm->nr_chosen; i++)
		err = choose_id(moment, run, peek, wish, wish->lvm->chosen[i]->name,
				(long)wish->lvm->chosen[i]->dev_id);
	for (i = 0; !err && i < wish->nr_wanted; i++)
		err = choose_id(moment, run, peek, wish, wish->wanted[i],
				resolve(moment, wish->lvm, wish->wanted[i]));
	return err;
}

#define ORPHANS_TOLD	8

/* Volumes that are the pool's but not LVM's. */
static void tell_orphans(const struct te_run *run, const struct te_peek *peek,
			 const struct te_moment_wish *wish)
{
	char ids[ORPHANS_TOLD * 10] = "";
	size_t nr = 0, i;

	for (i = 0; wish->lvm && i < peek->nr_volumes; i++) {
		u32 dev_id = peek->volumes[i].dev_id;

		if (te_lvm_find_id(wish->lvm, dev_id) || is_other(wish->others, dev_id) ||
		    is_chosen(run, dev_id))
			continue;
		if (nr++ < ORPHANS_TOLD)
			snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), " %u", dev_id);
	}
	if (nr)
		te_note("%s: the pool has %zu volume%s that LVM does not know, by device id%s%s; not sent unless asked for by --volume ID",
			wish->lvm->path, nr, nr == 1 ? "" : "s", ids,
			nr > ORPHANS_TOLD ? " ..." : "");
}

static int by_id(const void *a, const void *b)
{
	const struct te_run_volume *x = a, *y = b;

	return x->dev_id < y->dev_id ? -1 : x->dev_id > y->dev_id;
}

/* Free ids, from the highest down. */
static int choose_ids(struct te_run *run, const struct te_peek *peek,
		      const struct te_moment_ids *others)
{
	long id = THIN_DEV_ID_MAX;
	size_t i;

	for (i = 0; i < run->nr_volumes; i++, id--) {
		while (id >= 0 && (te_peek_find(peek, (u32)id) || is_other(others, (u32)id)))
			id--;
		if (id < 0) {
			te_error("%s: the pool has no device id free", run->pool_name);
			return -ENOSPC;
		}
		run->volumes[i].snap_id = (u32)id;
	}
	return 0;
}

static void mark_mounted(dev_t device, const char *point, void *context)
{
	struct te_moment *moment = context;
	size_t i;

	for (i = 0; i < moment->nr_thins; i++)
		if (device == makedev(moment->thins[i].dm.major, moment->thins[i].dm.minor))
			moment->thins[i].mounted = true;
}

static void add_freeze(struct te_moment *moment, struct te_run *run, const struct te_thin *thin)
{
	run->suspends[run->nr_suspends][0] = thin->dm.major;
	run->suspends[run->nr_suspends++][1] = thin->dm.minor;
	moment->freeze[moment->nr_freeze++] = makedev(thin->dm.major, thin->dm.minor);
}

/*
 * Not active, or read-only and not open: no write is under way, nor can one begin.
 * One who opened it before it became read-only may write on.
 */
static bool is_still(const struct te_moment *moment, const struct te_run *run)
{
	size_t i;

	for (i = 0; i < run->nr_volumes; i++) {
		const struct te_thin *thin = find_thin(moment, run->volumes[i].dev_id);

		if (thin && (!thin->dm.read_only || thin->dm.open_count > 0))
			return false;
	}
	return true;
}

/* The chosen volumes that somebody has open, the mounted ones first. */
static int choose_freeze(struct te_moment *moment, struct te_run *run)
{
	const struct te_thin *thin;
	size_t i, mounted;

	moment->freeze = calloc(run->nr_volumes, sizeof(*moment->freeze));
	run->suspends = calloc(run->nr_volumes, sizeof(*run->suspends));
	if (!moment->freeze || !run->suspends) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	moment->still = is_still(moment, run);
	if (moment->still)
		return 0;
	te_mount_each(mark_mounted, moment);
	for (mounted = 2; mounted-- > 0;) {
		for (i = 0; i < run->nr_volumes; i++) {
			thin = find_thin(moment, run->volumes[i].dev_id);
			if (thin && thin->dm.open_count > 0 && thin->mounted == mounted)
				add_freeze(moment, run, thin);
		}
		if (mounted)
			moment->nr_mounted = moment->nr_freeze;
	}
	return 0;
}

int te_moment_choose(struct te_moment *moment, struct te_run *run, const struct te_pool *pool,
		     const struct te_moment_wish *wish)
{
	bool all = !wish->nr_wanted && (!wish->lvm || !wish->lvm->nr_chosen);
	struct te_peek peek;
	int err;

	memset(moment, 0, sizeof(*moment));
	err = list_thins(moment, pool);
	if (err)
		return err;
	err = te_peek_pool(pool, false, &peek);
	if (err)
		return err;
	run->time_before = peek.sb.time;
	err = all ? choose_all(moment, run, &peek, wish) :
		    choose_wanted(moment, run, &peek, wish);
	if (!err) {
		tell_orphans(run, &peek, wish);
		qsort(run->volumes, run->nr_volumes, sizeof(*run->volumes), by_id);
		err = choose_ids(run, &peek, wish->others);
	}
	if (!err)
		err = choose_freeze(moment, run);
	if (!err)
		err = check_room(pool, run->nr_volumes);
	te_peek_free(&peek);
	return err;
}

void te_moment_free(struct te_moment *moment)
{
	free(moment->thins);
	free(moment->freeze);
	memset(moment, 0, sizeof(*moment));
}

/* Blanks and the like stand in mountinfo as \040: three octal digits. */
static void decode(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				       (text[3] - '0'));
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

static void sync_mount(dev_t device, const char *point, void *context)
{
	const struct te_moment *moment = context;
	char path[4096];
	size_t i;
	int fd;

	for (i = 0; i < moment->nr_freeze && moment->freeze[i] != device; i++)
		;
	if (i == moment->nr_freeze)
		return;
	snprintf(path, sizeof(path), "%s", point);
	decode(path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	/* An error here comes again, and is told, when the file system is frozen. */
	if (syncfs(fd))
		te_warn("%s: cannot be synced: %s", path, strerror(errno));
	close(fd);
}

static void sync_device(dev_t device)
{
	char path[64];
	int fd;

	if (te_block_path(major(device), minor(device), path, sizeof(path)))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fdatasync(fd))
		te_warn("%s: cannot be synced: %s", path, strerror(errno));
	close(fd);
}

void te_moment_sync(const struct te_moment *moment)
{
	size_t i;

	te_mount_each(sync_mount, (void *)moment);
	for (i = 0; i < moment->nr_freeze; i++)
		sync_device(moment->freeze[i]);
}

int te_moment_verify(const struct te_moment *moment, struct te_run *run,
		     const struct te_pool *pool, const struct te_moment_ids *others)
{
	const struct te_details *volume, *snap;
	size_t i, nr_others = 0;
	struct te_peek held;
	int err = te_peek_pool(pool, true, &held);

	if (err)
		return err;
	/* Another program's snapshots between the choice and the window count too. */
	snap = te_peek_find(&held, run->volumes[0].snap_id);
	if (snap)
		run->time_before = snap->creation_time - 1;
	for (i = 0; i < run->nr_volumes && !err; i++) {
		volume = te_peek_find(&held, run->volumes[i].dev_id);
		snap = te_peek_find(&held, run->volumes[i].snap_id);
		if (!volume || !snap || volume->root != snap->root ||
		    snap->creation_time != te_run_creation_time(run, i)) {
			te_error("%s: volume %u and its snapshot differ in the metadata snapshot: another program wrote to the pool's metadata meanwhile; try again",
				 pool->dm.name, run->volumes[i].dev_id);
			err = -EIO;
		} else {
			run->volumes[i].moment = *volume;
		}
	}
	for (i = 0; i < held.nr_volumes; i++)
		nr_others += is_other(others, held.volumes[i].dev_id);
	if (!err && moment->whole_pool &&
	    held.nr_volumes != 2 * run->nr_volumes + nr_others + moment->nr_orphans)
		err = -EAGAIN;
	te_peek_free(&held);
	return err;
}
