// SPDX-License-Identifier: GPL-2.0-or-later
/* Writing a stream: frames around what the sender says. */
#include "stream/stream_write.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "stream/catalog.h"
#include "stream/frame.h"
#include "base/interrupt.h"
#include "base/say.h"

#define SECTOR_BYTES		512u
#define HEADER_BYTES		sizeof(struct te_frame_header)

/* What a section and the whole come to. */
struct sums {
	u64 nr_ops;
	u64 data_sectors;
	u64 zero_sectors;
};

struct te_stream_writer {
	int fd;
	const char *name;
	struct te_codec_choice choice;
	int error;			/* what the first failed call returned */

	/* Ops without data gather here, and go out before what follows them. */
	struct te_ops_frame waiting;
	struct te_packer *packer;	/* for these */

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
	writer->choice = choice;
	writer->packer = te_packer_create(choice);
	if (!te_ops_frame_init(&writer->waiting) && writer->packer)
		return writer;
	te_stream_writer_destroy(writer);
	return NULL;
}

void te_stream_writer_destroy(struct te_stream_writer *writer)
{
	if (!writer)
		return;
	te_packer_destroy(writer->packer);
	te_ops_frame_exit(&writer->waiting);
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

/* One frame, which gets its number here.  `payload` has room for a header before it. */
static int put_frame(struct te_stream_writer *writer, struct te_frame_header *header, u8 *payload)
{
	header->sequence = cpu_to_le64(writer->sequence);
	te_frame_seal(header);
	writer->digest = te_frame_digest(writer->digest, header);
	writer->sequence++;
	memcpy(payload - HEADER_BYTES, header, HEADER_BYTES);
	return write_all(writer, payload - HEADER_BYTES,
			 HEADER_BYTES + le32_to_cpu(header->stored_bytes));
}

/* A frame that is all table, and `stored` of it by this codec. */
static int put_table(struct te_stream_writer *writer, enum te_frame_kind kind,
		     enum te_codec_id codec, u8 *payload, size_t bytes, size_t stored_bytes)
{
	struct te_frame_header header = {
		.kind = cpu_to_le16(kind),
		.codec = (u8)codec,
		.table_bytes = cpu_to_le32((u32)bytes),
		.raw_bytes = cpu_to_le32((u32)bytes),
		.stored_bytes = cpu_to_le32((u32)stored_bytes),
		.payload_csum = cpu_to_le32(te_frame_csum(payload, stored_bytes)),
	};

	return put_frame(writer, &header, payload);
}

/* A frame that is one small struct. */
static int put_struct(struct te_stream_writer *writer, enum te_frame_kind kind, const void *p,
		      size_t bytes)
{
	u8 frame[HEADER_BYTES + sizeof(struct te_resume)];	/* the largest */

	memcpy(frame + HEADER_BYTES, p, bytes);
	return put_table(writer, kind, TE_CODEC_NONE, frame + HEADER_BYTES, bytes, bytes);
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

int te_stream_write_resume(struct te_stream_writer *writer, const struct te_begin *begin,
			   const struct te_resume *resume, bool tell)
{
	int err = 0;

	if (writer->error)
		return writer->error;
	if (writer->sequence)
		return refuse(writer, "it has begun already");
	if (tell)
		err = put_struct(writer, TE_FRAME_RESUME, resume, sizeof(*resume));
	writer->announced_sectors = le64_to_cpu(begin->provisioned_sectors);
	writer->announced_volumes = le32_to_cpu(begin->nr_volumes);
	writer->sequence = le64_to_cpu(resume->sequence);
	writer->digest = le64_to_cpu(resume->digest);
	writer->index = le32_to_cpu(resume->index);
	writer->section = (struct sums) {
		.nr_ops = le64_to_cpu(resume->section_ops),
		.data_sectors = le64_to_cpu(resume->section_data_sectors),
		.zero_sectors = le64_to_cpu(resume->section_zero_sectors),
	};
	/* Sections are added when they end. */
	writer->total = (struct sums) {
		.nr_ops = le64_to_cpu(resume->nr_ops) - writer->section.nr_ops,
		.data_sectors = le64_to_cpu(resume->data_sectors) - writer->section.data_sectors,
		.zero_sectors = le64_to_cpu(resume->zero_sectors) - writer->section.zero_sectors,
	};
	return err;
}

static int put_catalog(struct te_stream_writer *writer, u8 *json, size_t bytes)
{
	const struct te_codec *codec = te_codec_find(writer->choice.id);
	u8 *packed = json + bytes + HEADER_BYTES;
	size_t stored_bytes = 0;

	if (codec->encode) {
		void *encoder = codec->encoder_create(writer->choice.level);

		if (!encoder)
			return refuse(writer, "no memory for its catalog");
		stored_bytes = codec->encode(encoder, json, bytes, packed, bytes - 1);
		codec->encoder_destroy(encoder);
	}
	if (stored_bytes)
		return put_table(writer, TE_FRAME_CATALOG, codec->id, packed, bytes, stored_bytes);
	return put_table(writer, TE_FRAME_CATALOG, TE_CODEC_NONE, json, bytes, bytes);
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
	if (bytes > TE_FRAME_MAX_RAW || !te_catalog_is_small(json, bytes))
		return refuse(writer, "so many volumes do not fit its catalog");
	/* As it is, and as encoded. */
	frame = te_alloc(2 * (HEADER_BYTES + bytes));
	if (!frame)
		return refuse(writer, "no memory for its catalog");
	memcpy(frame + HEADER_BYTES, json, bytes);
	err = put_catalog(writer, frame + HEADER_BYTES, bytes);
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

static int put_ops(struct te_stream_writer *writer, struct te_ops_frame *frame)
{
	writer->section.nr_ops += frame->nr_ops;
	writer->section.data_sectors += frame->data_bytes / SECTOR_BYTES;
	writer->section.zero_sectors += frame->zero_sectors;
	return put_frame(writer, &frame->header, frame->payload);
}

/* Sends the ops that wait, if there are any. */
static int flush(struct te_stream_writer *writer)
{
	struct te_ops_frame *frame = &writer->waiting;
	int err;

	if (!frame->nr_ops)
		return 0;
	te_packer_pack(writer->packer, frame);
	err = put_ops(writer, frame);
	te_ops_frame_clear(frame);
	return err;
}

int te_stream_write_op(struct te_stream_writer *writer, const struct te_op *op)
{
	if (writer->error)
		return writer->error;
	if (te_ops_frame_add(&writer->waiting, op))
		return 0;
	if (!flush(writer))
		te_ops_frame_add(&writer->waiting, op);
	return writer->error;
}

int te_stream_write_frame(struct te_stream_writer *writer, struct te_ops_frame *frame)
{
	int err = writer->error ? writer->error : flush(writer);

	return err ? err : put_ops(writer, frame);
}

int te_stream_write_volume_end(struct te_stream_writer *writer)
{
	struct te_volume_end end;
	int err;

	if (writer->error)
		return writer->error;
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

u64 te_stream_data_bytes(const struct te_stream_writer *writer)
{
	return (writer->total.data_sectors + writer->section.data_sectors) * SECTOR_BYTES;
}

u64 te_stream_zero_bytes(const struct te_stream_writer *writer)
{
	return (writer->total.zero_sectors + writer->section.zero_sectors) * SECTOR_BYTES;
}
