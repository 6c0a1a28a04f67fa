// SPDX-License-Identifier: GPL-2.0-or-later
/* One at a time for each pool. */
#include "live/lock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/say.h"

#define TRIES		30		/* of 100 ms */

static void name_owner(int fd, const char *pool_name)
{
	char owner[32] = "";
	ssize_t bytes = pread(fd, owner, sizeof(owner) - 1, 0);

	if (bytes > 0)
		owner[strcspn(owner, "\n")] = '\0';
	te_error("%s: another thinexport is at work on this pool (process %s); wait for it or end it",
		 pool_name, owner[0] ? owner : "unknown");
}

static int take(int fd)
{
	int tries;

	for (tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
		if (errno != EWOULDBLOCK || tries == TRIES)
			return -errno;
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
	return 0;
}

int te_lock_pool(const char *pool_name)
{
	char path[PATH_MAX], owner[32];
	int fd, err, bytes;

	if (mkdir(TE_LOCK_FOLDER, 0700) && errno != EEXIST) {
		err = -errno;
		te_error("cannot make %s: %s", TE_LOCK_FOLDER, strerror(-err));
		return err;
	}
	snprintf(path, sizeof(path), "%s/%s.lock", TE_LOCK_FOLDER, pool_name);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err = -errno;
		te_error("cannot open %s: %s", path, strerror(-err));
		return err;
	}
	err = take(fd);
	if (err == -EWOULDBLOCK) {
		name_owner(fd, pool_name);
		close(fd);
		return -EBUSY;
	}
	bytes = snprintf(owner, sizeof(owner), "%d\n", (int)getpid());
	if (!err && (ftruncate(fd, 0) || pwrite(fd, owner, (size_t)bytes, 0) != bytes))
		err = -errno;
	if (err) {
		te_error("cannot lock %s: %s", path, strerror(-err));
		close(fd);
		return err;
	}
	return fd;
}

static bool is_of_dead(int fd)
{
	char owner[32] = "";
	long pid;

	if (pread(fd, owner, sizeof(owner) - 1, 0) <= 0)
		return false;
	pid = strtol(owner, NULL, 10);
	return pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
}

void te_lock_wait_for_dead(void)
{
	DIR *folder = opendir(TE_LOCK_FOLDER);
	struct dirent *entry;
	int fd;

	while (folder && (entry = readdir(folder))) {
		fd = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd < 0)
			continue;
		if (flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK && is_of_dead(fd))
			take(fd);
		close(fd);
	}
	if (folder)
		closedir(folder);
}

void te_unlock_pool(int lock)
{
	/* The file stays: taking it away would let two hold locks of one name. */
	if (ftruncate(lock, 0))
		te_warn("cannot clear the pool's lock file: %s", strerror(errno));
	close(lock);
}
