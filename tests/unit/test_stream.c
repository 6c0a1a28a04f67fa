// SPDX-License-Identifier: GPL-2.0-or-later
/* A stream written and read again: the same ops, the same bytes. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stream/frame.h"
#include "base/interrupt.h"
#include "streams.h"
#include "unit.h"

static const struct te_codec_choice none = { TE_CODEC_NONE, 0 }, zlib = { TE_CODEC_ZLIB, 1 },
				    zstd = { TE_CODEC_ZSTD, 1 };

/* Ops as they were meant: neighbours joined.  Their data, one behind the other. */
struct told {
	struct te_op ops[30000];
	size_t nr_ops;
	u8 *data;
	size_t data_bytes;
	size_t room;
};

static struct told given, taken;

static void forget(struct told *told)
{
	free(told->data);
	memset(told, 0, sizeof(*told));
}

static void tell_op(struct told *told, const struct te_op *op)
{
	struct te_op *last = told->nr_ops ? &told->ops[told->nr_ops - 1] : NULL;

	if (last && last->kind == op->kind && last->flags == op->flags &&
	    last->source == op->source &&
	    le64_to_cpu(last->offset) + le64_to_cpu(last->length) == le64_to_cpu(op->offset)) {
		last->length = cpu_to_le64(le64_to_cpu(last->length) + le64_to_cpu(op->length));
		return;
	}
	if (told->nr_ops == ARRAY_SIZE(told->ops))
		UNIT_FAIL("too many ops for this test");
	told->ops[told->nr_ops++] = *op;
}

static void tell_data(struct told *told, const void *data, size_t bytes)
{
	if (told->data_bytes + bytes > told->room) {
		told->room = 2 * (told->room + bytes);
		told->data = realloc(told->data, told->room);
	}
	memcpy(told->data + told->data_bytes, data, bytes);
	told->data_bytes += bytes;
}

static void take(const struct te_record *record)
{
	size_t i;

	if (record->kind != TE_RECORD_OPS)
		return;
	if ((uintptr_t)record->ops.data % 4096)
		UNIT_FAIL("data at %p is not aligned", record->ops.data);
	for (i = 0; i < record->ops.nr_ops; i++)
		tell_op(&taken, &record->ops.ops[i]);
	tell_data(&taken, record->ops.data, record->ops.data_bytes);
}

static u64 state;

static u64 roll(u64 below)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (state >> 33) % below;
}

static void fill(u8 *p, size_t bytes)
{
	size_t i;
	u8 step = (u8)roll(2);		/* half of it compresses well */

	for (i = 0; i < bytes; i++)
		p[i] = step ? (u8)roll(256) : (u8)(i / 512);
}

/* `bytes` of data, handed over in pieces of any size. */
static void give_data(struct te_stream_writer *writer, size_t bytes)
{
	u8 *data = malloc(bytes);
	size_t done = 0;

	fill(data, bytes);
	tell_data(&given, data, bytes);
	while (done < bytes) {
		size_t piece = 1 + roll(200000);

		if (piece > bytes - done)
			piece = bytes - done;
		CHECK_EQ(writer_data(writer, data + done, piece), 0);
		done += piece;
	}
	free(data);
}

/* Announces an op in one to three parts that the writer has to join. */
static void give_op(struct te_stream_writer *writer, struct te_op op, u64 length)
{
	while (length) {
		u64 part = roll(3) ? length : 1 + roll(length);

		op.length = cpu_to_le64(part);
		tell_op(&given, &op);
		CHECK_EQ(writer_op(writer, &op), 0);
		if (le16_to_cpu(op.kind) == TE_OP_DATA)
			give_data(writer, part * 512);
		op.offset = cpu_to_le64(le64_to_cpu(op.offset) + part);
		length -= part;
	}
}

static void give_volume(struct te_stream_writer *writer, u32 index, size_t nr_ops, u64 longest,
			u64 *provisioned)
{
	struct te_volume_begin volume = {
		.index = cpu_to_le32(index),
		.dev_id = cpu_to_le32(100 - index),
		.parent_kind = cpu_to_le32(index ? TE_PARENT_VOLUME : TE_PARENT_NONE),
		.provisioned_sectors = cpu_to_le64(1ULL << 40),
	};
	u64 offset = 0;

	CHECK_EQ(te_stream_write_volume(writer, &volume), 0);
	while (nr_ops--) {
		u16 kind = (u16)(1 + roll(index ? 4 : 2));
		struct te_op op = { .kind = cpu_to_le16(kind) };
		u64 length = 1 + roll(longest);

		if (kind == TE_OP_SHARE)
			op.source = cpu_to_le32((u32)roll(index));
		if (kind <= TE_OP_ZERO) {
			op.flags = cpu_to_le16((u16)roll(2));
			*provisioned += length;
		}
		offset += roll(2) * roll(1000);
		op.offset = cpu_to_le64(offset);
		give_op(writer, op, length);
		offset += length;
	}
	CHECK_EQ(writer_volume_end(writer), 0);
}

static char *catalog_of(u32 nr_volumes)
{
	struct te_catalog *catalog = te_catalog_create(nr_volumes);
	char *json;
	u32 i;

	catalog->block_sectors = 128;
	for (i = 0; i < nr_volumes; i++) {
		catalog->volumes[i].dev_id = 100 - i;
		catalog->volumes[i].size_from = TE_SIZE_FROM_MAPPINGS;
	}
	json = te_catalog_write(catalog);
	te_catalog_destroy(catalog);
	return json;
}

/* The same seed gives the same ops; `provisioned` must be what they come to. */
static u64 write_stream(int fd, struct te_codec_choice codec, u64 seed, u32 nr_volumes,
			size_t nr_ops, u64 longest, u64 provisioned)
{
	struct te_stream_writer *writer = writer_create(fd, "it", codec);
	struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(128),
		.provisioned_sectors = cpu_to_le64(provisioned),
		.nr_volumes = cpu_to_le32(nr_volumes),
	};
	char *json = catalog_of(nr_volumes);
	u64 sum = 0;
	u32 i;

	state = seed;
	CHECK_EQ(te_stream_write_begin(writer, &begin), 0);
	CHECK_EQ(te_stream_write_catalog(writer, json), 0);
	free(json);
	for (i = 0; i < nr_volumes; i++)
		give_volume(writer, i, nr_ops, longest, &sum);
	if (provisioned)
		CHECK_EQ(te_stream_write_end(writer), 0);
	writer_destroy(writer);
	return sum;
}

static struct bytes random_stream(struct te_codec_choice codec, u64 seed, u32 nr_volumes,
				  size_t nr_ops, u64 longest)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct bytes bytes;
	u64 provisioned;

	forget(&given);
	provisioned = write_stream(fd, codec, seed, nr_volumes, nr_ops, longest, 0);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	forget(&given);
	write_stream(fd, codec, seed, nr_volumes, nr_ops, longest, provisioned);
	bytes = bytes_of_fd(fd);
	close(fd);
	return bytes;
}

static void check_told(void)
{
	CHECK_EQ(taken.nr_ops, given.nr_ops);
	CHECK(!memcmp(taken.ops, given.ops, given.nr_ops * sizeof(given.ops[0])));
	CHECK_EQ(taken.data_bytes, given.data_bytes);
	CHECK(!given.data_bytes || !memcmp(taken.data, given.data, given.data_bytes));
}

static void round_trip(struct te_codec_choice codec, u64 seed, u32 nr_volumes, size_t nr_ops,
		       u64 longest)
{
	struct bytes bytes = random_stream(codec, seed, nr_volumes, nr_ops, longest);
	const char *said;

	forget(&taken);
	CHECK_EQ(read_all_of(&bytes, take, &said), 0);
	CHECK_STR(said, "");
	check_told();
	free(bytes.p);
}

static void random_ops_come_back_as_they_were_given(void)
{
	u64 seed;

	for (seed = 1; seed < 12; seed++) {
		round_trip(none, seed, 1 + (u32)seed % 4, 40, 300);
		round_trip(zlib, seed, 1 + (u32)seed % 4, 40, 300);
		round_trip(zstd, seed, 1 + (u32)seed % 4, 40, 300);
	}
}

static void ops_longer_than_a_frame_come_back_whole(void)
{
	round_trip(none, 77, 2, 6, 9000);
	round_trip(zlib, 78, 2, 6, 9000);
	round_trip(zstd, 79, 2, 6, 9000);
}

static void more_ops_than_a_frame_holds_come_back(void)
{
	round_trip(none, 5, 2, 12000, 2);
	round_trip(zlib, 5, 2, 12000, 2);
}

static void a_pool_without_volumes_is_a_stream(void)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct te_stream_writer *writer = writer_create(fd, "it", none);
	struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(128),
	};
	char *json = catalog_of(0);
	struct bytes bytes;
	const char *said;

	CHECK_EQ(te_stream_write_begin(writer, &begin), 0);
	CHECK_EQ(te_stream_write_catalog(writer, json), 0);
	CHECK_EQ(te_stream_write_end(writer), 0);
	CHECK_EQ(te_stream_data_bytes(writer), 0);
	writer_destroy(writer);
	bytes = bytes_of_fd(fd);
	CHECK_EQ(read_all_of(&bytes, NULL, &said), 0);
	free(bytes.p);
	free(json);
	close(fd);
}

/* The same range told in ops of 8 sectors and in one: the streams are the same bytes. */
static void the_pieces_in_which_data_comes_do_not_show(void)
{
	int fds[2], round;
	struct bytes bytes[2];

	for (round = 0; round < 2; round++) {
		struct te_stream_writer *writer;
		struct te_op op = { .kind = cpu_to_le16(TE_OP_DATA) };
		struct te_begin begin = { .provisioned_sectors = cpu_to_le64(6000),
					  .nr_volumes = cpu_to_le32(1) };
		struct te_volume_begin volume = { 0 };
		u8 sector[512];
		u64 done = 0, part;

		fds[round] = memfd_create("stream", MFD_CLOEXEC);
		writer = writer_create(fds[round], "it", zlib);
		CHECK_EQ(te_stream_write_begin(writer, &begin), 0);
		CHECK_EQ(te_stream_write_catalog(writer, "{}"), 0);
		CHECK_EQ(te_stream_write_volume(writer, &volume), 0);
		for (; done < 6000; done += part) {
			u64 i;

			part = round ? 6000 : 8;
			op.offset = cpu_to_le64(done);
			op.length = cpu_to_le64(part);
			CHECK_EQ(writer_op(writer, &op), 0);
			for (i = done; i < done + part; i++) {
				memset(sector, (int)(i / 3), sizeof(sector));
				CHECK_EQ(writer_data(writer, sector, 100), 0);
				CHECK_EQ(writer_data(writer, sector, 412), 0);
			}
		}
		CHECK_EQ(writer_volume_end(writer), 0);
		CHECK_EQ(te_stream_write_end(writer), 0);
		writer_destroy(writer);
		bytes[round] = bytes_of_fd(fds[round]);
		close(fds[round]);
	}
	CHECK_EQ(bytes[0].nr, bytes[1].nr);
	CHECK(!memcmp(bytes[0].p, bytes[1].p, bytes[0].nr));
	free(bytes[0].p);
	free(bytes[1].p);
}

/* Feeds a pipe one byte at a time. */
static struct bytes fed;
static int feed_fd;

static void *feed(void *unused)
{
	size_t i;

	for (i = 0; i < fed.nr; i++)
		if (write(feed_fd, fed.p + i, 1) != 1)
			break;
	close(feed_fd);
	return unused;
}

static void a_pipe_that_gives_one_byte_at_a_time_is_read(void)
{
	struct te_stream_reader *reader;
	struct te_record record;
	pthread_t feeder;
	int ends[2], result, records = 0;

	fed = small_stream(zlib);
	CHECK_EQ(pipe2(ends, O_DIRECT), 0);	/* a read never joins two writes */
	feed_fd = ends[1];
	CHECK_EQ(pthread_create(&feeder, NULL, feed, NULL), 0);
	reader = te_stream_reader_create(ends[0], "it");
	while ((result = te_stream_next(reader, &record)) == 1)
		records++;
	CHECK_EQ(result, 0);
	CHECK_EQ(records, count_frames(&fed));
	CHECK_EQ(te_stream_read_bytes(reader), fed.nr);
	pthread_join(feeder, NULL);
	te_stream_reader_destroy(reader);
	close(ends[0]);
	free(fed.p);
}

static void written_bytes_and_raw_bytes_are_counted(void)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct te_stream_writer *writer = writer_create(fd, "it", none);
	struct te_begin begin = { .nr_volumes = cpu_to_le32(1) };
	struct te_volume_begin volume = { 0 };
	struct te_op op = { .length = cpu_to_le64(2), .kind = cpu_to_le16(TE_OP_DATA) };
	u8 data[1024] = { 1 };

	CHECK_EQ(te_stream_write_begin(writer, &begin), 0);
	CHECK_EQ(te_stream_write_catalog(writer, "{}"), 0);
	CHECK_EQ(te_stream_write_volume(writer, &volume), 0);
	CHECK_EQ(writer_op(writer, &op), 0);
	CHECK_EQ(writer_data(writer, data, sizeof(data)), 0);
	CHECK_EQ(writer_volume_end(writer), 0);
	CHECK_EQ(te_stream_data_bytes(writer), 1024);
	CHECK_EQ(te_stream_written_bytes(writer), lseek(fd, 0, SEEK_CUR));
	writer_destroy(writer);
	close(fd);
}

static void a_stream_that_is_not_as_announced_is_not_ended(void)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct te_stream_writer *writer = writer_create(fd, "it", none);
	struct te_begin begin = { .provisioned_sectors = cpu_to_le64(8) };

	CHECK_EQ(te_stream_write_begin(writer, &begin), 0);
	CHECK_EQ(te_stream_write_catalog(writer, "{}"), 0);
	hear();
	CHECK_EQ(te_stream_write_end(writer), -EINVAL);
	CHECK(strstr(heard(), "announced"));
	writer_destroy(writer);
	close(fd);
}

/* Writes a stream onto fd until that fails; what it returned and said. */
static int write_until_refused(int fd, const char **said)
{
	struct te_stream_writer *writer = writer_create(fd, "out", none);
	struct te_begin begin = { .nr_volumes = cpu_to_le32(1) };
	struct te_volume_begin volume = { 0 };
	struct te_op op = { .length = cpu_to_le64(1 << 20), .kind = cpu_to_le16(TE_OP_DATA) };
	static u8 data[1 << 16];
	int err;

	hear();
	err = te_stream_write_begin(writer, &begin);
	if (!err)
		err = te_stream_write_catalog(writer, "{}");
	if (!err)
		err = te_stream_write_volume(writer, &volume);
	if (!err)
		err = writer_op(writer, &op);
	while (!err)
		err = writer_data(writer, data, sizeof(data));
	*said = heard();
	CHECK_EQ(te_stream_write_end(writer), err);	/* and stays so */
	writer_destroy(writer);
	return err;
}

static void a_full_disk_is_said(void)
{
	int fd = open("/dev/full", O_WRONLY);
	const char *said;

	CHECK_EQ(write_until_refused(fd, &said), -ENOSPC);
	CHECK(strstr(said, "out: no room left"));
	close(fd);
}

static void a_reader_that_went_away_is_said(void)
{
	int ends[2];
	const char *said;

	CHECK_EQ(pipe(ends), 0);
	close(ends[0]);
	CHECK_EQ(te_stream_output_check(ends[1], "out"), 0);
	CHECK_EQ(write_until_refused(ends[1], &said), -EPIPE);
	CHECK(strstr(said, "gone away"));
	close(ends[1]);
}

/* In a child: what reading or writing an idle pipe comes to when signals arrive. */
static int interrupted(int idle, bool writing)
{
	struct te_record record;
	const char *said = "";
	int err;

	if (writing)
		return write_until_refused(idle, &said) != -EINTR || *said;
	hear();
	err = te_stream_next(te_stream_reader_create(idle, "it"), &record);
	return err != -EINTR || *heard();
}

static void a_signal_ends_writing_and_reading_without_a_word(void)
{
	int writing;

	for (writing = 0; writing < 2; writing++) {
		int ends[2], status;
		pid_t child;

		CHECK_EQ(pipe(ends), 0);
		te_interrupt_catch();
		child = fork();
		if (!child)
			_exit(interrupted(ends[writing], writing));
		CHECK(child > 0);
		/* Again and again: one may come between the child's look and its call. */
		do {
			usleep(50000);
			kill(child, SIGTERM);
		} while (!waitpid(child, &status, WNOHANG));
		CHECK(WIFEXITED(status));
		CHECK_EQ(WEXITSTATUS(status), 0);
		close(ends[0]);
		close(ends[1]);
	}
}

static void a_terminal_is_refused(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	CHECK(fd >= 0);
	hear();
	CHECK_EQ(te_stream_output_check(fd, "out"), -EINVAL);
	CHECK(strstr(heard(), "terminal"));
	close(fd);
}

UNIT_MAIN(UNIT(random_ops_come_back_as_they_were_given),
	  UNIT(ops_longer_than_a_frame_come_back_whole),
	  UNIT(more_ops_than_a_frame_holds_come_back),
	  UNIT(a_pool_without_volumes_is_a_stream),
	  UNIT(the_pieces_in_which_data_comes_do_not_show),
	  UNIT(a_pipe_that_gives_one_byte_at_a_time_is_read),
	  UNIT(written_bytes_and_raw_bytes_are_counted),
	  UNIT(a_stream_that_is_not_as_announced_is_not_ended),
	  UNIT(a_full_disk_is_said),
	  UNIT(a_reader_that_went_away_is_said),
	  UNIT(a_signal_ends_writing_and_reading_without_a_word),
	  UNIT(a_terminal_is_refused))
