// SPDX-License-Identifier: GPL-2.0-or-later
/* The devices or files that are to become a new pool: opened for us alone, and looked at. */
#include "receive/target.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thinexport/thin_disk.h>
#include "receive/checkpoint.h"
#include "stream/frame.h"
#include "source/image.h"
#include "base/say.h"
#include "base/write_at.h"

static int refuse_open(const char *path, int err)
{
	if (err == -EBUSY)
		te_error("%s is in use (mounted, or part of a pool, an array or a volume group): free it first",
			 path);
	else if (err == -ENOENT)
		te_error("%s does not exist; a file must be made first, with the size it is to have: truncate -s SIZE %s",
			 path, path);
	else
		te_error("cannot open %s for writing: %s", path, strerror(-err));
	return err;
}

static bool same_thing(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode))
		return a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int te_target_open_device(struct te_target_part *part, int flags)
{
	int read_only = 0;
	u64 bytes;

	/* On a block device O_EXCL claims it, as dm, md and mount do. */
	part->fd = open(part->path, O_RDWR | O_EXCL | O_CLOEXEC | flags);
	if (part->fd < 0)
		return refuse_open(part->path, -errno);
	if (ioctl(part->fd, BLKROGET, &read_only) || read_only) {
		te_error("%s is read-only", part->path);
		return -EROFS;
	}
	if (ioctl(part->fd, BLKGETSIZE64, &bytes)) {
		te_error("cannot tell the size of %s: %s", part->path, strerror(errno));
		return -EIO;
	}
	part->bytes = bytes;
	return 0;
}

static int open_file(struct te_target_part *part, const struct stat *st)
{
	struct stat now;
	char loop[64];

	part->fd = open(part->path, O_RDWR | O_CLOEXEC);
	if (part->fd < 0)
		return refuse_open(part->path, -errno);
	/* What the name means now may be a device, which nobody has claimed for us. */
	if (fstat(part->fd, &now) || !S_ISREG(now.st_mode) || !same_thing(st, &now)) {
		te_error("%s has become another file meanwhile", part->path);
		return -ESTALE;
	}
	if (flock(part->fd, LOCK_EX | LOCK_NB)) {
		te_error("%s is locked: another program reads or writes it", part->path);
		return -EBUSY;
	}
	if (te_image_is_looped(st, loop, sizeof(loop))) {
		te_error("%s is attached to %s: name that device, or detach it (losetup -d %s)",
			 part->path, loop, loop);
		return -EBUSY;
	}
	part->is_file = true;
	part->bytes = (u64)now.st_size;
	return 0;
}

static int stat_part(const char *path, struct stat *st)
{
	if (stat(path, st))
		return refuse_open(path, -errno);
	if (S_ISBLK(st->st_mode) || S_ISREG(st->st_mode))
		return 0;
	te_error("%s is neither a block device nor a file", path);
	return -ENOTBLK;
}

static int refuse_content(const char *path, const char *what, const char *kind)
{
	te_error("%s holds %s%s: name another, or overwrite it with --force", path, what, kind);
	return -EEXIST;
}

/* A prober over all that libblkid knows, partition tables included.  NULL after one sentence. */
static blkid_probe new_probe(const char *path, int fd)
{
	blkid_probe probe = blkid_new_probe();

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0)) {
		te_error("cannot look for signatures on %s", path);
		if (probe)
			blkid_free_probe(probe);
		return NULL;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	return probe;
}

static int look_for_signature(const char *path, int fd)
{
	blkid_probe probe = new_probe(path, fd);
	const char *kind = NULL;
	int found, err = 0;

	if (!probe)
		return -EIO;
	found = blkid_do_safeprobe(probe);
	if (found == -2) {
		err = refuse_content(path, "signatures of several kinds", "");
	} else if (found == 0) {
		if (!blkid_probe_lookup_value(probe, "TYPE", &kind, NULL))
			err = refuse_content(path, "a signature of ", kind);
		else if (!blkid_probe_lookup_value(probe, "PTTYPE", &kind, NULL))
			err = refuse_content(path, "a partition table of kind ", kind);
	} else if (found < 0) {
		te_error("cannot look for signatures on %s: %s", path, strerror(errno));
		err = -EIO;
	}
	blkid_free_probe(probe);
	return err;
}

/* libblkid does not know dm-thin's metadata. */
static int look_for_pool(const char *path, int fd)
{
	struct thin_disk_superblock sb;

	if (pread(fd, &sb, sizeof(sb), 0) == (ssize_t)sizeof(sb) &&
	    le64_to_cpu(sb.magic) == THIN_SUPERBLOCK_MAGIC)
		return refuse_content(path, "the metadata of a thin pool", "");
	return 0;
}

/* What may be the only copy of somebody's pool. */
static int look_for_stream(const char *path, int fd)
{
	struct te_frame_header header;
	char why[160];

	if (pread(fd, &header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
	    !te_frame_check(&header, 0, why, sizeof(why)))
		return refuse_content(path, "a stream", "");
	return 0;
}

/*
 * A descriptor of its own: a prober's reads are not aligned as O_DIRECT wants.  Of
 * what is open, not of what has its name now.
 */
static int open_again(const struct te_target_part *part, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", part->fd);
	return open(path, flags | O_CLOEXEC);
}

static int look(const struct te_target_part *part)
{
	int fd = open_again(part, O_RDONLY);
	int err;

	if (fd < 0)
		return refuse_open(part->path, -errno);
	err = look_for_pool(part->path, fd);
	if (!err)
		err = look_for_stream(part->path, fd);
	if (!err)
		err = look_for_signature(part->path, fd);
	close(fd);
	return err;
}

static int open_part(struct te_target_part *part, const struct stat *st, int flags)
{
	return S_ISBLK(st->st_mode) ? te_target_open_device(part, flags) : open_file(part, st);
}

int te_target_open(struct te_target *target, const char *metadata, const char *data, bool force)
{
	struct stat metadata_stat, data_stat;
	int err;

	*target = (struct te_target) {
		.metadata = { .fd = -1, .path = metadata },
		.data = { .fd = -1, .path = data },
	};
	err = stat_part(metadata, &metadata_stat);
	if (!err)
		err = stat_part(data, &data_stat);
	if (!err && same_thing(&metadata_stat, &data_stat)) {
		te_error("%s and %s are the same: metadata and data need a device each", metadata,
			 data);
		err = -EINVAL;
	}
	if (!err)
		err = open_part(&target->metadata, &metadata_stat, 0);
	if (!err)
		err = open_part(&target->data, &data_stat, O_DIRECT);
	/* The data that has arrived may start with any signature: it is a volume's. */
	if (!err && !force)
		target->interrupted = te_checkpoint_is_there(target->metadata.fd);
	if (!err && !force && !target->interrupted)
		err = look(&target->metadata);
	if (!err && !force && !target->interrupted)
		err = look(&target->data);
	if (err)
		te_target_close(target);
	return err;
}

void te_target_close_device(struct te_target_part *part)
{
	if (part->fd >= 0)
		close(part->fd);
	part->fd = -1;
}

void te_target_close(struct te_target *target)
{
	te_target_close_device(&target->metadata);
	te_target_close_device(&target->data);
}

/* Signatures one after another: behind one there may be the next, as a backup copy. */
static int wipe(const struct te_target_part *part)
{
	int fd = open_again(part, O_RDWR), err = 0;
	blkid_probe probe;

	if (fd < 0)
		return refuse_open(part->path, -errno);
	probe = new_probe(part->path, fd);
	if (!probe)
		err = -EIO;
	while (!err) {
		int found = blkid_do_probe(probe);

		if (found < 0) {
			te_error("cannot look for signatures on %s: %s", part->path,
				 strerror(errno));
			err = -EIO;
		} else if (found == 1) {
			break;
		} else if (blkid_do_wipe(probe, 0)) {
			te_error("cannot take the old signatures off %s", part->path);
			err = -EIO;
		}
	}
	if (!err)
		err = te_flush_named(fd, part->path);
	if (probe)
		blkid_free_probe(probe);
	close(fd);
	return err;
}

static bool is_open_as(const struct te_target_part *part, const struct stat *st)
{
	struct stat own;

	return !fstat(part->fd, &own) && same_thing(&own, st);
}

int te_target_check_stream(const struct te_target *target, int fd, const char *name)
{
	struct stat st;

	if (fstat(fd, &st) || (!is_open_as(&target->metadata, &st) && !is_open_as(&target->data, &st)))
		return 0;
	te_error("%s is the stream that is to be received: name another file for the pool", name);
	return -EINVAL;
}

int te_target_wipe(const struct te_target *target)
{
	int err = wipe(&target->metadata);

	return err ? err : wipe(&target->data);
}
