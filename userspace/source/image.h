/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A block device or an image file of one, opened to be read. */
#ifndef TE_IMAGE_H
#define TE_IMAGE_H

#include <sys/stat.h>
#include <sys/uio.h>

#include "core/seam.h"

enum te_image_use {
	/*
	 * Nobody else may have it: a device is claimed, so that one which an
	 * active pool or a mount holds is refused; a file is locked (flock,
	 * shared) and refused when a loop device stands on it.
	 */
	TE_IMAGE_ALONE,
	TE_IMAGE_SHARED,		/* whoever has it, keeps it */
};

struct te_image {
	int fd;
	const char *path;		/* the caller's */
	u64 bytes;
	bool block_device;
	dev_t dev;			/* of the device itself, or of the file system */
	ino_t ino;			/* of a file; 0 for a device */
};

/*
 * Opens read-only, a device with O_DIRECT: what dm-thin writes below the page
 * cache must be seen, not what the cache remembers.  0, or -errno after one
 * sentence that names the path.
 */
int te_image_open(struct te_image *image, const char *path, enum te_image_use use);
void te_image_close(struct te_image *image);	/* also one that was never opened */

/* True, with the device's path, when a loop device stands on the file. */
bool te_image_is_looped(const struct stat *file, char *device, size_t bytes);

/* True when `st` is of what was opened. */
bool te_image_is(const struct te_image *image, const struct stat *st);

/* How long buffers are together. */
u64 te_image_bytes(const struct iovec *iov, int nr);

/*
 * Reads all of it, from `offset`; buffers, lengths and offset are multiples of
 * 4 KiB.  0 or -errno, silent; -EIO when the image ends before.
 */
int te_image_read(const struct te_image *image, u64 offset, const struct iovec *iov, int nr);

#endif
