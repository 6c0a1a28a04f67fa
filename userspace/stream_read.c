// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading a stream: frames taken off the input, unpacked, and checked. */
#include "stream_read.h"

#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec.h"
#include "frame.h"
#include "interrupt.h"
#include "say.h"
#include "stream_check.h"

#define PAGE_BYTES	4096u
#define HEADER_BYTES	sizeof(struct te_frame_header)

/* Table and data, the data aligned, and a NUL behind the longest catalog. */
#define RAW_ROOM	(TE_FRAME_MAX_RAW + 2 * PAGE_BYTES)

struct te_stream_reader {
	int fd;
	const char *name;
	int result;			/* an error, once there was one */
	bool ended;			/* END has been returned */
	u8 *raw;			/* RAW_ROOM, aligned */
	u8 *stored;			/* TE_FRAME_MAX_RAW: a payload before decoding */
	void *decoder[TE_CODEC_ZSTD + 1];	/* by codec, made when first met */
	struct te_frame_header header;
	u64 sequence;			/* of the frame that comes next, or is being read */
	u64 offset;			/* where it starts */
	u64 position;			/* bytes read */
	u64 digest;			/* of the headers before it */
	struct te_stream_check check;
};

int te_stream_open(const char *path, const char **name)
{
	struct stat status;
	int fd = STDIN_FILENO;

	*name = "standard input";
	if (path && strcmp(path, "-")) {
		*name = path;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &status)) {
		te_error("%s: cannot be opened: %s", *name, strerror(errno));
		return -errno;
	}
	if (S_ISDIR(status.st_mode)) {
		te_error("%s is a directory, and a stream is a file or a pipe", *name);
		close(fd);
		return -EISDIR;
	}
	if (isatty(fd)) {
		te_error("%s is a terminal, and a stream is not text: give a FILE, or a pipe",
			 *name);
		return -EINVAL;
	}
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	return fd;
}

struct te_stream_reader *te_stream_reader_create(int fd, const char *name)
{
	struct te_stream_reader *reader = te_alloc(sizeof(*reader));

	if (!reader)
		return NULL;
	reader->fd = fd;
	reader->name = name;
	reader->raw = aligned_alloc(PAGE_BYTES, RAW_ROOM);
	reader->stored = malloc(TE_FRAME_MAX_RAW);
	if (!te_stream_check_init(&reader->check) && reader->raw && reader->stored)
		return reader;
	te_stream_reader_destroy(reader);
	return NULL;
}

void te_stream_reader_destroy(struct te_stream_reader *reader)
{
	unsigned int id;

	if (!reader)
		return;
	for (id = 0; id < ARRAY_SIZE(reader->decoder); id++)
		if (reader->decoder[id])
			te_codec_find(id)->decoder_destroy(reader->decoder[id]);
	te_stream_check_exit(&reader->check);
	free(reader->stored);
	free(reader->raw);
	te_free(reader);
}

/* "NAME: frame 3 (byte 4711) <what is wrong>", and the end of reading. */
__attribute__((format(printf, 3, 4)))
static int refuse(struct te_stream_reader *reader, int err, const char *format, ...)
{
	char why[320];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	te_error("%s: frame %llu (byte %llu) %s", reader->name,
		 (unsigned long long)reader->sequence, (unsigned long long)reader->offset, why);
	reader->result = err;
	return err;
}

/*
 * Reads `bytes`, or fewer when the input ends before; how many, or -errno after
 * one sentence.
 */
static ssize_t read_some(struct te_stream_reader *reader, void *p, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n;

		if (te_interrupted()) {
			reader->result = -EINTR;
			return -EINTR;
		}
		n = read(reader->fd, (u8 *)p + done, bytes - done);
		if (!n)
			break;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = reader->fd, .events = POLLIN };

			poll(&wait, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			reader->result = -errno;
			te_error("%s: cannot read the stream at byte %llu: %s", reader->name,
				 (unsigned long long)reader->position, strerror(errno));
			return reader->result;
		}
		done += (size_t)n;
		reader->position += (u64)n;
	}
	return (ssize_t)done;
}

/* Reads just as many bytes; the stream may not end here. */
static int read_all(struct te_stream_reader *reader, void *p, size_t bytes)
{
	const __le32 magic = cpu_to_le32(TE_FRAME_MAGIC);
	ssize_t n = read_some(reader, p, bytes);

	if (n < 0)
		return (int)n;
	if ((size_t)n == bytes)
		return 0;
	reader->result = -EBADMSG;
	if (!reader->position)
		te_error("%s is empty: there is no stream in it", reader->name);
	else if (!reader->sequence && p == &reader->header && memcmp(p, &magic, n < 4 ? (size_t)n : 4))
		te_error("%s is not a thinexport stream", reader->name);
	else
		te_error("%s: the stream is cut short: it ends at byte %llu, in frame %llu, before its END",
			 reader->name, (unsigned long long)reader->position,
			 (unsigned long long)reader->sequence);
	return -EBADMSG;
}

static int read_header(struct te_stream_reader *reader)
{
	char why[200];
	int err = read_all(reader, &reader->header, HEADER_BYTES);

	if (err)
		return err;
	if (!reader->sequence && le32_to_cpu(reader->header.magic) != TE_FRAME_MAGIC) {
		te_error("%s is not a thinexport stream", reader->name);
		reader->result = -EBADMSG;
		return -EBADMSG;
	}
	err = te_frame_check(&reader->header, reader->sequence, why, sizeof(why));
	return err ? refuse(reader, err, "%s", why) : 0;
}

/* The table ends where the data starts, and that is at a page. */
static u8 *raw_place(struct te_stream_reader *reader)
{
	size_t table_bytes = le32_to_cpu(reader->header.table_bytes);

	return reader->raw + round_up(table_bytes, (size_t)PAGE_BYTES) - table_bytes;
}

static int read_stored(struct te_stream_reader *reader, void *place)
{
	size_t stored_bytes = le32_to_cpu(reader->header.stored_bytes);
	u32 wanted = le32_to_cpu(reader->header.payload_csum);
	int err = read_all(reader, place, stored_bytes);

	if (err)
		return err;
	if (te_frame_csum(place, stored_bytes) != wanted)
		return refuse(reader, -EBADMSG,
			      "has a damaged payload (checksum 0x%08x, wanted 0x%08x)",
			      te_frame_csum(place, stored_bytes), wanted);
	return 0;
}

static int decode(struct te_stream_reader *reader, u8 *raw)
{
	unsigned int id = reader->header.codec;
	const struct te_codec *codec = te_codec_find(id);

	if (!reader->decoder[id])
		reader->decoder[id] = codec->decoder_create();
	if (!reader->decoder[id])
		return refuse(reader, -ENOMEM, "cannot be decoded: not enough memory");
	if (codec->decode(reader->decoder[id], reader->stored,
			  le32_to_cpu(reader->header.stored_bytes), raw,
			  le32_to_cpu(reader->header.raw_bytes)))
		return 0;
	return refuse(reader, -EBADMSG, "does not decode by %s to the %u bytes it says", codec->name,
		      le32_to_cpu(reader->header.raw_bytes));
}

/* The payload, decoded, at raw_place. */
static int read_payload(struct te_stream_reader *reader)
{
	bool encoded = reader->header.codec != TE_CODEC_NONE;
	u8 *raw = raw_place(reader);
	int err = read_stored(reader, encoded ? reader->stored : raw);

	if (!err && encoded)
		err = decode(reader, raw);
	return err;
}

static void fill_ops(struct te_stream_reader *reader, struct te_record *record, const u8 *raw)
{
	size_t table_bytes = le32_to_cpu(reader->header.table_bytes);

	record->kind = TE_RECORD_OPS;
	record->ops.ops = (const struct te_op *)raw;
	record->ops.nr_ops = table_bytes / sizeof(struct te_op);
	record->ops.data = raw + table_bytes;
	record->ops.data_bytes = le32_to_cpu(reader->header.raw_bytes) - table_bytes;
}

static void fill_record(struct te_stream_reader *reader, struct te_record *record)
{
	const void *raw = raw_place(reader);

	switch (le16_to_cpu(reader->header.kind)) {
	case TE_FRAME_BEGIN:
		record->kind = TE_RECORD_BEGIN;
		record->begin = raw;
		break;
	case TE_FRAME_CATALOG:
		record->kind = TE_RECORD_CATALOG;
		record->catalog = raw;
		break;
	case TE_FRAME_VOLUME:
		record->kind = TE_RECORD_VOLUME;
		record->volume = raw;
		break;
	case TE_FRAME_OPS:
		fill_ops(reader, record, raw);
		break;
	case TE_FRAME_VOLUME_END:
		record->kind = TE_RECORD_VOLUME_END;
		record->volume_end = raw;
		break;
	default:
		record->kind = TE_RECORD_END;
		record->end = raw;
	}
}

/* Behind END there is nothing; the most likely something is named. */
static int check_input_end(struct te_stream_reader *reader)
{
	struct te_frame_header next = { 0 };
	u64 end = reader->position;
	ssize_t n = read_some(reader, &next, HEADER_BYTES);

	if (n < 0)
		return (int)n;
	if (!n)
		return 0;
	te_error(le32_to_cpu(next.magic) == TE_FRAME_MAGIC ?
			 "%s: the stream ends at byte %llu and another follows; one stream at a time" :
			 "%s: the stream ends at byte %llu, and bytes follow that are no part of it",
		 reader->name, (unsigned long long)end);
	reader->result = -EBADMSG;
	return -EBADMSG;
}

/* An optional frame of a kind that is not known: whole, but not looked into. */
static int skip_frame(struct te_stream_reader *reader, struct te_record *record)
{
	if (!reader->sequence)
		return refuse(reader, -EBADMSG, "is not BEGIN, which a stream starts with");
	record->kind = TE_RECORD_SKIPPED;
	return read_stored(reader, reader->stored);
}

static int read_frame(struct te_stream_reader *reader, struct te_record *record)
{
	u8 *raw;
	int err = read_header(reader);

	if (err)
		return err;
	if (!te_frame_kind_name(le16_to_cpu(reader->header.kind)))
		return skip_frame(reader, record);
	err = read_payload(reader);
	if (err)
		return err;
	raw = raw_place(reader);
	raw[le32_to_cpu(reader->header.raw_bytes)] = 0;
	err = te_stream_check_frame(&reader->check, &reader->header, raw, reader->digest);
	if (err)
		return refuse(reader, err, "%s", reader->check.why);
	if (le16_to_cpu(reader->header.kind) == TE_FRAME_END) {
		err = check_input_end(reader);
		if (err)
			return err;
		reader->ended = true;
	}
	fill_record(reader, record);
	return 0;
}

int te_stream_next(struct te_stream_reader *reader, struct te_record *record)
{
	int err;

	if (reader->result || reader->ended)
		return reader->result;
	reader->offset = reader->position;
	err = read_frame(reader, record);
	if (err)
		return err;
	record->header = &reader->header;
	record->offset = reader->offset;
	reader->digest = te_frame_digest(reader->digest, &reader->header);
	reader->sequence++;
	return 1;
}

const struct te_catalog *te_stream_catalog(const struct te_stream_reader *reader)
{
	return reader->check.catalog;
}

u64 te_stream_read_bytes(const struct te_stream_reader *reader)
{
	return reader->position;
}
