// SPDX-License-Identifier: GPL-2.0-or-later
/* LVM's lock of a volume group. */
#include "lvm/lvm_lock.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/say.h"

#define TRIES	300			/* of 100 ms */

/* "vg-pool-tpool" is of group vg; a dash of its name is doubled. */
static bool group_of(const char *dm_name, char *group, size_t bytes)
{
	size_t length = 0;

	for (; *dm_name && length + 1 < bytes; dm_name++) {
		if (*dm_name == '-' && *++dm_name != '-') {
			group[length] = '\0';
			return length > 0;
		}
		group[length++] = *dm_name;
	}
	return false;
}

/* LVM takes its file away when it is done: what we have locked may be no file any more. */
static bool is_still(int fd, const char *path)
{
	struct stat here, there;

	return !fstat(fd, &here) && !stat(path, &there) && here.st_ino == there.st_ino &&
	       here.st_dev == there.st_dev;
}

static int try_lock(const char *path, int kind)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0700);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (flock(fd, kind | LOCK_NB))
		err = -errno;
	else if (!is_still(fd, path))
		err = -EWOULDBLOCK;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* `to_end`: whatever signals come. */
static int lock_group(const char *group, int kind, const char *wanted, bool to_end)
{
	char path[PATH_MAX];
	int lock, tries;

	/* Where LVM never ran there is nobody to be kept out. */
	if (access(TE_LVM_LOCK_FOLDER, F_OK))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/V_%s", TE_LVM_LOCK_FOLDER, group);
	for (tries = 0;; tries++) {
		lock = try_lock(path, kind);
		if (lock != -EWOULDBLOCK)
			break;
		if (tries == TRIES) {
			te_error("%s: an LVM command has kept the volume group %s locked for %u s; try again when it is done",
				 wanted, group, TRIES / 10);
			return -EBUSY;
		}
		if (!to_end && te_interrupted())
			return -EINTR;
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	if (lock < 0)
		te_error("cannot lock %s: %s", path, strerror(-lock));
	return lock;
}

int te_lvm_lock(const struct te_pool *pool)
{
	char group[TE_DM_NAME_BYTES];

	if (strncmp(pool->dm.uuid, "LVM-", 4) ||
	    !group_of(pool->dm.name, group, sizeof(group)))
		return -ENOENT;
	return lock_group(group, LOCK_EX, pool->dm.name, false);
}

int te_lvm_lock_group(const char *group, const char *wanted)
{
	int lock = lock_group(group, LOCK_EX, wanted, false);

	if (lock == -ENOENT)
		te_error("%s: there is no folder %s, where LVM keeps its locks", wanted,
			 TE_LVM_LOCK_FOLDER);
	return lock;
}

int te_lvm_lock_undo(const char *group, const char *wanted)
{
	return lock_group(group, LOCK_EX, wanted, true);
}

int te_lvm_wait(const char *group, const char *wanted)
{
	int lock = lock_group(group, LOCK_EX, wanted, false);

	if (lock >= 0)
		close(lock);
	return lock < 0 && lock != -ENOENT ? lock : 0;
}

int te_lvm_lock_shared(const char *group, const char *wanted)
{
	return lock_group(group, LOCK_SH, wanted, false);
}
