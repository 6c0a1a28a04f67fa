// SPDX-License-Identifier: GPL-2.0-or-later
/* A block device or an image file of one, opened to be read. */
#include "source/image.h"

#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/say.h"

bool te_image_is_looped(const struct stat *file, char *device, size_t bytes)
{
	bool found = false;
	glob_t matches;
	size_t i;

	if (glob("/sys/block/loop*/loop/backing_file", 0, NULL, &matches))
		return false;
	for (i = 0; i < matches.gl_pathc && !found; i++) {
		FILE *attribute = fopen(matches.gl_pathv[i], "re");
		char backing[4096];
		struct stat st;

		if (!attribute)
			continue;
		if (fgets(backing, sizeof(backing), attribute)) {
			backing[strcspn(backing, "\n")] = '\0';
			found = !stat(backing, &st) && st.st_dev == file->st_dev &&
				st.st_ino == file->st_ino;
		}
		fclose(attribute);
		if (found)
			snprintf(device, bytes, "/dev/%.*s",
				 (int)strcspn(matches.gl_pathv[i] + strlen("/sys/block/"), "/"),
				 matches.gl_pathv[i] + strlen("/sys/block/"));
	}
	globfree(&matches);
	return found;
}

static int open_device(struct te_image *image, const struct stat *st, enum te_image_use use)
{
	int flags = O_RDONLY | O_CLOEXEC | O_DIRECT;
	u64 bytes;
	int err;

	/* On a block device O_EXCL claims it, as dm, md and mount do. */
	if (use == TE_IMAGE_ALONE)
		flags |= O_EXCL;
	image->fd = open(image->path, flags);
	if (image->fd < 0) {
		err = -errno;
		if (err == -EBUSY)
			te_error("%s is in use (by an active pool, a mount or another program): "
				 "deactivate the pool, or send it by its name", image->path);
		else
			te_error("cannot open %s: %s", image->path, strerror(-err));
		return err;
	}
	if (ioctl(image->fd, BLKGETSIZE64, &bytes)) {
		err = -errno;
		te_error("cannot tell the size of %s: %s", image->path, strerror(-err));
		return err;
	}
	image->bytes = bytes;
	image->block_device = true;
	image->dev = st->st_rdev;
	image->ino = 0;
	return 0;
}

static int open_file(struct te_image *image, const struct stat *st, enum te_image_use use)
{
	char loop[64];
	int err;

	image->fd = open(image->path, O_RDONLY | O_CLOEXEC);
	if (image->fd < 0) {
		err = -errno;
		te_error("cannot open %s: %s", image->path, strerror(-err));
		return err;
	}
	image->bytes = (u64)st->st_size;
	image->block_device = false;
	image->dev = st->st_dev;
	image->ino = st->st_ino;
	if (use == TE_IMAGE_SHARED)
		return 0;
	if (flock(image->fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK) {
		te_error("%s is locked: another program is writing it", image->path);
		return -EBUSY;
	}
	if (te_image_is_looped(st, loop, sizeof(loop))) {
		te_error("%s is attached to %s: name that device, or detach it (losetup -d %s)",
			 image->path, loop, loop);
		return -EBUSY;
	}
	return 0;
}

int te_image_open(struct te_image *image, const char *path, enum te_image_use use)
{
	struct stat st;
	int err;

	memset(image, 0, sizeof(*image));
	image->fd = -1;
	image->path = path;
	if (stat(path, &st)) {
		err = -errno;
		te_error("cannot open %s: %s", path, strerror(-err));
		return err;
	}
	if (S_ISBLK(st.st_mode)) {
		err = open_device(image, &st, use);
	} else if (S_ISREG(st.st_mode)) {
		err = open_file(image, &st, use);
	} else {
		te_error("%s is neither a block device nor a file", path);
		err = -EINVAL;
	}
	if (err)
		te_image_close(image);
	return err;
}

void te_image_close(struct te_image *image)
{
	if (image->path && image->fd >= 0)
		close(image->fd);
	image->fd = -1;
}

bool te_image_is(const struct te_image *image, const struct stat *st)
{
	if (!image->path)
		return false;
	if (image->block_device)
		return S_ISBLK(st->st_mode) && st->st_rdev == image->dev;
	return S_ISREG(st->st_mode) && st->st_dev == image->dev && st->st_ino == image->ino;
}

u64 te_image_bytes(const struct iovec *iov, int nr)
{
	u64 bytes = 0;

	while (nr--)
		bytes += iov++->iov_len;
	return bytes;
}

int te_image_read(const struct te_image *image, u64 offset, const struct iovec *iov, int nr)
{
	size_t skip = 0;		/* bytes of iov[0] that are there already */

	while (nr > 0) {
		struct iovec first = {
			.iov_base = (char *)iov[0].iov_base + skip,
			.iov_len = iov[0].iov_len - skip,
		};
		ssize_t got;

		/* After a short read the rest of that buffer comes alone. */
		got = skip ? pread(image->fd, first.iov_base, first.iov_len, (off_t)offset)
			   : preadv(image->fd, iov, nr, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -EIO;
		offset += (u64)got;
		got += (ssize_t)skip;
		while (nr > 0 && (size_t)got >= iov[0].iov_len) {
			got -= (ssize_t)iov[0].iov_len;
			iov++;
			nr--;
		}
		skip = (size_t)got;
	}
	return 0;
}
