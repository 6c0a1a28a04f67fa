// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing a stream: frames around what the sender says. */
#include "stream_write.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "frame.h"
#include "interrupt.h"
#include "say.h"

/*
 * Data in one frame.  Smaller frames compress worse and cost a header and a write
 * each, larger ones fall out of the processor's cache between read, checksum and
 * write: between 256 KiB and 3 MiB neither was seen to matter much.
 */
#ifndef FRAME_DATA_BYTES
#define FRAME_DATA_BYTES	(1u << 20)
#endif

#define SECTOR_BYTES		512u
#define PAGE_BYTES		4096u
#define HEADER_BYTES		sizeof(struct te_frame_header)
#define TABLE_ROOM		(TE_FRAME_MAX_OPS * sizeof(struct te_op))

_Static_assert(TABLE_ROOM % PAGE_BYTES == 0, "data after the table is aligned");
_Static_assert(FRAME_DATA_BYTES + TABLE_ROOM <= TE_FRAME_MAX_RAW, "a full frame is allowed");
_Static_assert(FRAME_DATA_BYTES % SECTOR_BYTES == 0, "ops are cut between sectors");

/* What a section and the whole come to. */
struct sums {
	u64 nr_ops;
	u64 data_sectors;
	u64 zero_sectors;
};

/*
 * The frame of ops that is being filled lies in `memory`:
 *
 *	| a page | room for the table | data |
 *
 * The table grows from the start of its room, the data from the start of its
 * own, which is aligned.  When the frame is complete the table moves up to the
 * data and the header is put before it, so that a frame goes out in one write
 * and in one call of a codec, and no data byte is ever copied.
 *
 * Where frames end depends on the ops and their lengths alone, not on the pieces
 * in which they or their data were handed over: the same pool gives the same
 * bytes.
 */
struct te_stream_writer {
	int fd;
	const char *name;
	const struct te_codec *codec;
	void *encoder;
	int error;			/* what the first failed call returned */

	u8 *memory;
	struct te_op *ops;		/* in memory: the table */
	u8 *data;			/* in memory */
	u8 *packed;			/* header and payload as encoded; NULL for none */
	size_t nr_ops;
	size_t data_bytes;		/* in this frame */
	u64 piece_bytes;		/* of the last op, still to be filled in this frame */
	struct te_op rest;		/* of the DATA op, what later frames will hold */

	u64 sequence;
	u64 digest;
	u64 written;			/* bytes on fd */
	u64 announced_sectors;		/* BEGIN's provisioned_sectors */
	u32 announced_volumes;		/* and nr_volumes */
	u32 index;			/* of the volume being written */
	struct sums section, total;
};

int te_stream_output_check(int fd, const char *name)
{
	if (isatty(fd)) {
		te_error("%s is a terminal, and a stream is not text: give -o FILE, or a pipe",
			 name);
		return -EINVAL;
	}
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

struct te_stream_writer *te_stream_writer_create(int fd, const char *name,
						 struct te_codec_choice choice)
{
	struct te_stream_writer *writer = te_alloc(sizeof(*writer));

	if (!writer)
		return NULL;
	writer->fd = fd;
	writer->name = name;
	writer->codec = te_codec_find(choice.id);
	writer->memory = aligned_alloc(PAGE_BYTES, PAGE_BYTES + TABLE_ROOM + FRAME_DATA_BYTES);
	if (!writer->memory || !writer->codec)
		goto destroy;
	writer->ops = (struct te_op *)(writer->memory + PAGE_BYTES);
	writer->data = writer->memory + PAGE_BYTES + TABLE_ROOM;
	if (writer->codec->encode) {
		writer->encoder = writer->codec->encoder_create(choice.level);
		writer->packed = te_alloc(HEADER_BYTES + TE_FRAME_MAX_RAW);
		if (!writer->encoder || !writer->packed)
			goto destroy;
	}
	return writer;

destroy:
	te_stream_writer_destroy(writer);
	return NULL;
}

void te_stream_writer_destroy(struct te_stream_writer *writer)
{
	if (!writer)
		return;
	if (writer->encoder)
		writer->codec->encoder_destroy(writer->encoder);
	te_free(writer->packed);
	free(writer->memory);
	te_free(writer);
}

/* Remembers the error and returns it; the sentence is the caller's. */
static int fail(struct te_stream_writer *writer, int err)
{
	writer->error = err;
	return err;
}

/* The caller broke the order of calls: its bug, said rather than sent. */
static int refuse(struct te_stream_writer *writer, const char *what)
{
	te_error("%s: cannot write the stream: %s", writer->name, what);
	return fail(writer, -EINVAL);
}

static int write_failed(struct te_stream_writer *writer, int err)
{
	if (err == EPIPE)
		te_error("%s: the reader of the stream has gone away after %llu bytes",
			 writer->name, (unsigned long long)writer->written);
	else if (err == ENOSPC || err == EDQUOT || err == EFBIG)
		te_error("%s: no room left for the stream after %llu bytes: %s", writer->name,
			 (unsigned long long)writer->written, strerror(err));
	else
		te_error("%s: cannot write the stream at byte %llu: %s", writer->name,
			 (unsigned long long)writer->written, strerror(err));
	return fail(writer, -err);
}

static int write_all(struct te_stream_writer *writer, const void *p, size_t bytes)
{
	while (bytes) {
		ssize_t n;

		if (te_interrupted())
			return fail(writer, -EINTR);
		n = write(writer->fd, p, bytes);
		if (n < 0 && errno == EAGAIN) {
			struct pollfd wait = { .fd = writer->fd, .events = POLLOUT };

			poll(&wait, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return write_failed(writer, n ? errno : ENOSPC);
		p = (const u8 *)p + n;
		bytes -= (size_t)n;
		writer->written += (u64)n;
	}
	return 0;
}

/*
 * One frame.  `payload` has room for a header before it; table and data lie
 * together there.
 */
static int put_frame(struct te_stream_writer *writer, enum te_frame_kind kind, u8 *payload,
		     size_t table_bytes, size_t raw_bytes)
{
	struct te_frame_header header = {
		.sequence = cpu_to_le64(writer->sequence),
		.kind = cpu_to_le16(kind),
		.codec = TE_CODEC_NONE,
		.table_bytes = cpu_to_le32((u32)table_bytes),
		.raw_bytes = cpu_to_le32((u32)raw_bytes),
	};
	size_t stored_bytes = 0;

	if (writer->encoder && (kind == TE_FRAME_OPS || kind == TE_FRAME_CATALOG))
		stored_bytes = writer->codec->encode(writer->encoder, payload, raw_bytes,
						     writer->packed + HEADER_BYTES, raw_bytes - 1);
	if (stored_bytes) {
		payload = writer->packed + HEADER_BYTES;
		header.codec = (u8)writer->codec->id;
	} else {
		stored_bytes = raw_bytes;
	}
	header.stored_bytes = cpu_to_le32((u32)stored_bytes);
	header.payload_csum = cpu_to_le32(te_frame_csum(payload, stored_bytes));
	te_frame_seal(&header);
	writer->digest = te_frame_digest(writer->digest, &header);
	writer->sequence++;

	payload -= HEADER_BYTES;
	memcpy(payload, &header, HEADER_BYTES);
	return write_all(writer, payload, HEADER_BYTES + stored_bytes);
}

/* A frame that is one small struct. */
static int put_struct(struct te_stream_writer *writer, enum te_frame_kind kind, const void *p,
		      size_t bytes)
{
	u8 frame[HEADER_BYTES + 128];

	memcpy(frame + HEADER_BYTES, p, bytes);
	return put_frame(writer, kind, frame + HEADER_BYTES, bytes, bytes);
}

/* Sends the frame of ops, if there are any. */
static int flush(struct te_stream_writer *writer)
{
	size_t table_bytes = writer->nr_ops * sizeof(struct te_op);
	u8 *table = writer->data - table_bytes;
	int err;

	if (!writer->nr_ops)
		return 0;
	memmove(table, writer->ops, table_bytes);
	err = put_frame(writer, TE_FRAME_OPS, table, table_bytes,
			table_bytes + writer->data_bytes);
	writer->section.nr_ops += writer->nr_ops;
	writer->nr_ops = 0;
	writer->data_bytes = 0;
	return err;
}

int te_stream_write_begin(struct te_stream_writer *writer, const struct te_begin *begin)
{
	if (writer->error)
		return writer->error;
	if (writer->sequence)
		return refuse(writer, "it has begun already");
	writer->announced_sectors = le64_to_cpu(begin->provisioned_sectors);
	writer->announced_volumes = le32_to_cpu(begin->nr_volumes);
	return put_struct(writer, TE_FRAME_BEGIN, begin, sizeof(*begin));
}

int te_stream_write_catalog(struct te_stream_writer *writer, const char *json)
{
	size_t bytes = strlen(json);
	u8 *frame;
	int err;

	if (writer->error)
		return writer->error;
	if (writer->sequence != 1)
		return refuse(writer, "the catalog follows BEGIN");
	if (bytes > TE_FRAME_MAX_RAW)
		return refuse(writer, "so many volumes do not fit its catalog");
	frame = te_alloc(HEADER_BYTES + bytes);
	if (!frame)
		return refuse(writer, "no memory for its catalog");
	memcpy(frame + HEADER_BYTES, json, bytes);
	err = put_frame(writer, TE_FRAME_CATALOG, frame + HEADER_BYTES, bytes, bytes);
	te_free(frame);
	return err;
}

int te_stream_write_volume(struct te_stream_writer *writer, const struct te_volume_begin *volume)
{
	if (writer->error)
		return writer->error;
	if (le32_to_cpu(volume->index) != writer->index)
		return refuse(writer, "its volumes come one by one, in order");
	return put_struct(writer, TE_FRAME_VOLUME, volume, sizeof(*volume));
}

/* The frame's last op, when `op` goes on where that ends and is of its kind. */
static struct te_op *joinable(struct te_stream_writer *writer, const struct te_op *op)
{
	struct te_op *last = &writer->ops[writer->nr_ops - 1];

	if (writer->nr_ops && last->kind == op->kind && last->flags == op->flags &&
	    last->source == op->source &&
	    le64_to_cpu(last->offset) + le64_to_cpu(last->length) == le64_to_cpu(op->offset))
		return last;
	return NULL;
}

/* Puts `sectors` of the front of `op` into the table.  There is room. */
static void put_op(struct te_stream_writer *writer, const struct te_op *op, u64 sectors)
{
	struct te_op *last = joinable(writer, op);

	if (last) {
		last->length = cpu_to_le64(le64_to_cpu(last->length) + sectors);
		return;
	}
	writer->ops[writer->nr_ops] = *op;
	writer->ops[writer->nr_ops].length = cpu_to_le64(sectors);
	writer->nr_ops++;
}

/* Makes room for one more op, if only by sending the frame. */
static int reserve_op(struct te_stream_writer *writer, const struct te_op *op)
{
	if (writer->nr_ops == TE_FRAME_MAX_OPS && !joinable(writer, op))
		return flush(writer);
	return 0;
}

/* Opens as much of the DATA op as this frame can hold. */
static int open_piece(struct te_stream_writer *writer)
{
	u64 length = le64_to_cpu(writer->rest.length);
	u64 room;
	int err = reserve_op(writer, &writer->rest);

	if (err)
		return err;
	room = (FRAME_DATA_BYTES - writer->data_bytes) / SECTOR_BYTES;
	if (room > length)
		room = length;
	put_op(writer, &writer->rest, room);
	writer->piece_bytes = room * SECTOR_BYTES;
	writer->rest.offset = cpu_to_le64(le64_to_cpu(writer->rest.offset) + room);
	writer->rest.length = cpu_to_le64(length - room);
	return 0;
}

int te_stream_write_op(struct te_stream_writer *writer, const struct te_op *op)
{
	u64 length = le64_to_cpu(op->length);
	int err;

	if (writer->error)
		return writer->error;
	if (writer->piece_bytes)
		return refuse(writer, "the data of the op before is not complete");
	switch (le16_to_cpu(op->kind)) {
	case TE_OP_DATA:
		writer->section.data_sectors += length;
		writer->rest = *op;
		return open_piece(writer);
	case TE_OP_ZERO:
		writer->section.zero_sectors += length;
		break;
	}
	err = reserve_op(writer, op);
	if (!err)
		put_op(writer, op, length);
	return err;
}

void *te_stream_data_room(struct te_stream_writer *writer, size_t *bytes)
{
	if (*bytes > writer->piece_bytes)
		*bytes = (size_t)writer->piece_bytes;
	return writer->data + writer->data_bytes;
}

/* Counts bytes that are in place, and sends the frame when it is full. */
static int commit(struct te_stream_writer *writer, size_t bytes)
{
	int err = 0;

	writer->data_bytes += bytes;
	writer->piece_bytes -= bytes;
	if (writer->data_bytes == FRAME_DATA_BYTES)
		err = flush(writer);
	if (!err && !writer->piece_bytes && le64_to_cpu(writer->rest.length))
		err = open_piece(writer);
	return err;
}

int te_stream_write_data(struct te_stream_writer *writer, const void *data, size_t bytes)
{
	while (bytes && !writer->error) {
		size_t room = bytes;
		void *place = te_stream_data_room(writer, &room);

		if (!room)
			return refuse(writer, "more data than its op has announced");
		if (place != data)
			memcpy(place, data, room);
		data = (const u8 *)data + room;
		bytes -= room;
		commit(writer, room);
	}
	return writer->error;
}

int te_stream_write_volume_end(struct te_stream_writer *writer)
{
	struct te_volume_end end;
	int err;

	if (writer->error)
		return writer->error;
	if (writer->piece_bytes)
		return refuse(writer, "the data of the last op is not complete");
	err = flush(writer);
	if (err)
		return err;
	end.index = cpu_to_le32(writer->index++);
	end.reserved = cpu_to_le32(0);
	end.nr_ops = cpu_to_le64(writer->section.nr_ops);
	end.data_sectors = cpu_to_le64(writer->section.data_sectors);
	end.zero_sectors = cpu_to_le64(writer->section.zero_sectors);
	writer->total.nr_ops += writer->section.nr_ops;
	writer->total.data_sectors += writer->section.data_sectors;
	writer->total.zero_sectors += writer->section.zero_sectors;
	memset(&writer->section, 0, sizeof(writer->section));
	return put_struct(writer, TE_FRAME_VOLUME_END, &end, sizeof(end));
}

int te_stream_write_end(struct te_stream_writer *writer)
{
	const struct sums *total = &writer->total;
	struct te_end end = {
		.nr_volumes = cpu_to_le32(writer->index),
		.nr_ops = cpu_to_le64(total->nr_ops),
		.data_sectors = cpu_to_le64(total->data_sectors),
		.zero_sectors = cpu_to_le64(total->zero_sectors),
		.digest = cpu_to_le64(writer->digest),
	};

	if (writer->error)
		return writer->error;
	if (writer->index != writer->announced_volumes ||
	    total->data_sectors + total->zero_sectors != writer->announced_sectors)
		return refuse(writer, "it does not hold what its beginning has announced");
	return put_struct(writer, TE_FRAME_END, &end, sizeof(end));
}

u64 te_stream_written_bytes(const struct te_stream_writer *writer)
{
	return writer->written;
}

u64 te_stream_raw_bytes(const struct te_stream_writer *writer)
{
	return (writer->total.data_sectors + writer->section.data_sectors) * SECTOR_BYTES;
}
