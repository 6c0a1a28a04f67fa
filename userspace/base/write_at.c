// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes to their place on a device or in a file. */
#include "base/write_at.h"

#include <unistd.h>

#include "base/say.h"

int te_write_at(int fd, const void *p, size_t bytes, u64 *offset)
{
	const u8 *from = p;

	while (bytes) {
		ssize_t done = pwrite(fd, from, bytes, (off_t)*offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -ENOSPC;
		from += done;
		bytes -= (size_t)done;
		*offset += (u64)done;
	}
	return 0;
}

int te_write_named(int fd, const char *name, const void *p, size_t bytes, u64 offset)
{
	int err = te_write_at(fd, p, bytes, &offset);

	if (err)
		te_error("%s: cannot write at byte %llu: %s", name, (unsigned long long)offset,
			 strerror(-err));
	return err;
}

int te_flush_named(int fd, const char *name)
{
	int err;

	if (!fsync(fd))
		return 0;
	err = -errno;
	te_error("%s: cannot flush to disk: %s", name, strerror(-err));
	return err;
}
