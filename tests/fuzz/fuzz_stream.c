// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the stream reader and what frames must be to each other.
 *
 * The input is a byte of how it is read, a byte of what stays as it is (mended.h) and
 * a stream.  With nothing left as it is a stream is read to its END, whatever its
 * frames; with totals, ops or sizes left, stream_check.c and frame.c decide.  All
 * ways of reading must end alike: a file or a pipe, one thread or several, the
 * same records, and the same sentence.  What is returned is touched to its last byte,
 * its ops are as stream.h says, and the sums are those of VOLUME_END and END.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "stream/frame.h"
#include "device.h"
#include "mended.h"
#include "streams.h"
#include "target.h"

/* How it is read besides; threads and pipes take longer than all the rest. */
#define HOW_THREADS	1		/* by three threads */
#define HOW_PIPE	2		/* from a pipe, by two */

#define MAX_SECTORS	(1ULL << 54)

/* What came of one reading. */
struct outcome {
	int result;
	u64 nr_records;
	u32 sum;			/* of all records */
	char said[2048];
};

struct told {
	u32 sum;
	u64 end;			/* of the volume's last op */
	u64 data_bytes;
};

static void add(struct told *told, const void *p, size_t bytes)
{
	told->sum = crc32c(told->sum, p, bytes);
}

static void take_ops(struct told *told, const struct te_record *record)
{
	u64 data_bytes = 0;
	size_t i;

	keeps(record->ops.nr_ops > 0 && (uintptr_t)record->ops.data % 4096 == 0);
	for (i = 0; i < record->ops.nr_ops; i++) {
		const struct te_op *op = &record->ops.ops[i];
		u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);

		keeps(length && offset >= told->end && length <= MAX_SECTORS &&
		      offset <= MAX_SECTORS - length);
		told->end = offset + length;
		if (le16_to_cpu(op->kind) == TE_OP_DATA)
			data_bytes += length * 512;
	}
	keeps(data_bytes == record->ops.data_bytes);
	told->data_bytes += data_bytes;
	add(told, record->ops.ops, record->ops.nr_ops * sizeof(*record->ops.ops));
	add(told, record->ops.data, record->ops.data_bytes);
}

static void take_record(struct told *told, const struct te_record *record,
			const struct te_stream_reader *reader)
{
	switch (record->kind) {
	case TE_RECORD_BEGIN:
		add(told, record->begin, sizeof(*record->begin));
		break;
	case TE_RECORD_CATALOG:
		keeps(te_stream_catalog(reader) != NULL);
		add(told, record->catalog, strlen(record->catalog));
		break;
	case TE_RECORD_VOLUME:
		told->end = 0;
		add(told, record->volume, sizeof(*record->volume));
		break;
	case TE_RECORD_OPS:
		take_ops(told, record);
		break;
	case TE_RECORD_VOLUME_END:
		add(told, record->volume_end, sizeof(*record->volume_end));
		break;
	case TE_RECORD_END:
		keeps(le64_to_cpu(record->end->data_sectors) * 512 == told->data_bytes);
		add(told, record->end, sizeof(*record->end));
		break;
	case TE_RECORD_RESUME:
		add(told, record->resume, sizeof(*record->resume));
		break;
	case TE_RECORD_SKIPPED:
		break;
	}
	add(told, record->header, sizeof(*record->header));
}

static void read_through(int fd, unsigned int threads, struct outcome *outcome)
{
	struct te_stream_reader *reader = te_stream_reader_create(fd, "fuzzed");
	struct told told = { .sum = 0 };
	struct te_record record;

	keeps(reader && !te_stream_reader_use_threads(reader, threads));
	memset(outcome, 0, sizeof(*outcome));
	hear();
	while ((outcome->result = te_stream_next(reader, &record)) > 0) {
		take_record(&told, &record, reader);
		outcome->nr_records++;
	}
	/* It stays as it ended; and an error has its sentence. */
	keeps(te_stream_next(reader, &record) == outcome->result);
	snprintf(outcome->said, sizeof(outcome->said), "%s", heard());
	keeps(!outcome->result == !outcome->said[0]);
	outcome->sum = told.sum;
	te_stream_reader_destroy(reader);
}

static void same(const struct outcome *a, const struct outcome *b)
{
	keeps(a->result == b->result && a->nr_records == b->nr_records && a->sum == b->sum);
	keeps(!strcmp(a->said, b->said));
}

struct feed {
	int fd;
	const u8 *p;
	size_t bytes;
};

static void *feed(void *context)
{
	struct feed *feed = context;

	while (feed->bytes) {
		ssize_t n = write(feed->fd, feed->p, feed->bytes);

		if (n <= 0)
			break;		/* the reader has had enough */
		feed->p += n;
		feed->bytes -= (size_t)n;
	}
	close(feed->fd);
	return NULL;
}

static void read_pipe(const u8 *stream, size_t bytes, struct outcome *outcome)
{
	pthread_t thread;
	struct feed fed = { .p = stream, .bytes = bytes };
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	keeps(!pipe2(fds, O_CLOEXEC));
	fed.fd = fds[1];
	keeps(!pthread_create(&thread, NULL, feed, &fed));
	read_through(fds[0], 2, outcome);
	close(fds[0]);
	pthread_join(thread, NULL);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	static u8 stream[MENDED_MOST_BYTES];
	struct outcome one, other;
	int fd;

	if (bytes < 3)
		return 0;
	bytes = mended_stream(input + 2, bytes - 2, input[1], stream);
	fd = device_stream(stream, bytes);
	read_through(fd, 1, &one);
	if (input[0] == HOW_THREADS) {
		read_through(fd, 3, &other);
		same(&one, &other);
	} else if (input[0] == HOW_PIPE) {
		read_pipe(stream, bytes, &other);
		same(&one, &other);
	}
	return 0;
}
