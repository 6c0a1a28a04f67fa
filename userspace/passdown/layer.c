// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether a passdown may be put over a device. */
#include "passdown/layer.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/say.h"
#include "live/mount.h"
#include "passdown/shim.h"
#include "passdown/sysfs.h"

struct holder {
	const char *path;		/* of the device that is held */
	const char *but;		/* a dm name that may hold it, or NULL */
};

/* What stands on the device, in words. */
static int refuse_holder(void *context, dev_t dev, const char *name)
{
	const struct holder *holder = context;
	struct te_dm_device device;
	struct te_shim shim;

	if (te_dm_find_number(major(dev), minor(dev), &device)) {
		te_error("%s is part of %s, which is running: stop that first, or put the passdown on %s",
			 holder->path, name, name);
		return -EBUSY;
	}
	if (holder->but && !strcmp(device.name, holder->but))
		return 0;
	if (te_shim_read(&device, &shim) > 0)
		te_error("%s has a passdown already: /dev/mapper/%s", holder->path, device.name);
	else if (!strncmp(device.uuid, "LVM-", 4))
		te_error("%s is a physical volume in use: %s lies on it; deactivate its volume group first (vgchange -an)",
			 holder->path, device.name);
	else
		te_error("%s is in use: the device %s lies on it", holder->path, device.name);
	return -EBUSY;
}

static int refuse_partition(void *context, dev_t dev, const char *name)
{
	const char *path = context;
	u64 number;

	if (!te_sysfs_number(dev, "partition", &number))
		return 0;
	te_error("%s has partitions: put the passdown on one of them (/dev/%s), so that both ways to it are not open at once",
		 path, name);
	return -EINVAL;
}

struct mounted {
	dev_t dev;
	const char *path;
	bool said;
};

static void refuse_mount(dev_t device, const char *point, void *context)
{
	struct mounted *mounted = context;

	if (device == mounted->dev && !mounted->said) {
		te_error("%s is mounted on %s: unmount it first", mounted->path, point);
		mounted->said = true;
	}
}

/* As dm, md, mount and swapon claim it. */
static int open_alone(const char *path, u64 *sectors)
{
	int fd = open(path, O_RDWR | O_EXCL | O_CLOEXEC), read_only = 0, err = 0;
	u64 bytes;

	if (fd < 0 && errno == EBUSY) {
		te_error("%s is held open by somebody (a file system of another mount namespace, swap, an array): see `lsblk %s`, and free it first",
			 path, path);
		return -EBUSY;
	}
	if (fd < 0) {
		err = -errno;
		te_error("cannot open %s for writing: %s", path, strerror(-err));
		return err;
	}
	if (ioctl(fd, BLKROGET, &read_only) || read_only) {
		te_error("%s is read-only", path);
		err = -EROFS;
	} else if (ioctl(fd, BLKGETSIZE64, &bytes)) {
		err = -errno;
		te_error("cannot tell the size of %s: %s", path, strerror(-err));
	} else if (!bytes) {
		te_error("%s has no size: it is not running, or not yet", path);
		err = -ENXIO;
	} else {
		*sectors = bytes >> 9;
	}
	close(fd);
	return err;
}

int te_layer_free(const char *path, struct te_layer *layer)
{
	struct holder holder = { .path = path };
	struct mounted mounted = { .path = path };
	struct te_dm_device device;
	struct te_shim shim;
	struct stat st;
	int err;

	if (stat(path, &st)) {
		err = -errno;
		te_error("%s: %s", path, strerror(-err));
		return err;
	}
	if (!S_ISBLK(st.st_mode)) {
		te_error("%s is no block device", path);
		return -ENOTBLK;
	}
	layer->dev = mounted.dev = st.st_rdev;
	if (!te_dm_find_number(major(st.st_rdev), minor(st.st_rdev), &device) &&
	    te_shim_read(&device, &shim) > 0) {
		te_error("%s is a passdown itself", path);
		return -EINVAL;
	}
	err = te_sysfs_each(layer->dev, "holders", refuse_holder, &holder);
	if (err)
		return err;
	te_mount_each(refuse_mount, &mounted);
	if (mounted.said)
		return -EBUSY;
	err = te_sysfs_each(layer->dev, ".", refuse_partition, (void *)path);
	return err ? err : open_alone(path, &layer->sectors);
}

int te_layer_alone(const char *path, const struct te_layer *layer, const char *name)
{
	struct holder holder = { .path = path, .but = name };

	return te_sysfs_each(layer->dev, "holders", refuse_holder, &holder);
}

static int found_holder(void *context, dev_t dev, const char *name)
{
	return 1;
}

bool te_layer_ready(dev_t dev)
{
	char path[64];
	u64 sectors;
	int fd;

	if (!te_sysfs_number(dev, "size", &sectors) || !sectors)
		return false;
	if (te_sysfs_each(dev, "holders", found_holder, NULL) ||
	    te_block_path(major(dev), minor(dev), path, sizeof(path)))
		return true;
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return errno != EBUSY;
	close(fd);
	return true;
}
