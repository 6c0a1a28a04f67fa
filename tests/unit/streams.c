// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams for the tests: written to memory, taken apart, forged, read back. */
#include "streams.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "stream/catalog.h"
#include "stream/frame.h"

/* Nothing here may fail but for a broken machine. */
static void must(bool good)
{
	if (!good)
		abort();
}

struct bytes bytes_of_fd(int fd)
{
	struct bytes bytes;
	off_t end = lseek(fd, 0, SEEK_END);

	must(end >= 0);
	bytes.nr = (size_t)end;
	bytes.p = malloc(bytes.nr + 1);
	must(bytes.p && pread(fd, bytes.p, bytes.nr, 0) == (ssize_t)bytes.nr);
	return bytes;
}

int fd_of_bytes(const struct bytes *bytes)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	must(fd >= 0 && pwrite(fd, bytes->p, bytes->nr, 0) == (ssize_t)bytes->nr);
	return fd;
}

struct bytes copy_of(const struct bytes *bytes)
{
	struct bytes copy = { malloc(bytes->nr + 1), bytes->nr };

	must(copy.p);
	memcpy(copy.p, bytes->p, bytes->nr);
	return copy;
}

bool find_frame(const struct bytes *bytes, size_t index, struct frame *frame)
{
	size_t offset = 0;

	while (offset < bytes->nr) {
		must(bytes->nr - offset >= sizeof(*frame->header));
		frame->header = (loose_header *)(bytes->p + offset);
		frame->payload = bytes->p + offset + sizeof(*frame->header);
		frame->offset = offset;
		frame->bytes = sizeof(*frame->header) + le32_to_cpu(frame->header->stored_bytes);
		if (!index--)
			return true;
		offset += frame->bytes;
	}
	return false;
}

struct frame find_kind(const struct bytes *bytes, enum te_frame_kind kind)
{
	struct frame frame;
	size_t i;

	for (i = 0; find_frame(bytes, i, &frame); i++)
		if (le16_to_cpu(frame.header->kind) == kind)
			return frame;
	abort();
}

size_t count_frames(const struct bytes *bytes)
{
	struct frame frame;
	size_t i;

	for (i = 0; find_frame(bytes, i, &frame); i++)
		;
	return i;
}

void reseal_checksums(struct bytes *bytes)
{
	struct frame frame;
	u64 digest = 0;
	size_t i;

	for (i = 0; find_frame(bytes, i, &frame); i++) {
		struct te_frame_header header;

		if (le16_to_cpu(frame.header->kind) == TE_FRAME_END)
			((loose_end *)frame.payload)->digest = cpu_to_le64(digest);
		memcpy(&header, frame.header, sizeof(header));
		header.payload_csum =
			cpu_to_le32(te_frame_csum(frame.payload, frame.bytes - sizeof(header)));
		te_frame_seal(&header);
		memcpy(frame.header, &header, sizeof(header));
		digest = te_frame_digest(digest, &header);
	}
}

void reseal(struct bytes *bytes)
{
	struct frame frame;
	size_t i;

	for (i = 0; find_frame(bytes, i, &frame); i++)
		frame.header->sequence = cpu_to_le64(i);
	reseal_checksums(bytes);
}

static int ear = -1, mouth = -1;

void hear(void)
{
	must(mouth < 0);
	fflush(stderr);
	if (ear < 0)
		ear = memfd_create("heard", MFD_CLOEXEC);
	must(ear >= 0 && !ftruncate(ear, 0) && lseek(ear, 0, SEEK_SET) == 0);
	mouth = dup(STDERR_FILENO);
	must(mouth >= 0 && dup2(ear, STDERR_FILENO) >= 0);
}

const char *heard(void)
{
	static char text[2048];
	ssize_t n;

	fflush(stderr);
	must(mouth >= 0 && dup2(mouth, STDERR_FILENO) >= 0);
	close(mouth);
	mouth = -1;
	n = pread(ear, text, sizeof(text) - 1, 0);
	must(n >= 0);
	text[n] = 0;
	return text;
}

int read_all_of(const struct bytes *bytes, void (*each)(const struct te_record *record),
		const char **said)
{
	int fd = fd_of_bytes(bytes), result;
	struct te_stream_reader *reader = te_stream_reader_create(fd, "it");
	struct te_record record;

	must(reader != NULL);
	hear();
	while ((result = te_stream_next(reader, &record)) == 1)
		if (each)
			each(&record);
	*said = heard();
	te_stream_reader_destroy(reader);
	close(fd);
	return result;
}

/* The frame that is being filled, for the one writer that there is. */
static struct te_ops_frame filling;
static struct te_packer *packer;
static struct te_op rest;		/* of a DATA op, what later frames will hold */
static size_t to_come;			/* bytes of what this frame holds of it */

struct te_stream_writer *writer_create(int fd, const char *name, struct te_codec_choice codec)
{
	must(!te_ops_frame_init(&filling));
	packer = te_packer_create(codec);
	must(packer != NULL);
	rest.length = cpu_to_le64(0);
	to_come = 0;
	return te_stream_writer_create(fd, name, codec);
}

void writer_destroy(struct te_stream_writer *writer)
{
	te_ops_frame_exit(&filling);
	te_packer_destroy(packer);
	te_stream_writer_destroy(writer);
}

static int flush(struct te_stream_writer *writer)
{
	size_t i;
	int err = 0;

	if (filling.data_bytes) {
		te_packer_pack(packer, &filling);
		err = te_stream_write_frame(writer, &filling);
	}
	for (i = 0; !filling.data_bytes && i < filling.nr_ops && !err; i++)
		err = te_stream_write_op(writer, &filling.ops[i]);
	te_ops_frame_clear(&filling);
	return err;
}

/* As much of the DATA op as this frame can hold. */
static int open_piece(struct te_stream_writer *writer)
{
	u64 room = (TE_OPS_FRAME_DATA - filling.data_bytes) / 512, length = le64_to_cpu(rest.length);
	struct te_op op = rest;
	int err = 0;

	if (room > length)
		room = length;
	op.length = cpu_to_le64(room);
	if (!te_ops_frame_add(&filling, &op)) {
		err = flush(writer);
		return err ? err : open_piece(writer);
	}
	to_come = room * 512;
	rest.offset = cpu_to_le64(le64_to_cpu(rest.offset) + room);
	rest.length = cpu_to_le64(length - room);
	return 0;
}

int writer_op(struct te_stream_writer *writer, const struct te_op *op)
{
	int err = 0;

	must(!to_come);
	if (le16_to_cpu(op->kind) == TE_OP_DATA) {
		rest = *op;
		return open_piece(writer);
	}
	if (te_ops_frame_add(&filling, op))
		return 0;
	err = flush(writer);
	must(err || te_ops_frame_add(&filling, op));
	return err;
}

int writer_data(struct te_stream_writer *writer, const void *data, size_t bytes)
{
	int err = 0;

	while (bytes && !err) {
		size_t part = bytes < to_come ? bytes : to_come;

		must(part > 0);
		memcpy(filling.data + filling.data_bytes, data, part);
		filling.data_bytes += part;
		to_come -= part;
		data = (const u8 *)data + part;
		bytes -= part;
		if (filling.data_bytes == TE_OPS_FRAME_DATA)
			err = flush(writer);
		if (!err && !to_come && le64_to_cpu(rest.length))
			err = open_piece(writer);
	}
	return err;
}

int writer_volume_end(struct te_stream_writer *writer)
{
	int err = flush(writer);

	must(!to_come);
	return err ? err : te_stream_write_volume_end(writer);
}

static void put_volume(struct te_stream_writer *writer, u32 index, u32 dev_id)
{
	struct te_volume_begin volume = {
		.index = cpu_to_le32(index),
		.dev_id = cpu_to_le32(dev_id),
		.flags = cpu_to_le32(index ? 0 : TE_VOLUME_SIZE_KNOWN),
		.parent_kind = cpu_to_le32(index ? TE_PARENT_VOLUME : TE_PARENT_NONE),
		.creation_time = cpu_to_le32(index),
		.virtual_sectors = cpu_to_le64(1024),
		.provisioned_sectors = cpu_to_le64(index ? 6 : 8),
	};

	must(!te_stream_write_volume(writer, &volume));
}

static void put_op(struct te_stream_writer *writer, enum te_op_kind kind, u64 offset, u64 length,
		   u16 flags)
{
	struct te_op op = {
		.offset = cpu_to_le64(offset),
		.length = cpu_to_le64(length),
		.kind = cpu_to_le16(kind),
		.flags = cpu_to_le16(flags),
	};
	u8 data[512];
	u64 i;

	must(!writer_op(writer, &op));
	for (i = 0; kind == TE_OP_DATA && i < length; i++) {
		memset(data, (int)(offset + i), sizeof(data));
		must(!writer_data(writer, data, sizeof(data)));
	}
}

static char *small_catalog(void)
{
	struct te_catalog *catalog = te_catalog_create(2);
	char *json;

	must(catalog != NULL);
	catalog->pool_name = strdup("pool");
	catalog->block_sectors = 128;
	catalog->nr_data_blocks = 1000;
	catalog->transaction_id = 7;
	catalog->volumes[0] = (struct te_catalog_volume){ 1, strdup("vm"), 1024,
							  TE_SIZE_FROM_TABLE, 1, NULL };
	catalog->volumes[1] = (struct te_catalog_volume){ 5, NULL, 1024, TE_SIZE_FROM_MAPPINGS, 1,
							  NULL };
	json = te_catalog_write(catalog);
	must(json != NULL);
	te_catalog_destroy(catalog);
	return json;
}

struct bytes small_stream(struct te_codec_choice codec)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct te_stream_writer *writer = writer_create(fd, "it", codec);
	struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(128),
		.stream_id = "sixteen bytes id",
		.nr_data_blocks = cpu_to_le64(1000),
		.transaction_id = cpu_to_le64(7),
		.provisioned_sectors = cpu_to_le64(9),
		.nr_volumes = cpu_to_le32(2),
		.max_creation_time = cpu_to_le32(1),
	};
	char *json = small_catalog();
	struct bytes bytes;

	must(fd >= 0 && writer && !te_stream_write_begin(writer, &begin));
	must(!te_stream_write_catalog(writer, json));
	free(json);
	put_volume(writer, 0, 1);
	put_op(writer, TE_OP_DATA, 0, 3, TE_OP_SHARED);
	put_op(writer, TE_OP_ZERO, 3, 2, 0);
	put_op(writer, TE_OP_DATA, 8, 1, 0);
	put_op(writer, TE_OP_ZERO, 10, 2, TE_OP_SHARED);
	must(!writer_volume_end(writer));
	put_volume(writer, 1, 5);
	put_op(writer, TE_OP_UNMAP, 3, 2, 0);
	put_op(writer, TE_OP_DATA, 8, 1, 0);
	put_op(writer, TE_OP_SHARE, 20, 2, 0);
	must(!writer_volume_end(writer));
	must(!te_stream_write_end(writer));
	writer_destroy(writer);
	bytes = bytes_of_fd(fd);
	close(fd);
	return bytes;
}
