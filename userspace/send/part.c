// SPDX-License-Identifier: GPL-2.0-or-later
/* FILE.part: the beginning of a stream that was interrupted on its way into FILE. */
#include "send/part.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "stream/stream_read.h"
#include "base/threads.h"

/* A folder that others may write to could hold their link under our name. */
static int open_own(struct te_part *part)
{
	struct stat st;

	part->fd = open(part->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (part->fd < 0 || fstat(part->fd, &st)) {
		int err = -errno;

		te_error("cannot open %s: %s", part->path, strerror(-err));
		return err;
	}
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1) {
		te_error("%s is not a file of this user alone: take it away", part->path);
		return -EPERM;
	}
	if (flock(part->fd, LOCK_EX | LOCK_NB)) {
		te_error("%s is being written by another send", part->path);
		return -EBUSY;
	}
	return 0;
}

/* Reads as far as it is whole.  What ends it is expected, and not said. */
static int read_whole(struct te_part *part, struct te_stream_reader *reader)
{
	char said[TE_SAID_BYTES] = "";
	bool is_continuation = false;
	struct te_record record;
	int more;

	te_stream_reader_keep(reader, said);
	while ((more = te_stream_next(reader, &record)) == 1) {
		if (record.kind == TE_RECORD_END)
			continue;
		is_continuation |= record.kind == TE_RECORD_RESUME;
		part->begun = te_stream_reader_place(reader, &part->place);
		part->bytes = te_stream_read_bytes(reader);
	}
	if (!more || (more == -EBADMSG && !is_continuation))
		return 0;
	if (said[0])
		te_say_kept(said);
	return more;
}

static int scan(struct te_part *part)
{
	struct te_stream_reader *reader = te_stream_reader_create(part->fd, part->path);
	int err;

	if (!reader) {
		te_error("no memory to read %s", part->path);
		return -ENOMEM;
	}
	err = te_stream_reader_use_threads(reader, te_threads_usable());
	if (!err)
		err = read_whole(part, reader);
	te_stream_reader_destroy(reader);
	return err;
}

/* A place is behind the catalog; with less than that there is nothing worth keeping. */
static int cut(struct te_part *part, u64 bytes)
{
	__le32 magic = cpu_to_le32(0);

	if (!part->begun)
		part->bytes = 0;
	if (!part->begun && bytes >= sizeof(magic) &&
	    (pread(part->fd, &magic, sizeof(magic), 0) != sizeof(magic) ||
	     (magic && le32_to_cpu(magic) != TE_FRAME_MAGIC))) {
		te_error("%s holds something that is no stream: take it away", part->path);
		return -EEXIST;
	}
	if (!ftruncate(part->fd, (off_t)part->bytes) &&
	    lseek(part->fd, (off_t)part->bytes, SEEK_SET) >= 0)
		return 0;
	te_error("cannot go on with %s: %s", part->path, strerror(errno));
	return -EIO;
}

int te_part_open(struct te_part *part, const char *file)
{
	/* A link's target is what is replaced, and the part lies beside it. */
	char *real = realpath(file, NULL);
	struct stat st;
	int err;

	*part = (struct te_part) { .fd = -1 };
	err = asprintf(&part->path, "%s.part", real ? real : file);
	free(real);
	if (err < 0) {
		part->path = NULL;
		te_error("not enough memory");
		return -ENOMEM;
	}
	err = open_own(part);
	if (!err && fstat(part->fd, &st))
		err = -errno;
	if (!err && st.st_size)
		err = scan(part);
	if (!err)
		err = cut(part, (u64)st.st_size);
	/* Not by te_part_close: what was not understood stays. */
	if (err && part->fd >= 0)
		close(part->fd);
	if (err) {
		free(part->path);
		*part = (struct te_part) { .fd = -1 };
	}
	return err;
}

void te_part_close(struct te_part *part)
{
	struct stat st;

	if (part->fd >= 0) {
		if (!fstat(part->fd, &st) && !st.st_size)
			unlink(part->path);
		close(part->fd);
	}
	free(part->path);
	*part = (struct te_part) { .fd = -1 };
}
