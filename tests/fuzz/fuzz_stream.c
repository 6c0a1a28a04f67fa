// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the stream reader.  The input is a byte of choices and a stream, whose
 * numbers, checksums and digest are put right on the way in, unless the choices
 * say not to: else nothing damaged would get past them.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "frame.h"
#include "stream_read.h"

#define CHOICE_RAW	(1u << 0)	/* the stream as it is */

#define MAX_STREAM	(1u << 20)

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes);

volatile u8 te_fuzz_touched;	/* so that the reads are not left out */

static void seal(u8 *stream, size_t bytes)
{
	struct te_frame_header header;
	u64 sequence = 0, digest = 0;
	size_t at = 0;

	while (at + sizeof(header) <= bytes) {
		u32 stored;

		memcpy(&header, stream + at, sizeof(header));
		stored = le32_to_cpu(header.stored_bytes);
		if (stored > bytes - at - sizeof(header))
			return;
		if (le16_to_cpu(header.kind) == TE_FRAME_END && stored >= sizeof(struct te_end))
			memcpy(stream + at + sizeof(header) + offsetof(struct te_end, digest),
			       &(__le64){ cpu_to_le64(digest) }, 8);
		header.sequence = cpu_to_le64(sequence++);
		header.payload_csum = cpu_to_le32(te_frame_csum(stream + at + sizeof(header),
								stored));
		te_frame_seal(&header);
		memcpy(stream + at, &header, sizeof(header));
		digest = te_frame_digest(digest, &header);
		at += sizeof(header) + stored;
	}
}

/* Every byte that a record names is there, and its ops are as stream.h says. */
static u8 touch(const struct te_record *record)
{
	u64 end = 0;
	u8 sum = 0;
	size_t i;

	if (record->kind == TE_RECORD_CATALOG)
		return (u8)strlen(record->catalog);
	if (record->kind != TE_RECORD_OPS)
		return 0;
	for (i = 0; i < record->ops.nr_ops; i++) {
		const struct te_op *op = &record->ops.ops[i];
		u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);

		if (!length || offset < end || offset + length < offset)
			abort();
		end = offset + length;
	}
	for (i = 0; i < record->ops.data_bytes; i++)
		sum ^= ((const u8 *)record->ops.data)[i];
	return sum;
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	static u8 stream[MAX_STREAM];
	struct te_stream_reader *reader;
	struct te_record record;
	static int fd = -1;
	int status;

	if (bytes < 2 || bytes > MAX_STREAM)
		return 0;
	bytes--;
	memcpy(stream, input + 1, bytes);
	if (!(input[0] & CHOICE_RAW))
		seal(stream, bytes);

	if (fd < 0)
		fd = memfd_create("stream", 0);
	if (ftruncate(fd, 0) || pwrite(fd, stream, bytes, 0) != (ssize_t)bytes ||
	    lseek(fd, 0, SEEK_SET))
		abort();
	reader = te_stream_reader_create(fd, "fuzzed");
	if (!reader)
		return 0;
	while ((status = te_stream_next(reader, &record)) > 0)
		te_fuzz_touched ^= touch(&record);
	te_stream_reader_destroy(reader);
	return 0;
}
