// SPDX-License-Identifier: GPL-2.0-or-later
/* The mark of a window: how far it got, in memory that outlives its process. */
#include "live/mark.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "live/lock.h"
#include "base/say.h"

#define MARK_BYTES	4096u

static void mark_path(const struct te_run *run, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.%s.window", TE_LOCK_FOLDER, run->pool_name, run->id);
}

/* A new file, or -1 without one: then memory serves. */
static int create(const char *path)
{
	struct statfs fs;
	int fd;

	if (statfs(TE_LOCK_FOLDER, &fs) || fs.f_type != TMPFS_MAGIC)
		return -1;
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd >= 0 && posix_fallocate(fd, 0, MARK_BYTES)) {
		close(fd);
		unlink(path);
		return -1;
	}
	return fd;
}

_Atomic int *te_mark_map(const struct te_run *run)
{
	char path[PATH_MAX];
	_Atomic int *mark;
	int fd;

	mark_path(run, path);
	fd = create(path);
	mark = mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE,
		    MAP_POPULATE | MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);
	if (fd >= 0)
		close(fd);
	if (mark == MAP_FAILED) {
		te_error("cannot map %s: %s", path, strerror(errno));
		return NULL;
	}
	atomic_store(mark, TE_MARK_BEGUN);
	return mark;
}

void te_mark_unmap(_Atomic int *mark)
{
	munmap(mark, MARK_BYTES);
}

enum te_mark te_mark_read(const struct te_run *run)
{
	char path[PATH_MAX];
	int fd, mark = TE_MARK_LOST;

	mark_path(run, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return TE_MARK_LOST;
	if (pread(fd, &mark, sizeof(mark), 0) != (ssize_t)sizeof(mark) ||
	    mark < TE_MARK_LOST || mark > TE_MARK_RESERVED)
		mark = TE_MARK_LOST;
	close(fd);
	return (enum te_mark)mark;
}

void te_mark_drop(const struct te_run *run)
{
	char path[PATH_MAX];

	mark_path(run, path);
	unlink(path);
}
