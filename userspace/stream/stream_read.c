// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading a stream: frames taken off the input, unpacked, and checked.
 *
 * The caller's thread takes the frames in, and so do signals reach it while it waits
 * for the input.  Each goes into a slot; workers compare its checksum and decode
 * it, and of a file they also read its payload.  What is wrong with a frame is
 * kept in its slot until its turn: so nothing behind a damaged frame is
 * returned, and it is told as if frames came one by one.
 */
#include "stream/stream_read.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stream/frame.h"
#include "base/interrupt.h"
#include "stream/resume.h"
#include "base/say.h"
#include "stream/stream_check.h"
#include "stream/unpack.h"

#define HEADER_BYTES	sizeof(struct te_frame_header)

/* A payload is read in pieces of this, each summed up while it is in the core's cache. */
#define PIECE_BYTES	(128u << 10)

/*
 * What frames between input and caller may take: for each worker, and two more, the
 * memory of a frame of the largest size.  Of those that send makes all slots fit in.
 */
#define LARGEST_BYTES		(2ul * TE_FRAME_MAX_RAW)
#define ROOM_BYTES(workers)	(((workers) + 2) * LARGEST_BYTES)

struct te_stream_reader {
	int fd;
	const char *name;
	int result;			/* an error, once there was one */
	bool ended;			/* END has been returned */
	bool is_file;			/* payloads are read by workers, from their place */
	u64 start;			/* of the stream in the file */

	/* Frames and bytes: taken in, and given to the caller. */
	u64 taken, taken_bytes;
	u64 given, given_bytes;
	size_t held_bytes;		/* memory of the frames taken in and not yet done with */
	bool taken_all;			/* END or an error was taken in */
	u64 digest;			/* of the headers given, and of those before RESUME */
	u64 sequence;			/* of the frame to be given next, RESUME aside */
	char *said;			/* the caller's, or NULL: errors are said */
	bool resumes;			/* the first frame is to be RESUME ... */
	bool is_lost;			/* ... or it was, and nothing before it is known */
	struct te_stream_check check;

	struct te_slot *slots;
	unsigned int nr_slots;
	struct te_decoders decoders;	/* when there are no workers */
	pthread_t *workers;
	unsigned int nr_workers;

	pthread_mutex_t lock;		/* guards these, and each slot's `ready` */
	pthread_cond_t work, ready;
	u64 queued;			/* frames that workers may take */
	u64 working;			/* of these, that they have taken */
	bool stop;
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

static int alloc_slots(struct te_stream_reader *reader, unsigned int nr)
{
	int err = 0;

	reader->slots = calloc(nr, sizeof(*reader->slots));
	if (!reader->slots)
		return -ENOMEM;
	while (!err && reader->nr_slots < nr)
		err = te_slot_init(&reader->slots[reader->nr_slots++]);
	return err;
}

static void free_slots(struct te_stream_reader *reader)
{
	unsigned int i;

	for (i = 0; i < reader->nr_slots; i++)
		te_slot_exit(&reader->slots[i]);
	free(reader->slots);
	reader->slots = NULL;
	reader->nr_slots = 0;
}

struct te_stream_reader *te_stream_reader_create(int fd, const char *name)
{
	struct te_stream_reader *reader = te_alloc(sizeof(*reader));
	struct stat status;
	off_t start;

	if (!reader)
		return NULL;
	reader->fd = fd;
	reader->name = name;
	start = lseek(fd, 0, SEEK_CUR);
	reader->is_file = start >= 0 && !fstat(fd, &status) && S_ISREG(status.st_mode);
	reader->start = reader->is_file ? (u64)start : 0;
	pthread_mutex_init(&reader->lock, NULL);
	pthread_cond_init(&reader->work, NULL);
	pthread_cond_init(&reader->ready, NULL);
	if (!te_stream_check_init(&reader->check) && !alloc_slots(reader, 1))
		return reader;
	te_stream_reader_destroy(reader);
	return NULL;
}

void te_stream_reader_destroy(struct te_stream_reader *reader)
{
	unsigned int i;

	if (!reader)
		return;
	pthread_mutex_lock(&reader->lock);
	reader->stop = true;
	pthread_cond_broadcast(&reader->work);
	pthread_mutex_unlock(&reader->lock);
	for (i = 0; i < reader->nr_workers; i++)
		pthread_join(reader->workers[i], NULL);
	free(reader->workers);
	te_decoders_exit(&reader->decoders);
	free_slots(reader);
	te_stream_check_exit(&reader->check);
	pthread_cond_destroy(&reader->ready);
	pthread_cond_destroy(&reader->work);
	pthread_mutex_destroy(&reader->lock);
	te_free(reader);
}

/*
 * Reads `bytes` at `offset` of the stream, which in a pipe is where it stands, or
 * fewer when the input ends before; how many, or -errno after one sentence (none for
 * -EINTR).
 */
static ssize_t read_some(const struct te_stream_reader *reader, u64 offset, void *p, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		u8 *to = (u8 *)p + done;
		ssize_t n;

		if (te_interrupted())
			return -EINTR;
		n = reader->is_file ? pread(reader->fd, to, bytes - done,
					    (off_t)(reader->start + offset + done)) :
				      read(reader->fd, to, bytes - done);
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
			int err = -errno;

			te_error("%s: cannot read the stream at byte %llu: %s", reader->name,
				 (unsigned long long)(offset + done), strerror(-err));
			return err;
		}
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* Reads just as many bytes; the stream may not end here. */
static int read_all(const struct te_stream_reader *reader, const struct te_slot *slot, u64 offset,
		    void *p, size_t bytes)
{
	const __le32 magic = cpu_to_le32(TE_FRAME_MAGIC);
	ssize_t n = read_some(reader, offset, p, bytes);

	if (n < 0)
		return (int)n;
	if ((size_t)n == bytes)
		return 0;
	if (!offset && !n)
		te_error("%s is empty: there is no stream in it", reader->name);
	else if (!offset && memcmp(p, &magic, n < 4 ? (size_t)n : 4))
		te_error("%s is not a thinexport stream", reader->name);
	else
		te_error("%s: the stream is cut short: it ends at byte %llu, in frame %llu, before its END",
			 reader->name, (unsigned long long)offset + (unsigned long long)n,
			 (unsigned long long)slot->sequence);
	return -EBADMSG;
}

static int read_header(const struct te_stream_reader *reader, struct te_slot *slot)
{
	char why[200];
	int err = read_all(reader, slot, slot->offset, &slot->header, HEADER_BYTES);

	if (err)
		return err;
	if (!slot->sequence && le32_to_cpu(slot->header.magic) != TE_FRAME_MAGIC) {
		te_error("%s is not a thinexport stream", reader->name);
		return -EBADMSG;
	}
	err = te_frame_check(&slot->header, slot->sequence, why, sizeof(why));
	return err ? te_slot_refuse(slot, reader->name, err, "%s", why) : 0;
}

static int read_payload(const struct te_stream_reader *reader, const struct te_slot *slot)
{
	return read_all(reader, slot, slot->offset + HEADER_BYTES, te_slot_stored(slot),
			le32_to_cpu(slot->header.stored_bytes));
}

/* Likewise, and its checksum. */
static int read_and_sum(const struct te_stream_reader *reader, const struct te_slot *slot, u32 *csum)
{
	size_t bytes = le32_to_cpu(slot->header.stored_bytes), at, piece;
	u8 *to = te_slot_stored(slot);
	int err = 0;

	for (at = 0; !err && at < bytes; at += piece) {
		piece = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
		err = read_all(reader, slot, slot->offset + HEADER_BYTES + at, to + at, piece);
		if (!err)
			*csum = te_frame_csum_more(*csum, to + at, piece);
	}
	return err;
}

/* All that can be done with a frame before its turn.  Its sentences are kept in the slot. */
static void unpack(const struct te_stream_reader *reader, struct te_slot *slot,
		   struct te_decoders *decoders)
{
	u32 csum = 0;

	te_say_keep(slot->said);
	if (reader->is_file)
		slot->err = read_and_sum(reader, slot, &csum);
	else
		csum = te_frame_csum(te_slot_stored(slot), le32_to_cpu(slot->header.stored_bytes));
	if (!slot->err)
		slot->err = te_slot_unpack(slot, reader->name, csum, decoders);
	te_say_keep(NULL);
}

static void *work(void *context)
{
	struct te_stream_reader *reader = context;
	struct te_decoders decoders = { { NULL } };

	te_interrupt_leave_to_main();
	pthread_mutex_lock(&reader->lock);
	while (!reader->stop) {
		struct te_slot *slot;

		if (reader->working == reader->queued) {
			pthread_cond_wait(&reader->work, &reader->lock);
			continue;
		}
		slot = &reader->slots[reader->working++ % reader->nr_slots];
		pthread_mutex_unlock(&reader->lock);
		unpack(reader, slot, &decoders);
		pthread_mutex_lock(&reader->lock);
		slot->ready = true;
		pthread_cond_signal(&reader->ready);
	}
	pthread_mutex_unlock(&reader->lock);
	te_decoders_exit(&decoders);
	return NULL;
}

int te_stream_reader_use_threads(struct te_stream_reader *reader, unsigned int threads)
{
	int err;

	if (threads < 2)
		return 0;
	free_slots(reader);
	err = alloc_slots(reader, 2 * threads + 2);
	reader->workers = calloc(threads, sizeof(*reader->workers));
	while (!err && reader->workers && reader->nr_workers < threads) {
		err = -pthread_create(&reader->workers[reader->nr_workers], NULL, work, reader);
		reader->nr_workers += !err;
	}
	if (!err && reader->workers)
		return 0;
	te_error("%s: cannot start %u threads to read it: --threads takes fewer", reader->name,
		 threads);
	return -ENOMEM;
}

/* RESUME has number 0, and what follows it the numbers that follow what came before. */
static u64 number_of(const struct te_stream_reader *reader, u64 nth)
{
	if (!reader->resumes || !nth)
		return nth;
	return le64_to_cpu(reader->check.before->resume.sequence) + nth - 1;
}

/* Takes one more frame off the input, and has it unpacked. */
static void take_in(struct te_stream_reader *reader)
{
	struct te_slot *slot = &reader->slots[reader->taken % reader->nr_slots];

	slot->sequence = number_of(reader, reader->taken++);
	slot->offset = reader->taken_bytes;
	slot->ready = false;
	te_say_keep(slot->said);
	slot->err = read_header(reader, slot);
	if (!slot->err && !reader->is_file)
		slot->err = read_payload(reader, slot);
	te_say_keep(NULL);
	reader->held_bytes += te_slot_bytes(slot);
	reader->taken_all = slot->err || le16_to_cpu(slot->header.kind) == TE_FRAME_END;
	reader->taken_bytes += HEADER_BYTES + le32_to_cpu(slot->header.stored_bytes);
	if (!slot->err && !reader->nr_workers)
		unpack(reader, slot, &reader->decoders);

	pthread_mutex_lock(&reader->lock);
	slot->ready = slot->err || !reader->nr_workers;
	if (!slot->err) {
		reader->queued++;
		pthread_cond_signal(&reader->work);
	}
	pthread_mutex_unlock(&reader->lock);
}

static bool is_ready(struct te_stream_reader *reader, const struct te_slot *slot)
{
	bool ready;

	pthread_mutex_lock(&reader->lock);
	ready = slot->ready;
	pthread_mutex_unlock(&reader->lock);
	return ready;
}

static bool has_room(const struct te_stream_reader *reader)
{
	return reader->taken == reader->given ||
	       (reader->taken - reader->given < reader->nr_slots &&
		reader->held_bytes + LARGEST_BYTES <= ROOM_BYTES(reader->nr_workers));
}

static bool would_wait(const struct te_stream_reader *reader)
{
	struct pollfd input = { .fd = reader->fd, .events = POLLIN };

	return !reader->is_file && !poll(&input, 1, 0);
}

/* The next frame, unpacked; meanwhile the input is read as far as there is room. */
static struct te_slot *next_slot(struct te_stream_reader *reader)
{
	struct te_slot *slot = &reader->slots[reader->given % reader->nr_slots];

	while (!reader->taken_all && has_room(reader)) {
		/* What is ready is not kept waiting for what has not yet come. */
		if (reader->taken > reader->given && is_ready(reader, slot) && would_wait(reader))
			break;
		take_in(reader);
	}
	pthread_mutex_lock(&reader->lock);
	while (!slot->ready)
		pthread_cond_wait(&reader->ready, &reader->lock);
	pthread_mutex_unlock(&reader->lock);
	return slot;
}

static void fill_ops(const struct te_slot *slot, struct te_record *record, const u8 *raw)
{
	size_t table_bytes = le32_to_cpu(slot->header.table_bytes);

	record->kind = TE_RECORD_OPS;
	record->ops.ops = (const struct te_op *)raw;
	record->ops.nr_ops = table_bytes / sizeof(struct te_op);
	record->ops.data = raw + table_bytes;
	record->ops.data_bytes = le32_to_cpu(slot->header.raw_bytes) - table_bytes;
}

static void fill_record(const struct te_slot *slot, struct te_record *record)
{
	const void *raw = te_slot_raw(slot);

	switch (le16_to_cpu(slot->header.kind)) {
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
		fill_ops(slot, record, raw);
		break;
	case TE_FRAME_VOLUME_END:
		record->kind = TE_RECORD_VOLUME_END;
		record->volume_end = raw;
		break;
	case TE_FRAME_RESUME:
		record->kind = TE_RECORD_RESUME;
		record->resume = raw;
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
	ssize_t n = read_some(reader, reader->taken_bytes, &next, HEADER_BYTES);

	if (n <= 0)
		return (int)n;
	te_error(le32_to_cpu(next.magic) == TE_FRAME_MAGIC ?
			 "%s: the stream ends at byte %llu and another follows; one stream at a time" :
			 "%s: the stream ends at byte %llu, and bytes follow that are no part of it",
		 reader->name, (unsigned long long)reader->taken_bytes);
	return -EBADMSG;
}

static bool is_resume(const struct te_slot *slot)
{
	return le16_to_cpu(slot->header.kind) == TE_FRAME_RESUME;
}

/* A continuation whose beginning nobody here has: it can be shown, and that is all. */
static int check_lost(struct te_stream_reader *reader, const struct te_slot *slot,
		      const struct te_resume *resume)
{
	char why[160];
	int err = te_resume_check(resume, why, sizeof(why));

	if (!err && le32_to_cpu(slot->header.raw_bytes) != sizeof(*resume))
		return te_slot_refuse(slot, reader->name, -EBADMSG, "is RESUME of another size");
	reader->is_lost = !err;
	return err ? te_slot_refuse(slot, reader->name, err, "%s", why) : 0;
}

static int refuse_lost(struct te_stream_reader *reader)
{
	te_error("%s is the continuation of an interrupted stream, without its beginning: only the target that holds the beginning can receive it",
		 reader->name);
	return -EBADMSG;
}

/* The frame against those before it. */
static int check_frame(struct te_stream_reader *reader, const struct te_slot *slot)
{
	u8 *raw = te_slot_raw(slot);
	int err;

	if (te_slot_is_skipped(slot))
		return slot->sequence ? 0 :
		       te_slot_refuse(slot, reader->name, -EBADMSG,
				      "is not BEGIN, which a stream starts with");
	raw[le32_to_cpu(slot->header.raw_bytes)] = 0;
	if (is_resume(slot) && !slot->sequence && !reader->resumes)
		return check_lost(reader, slot, (const struct te_resume *)raw);
	err = te_stream_check_frame(&reader->check, &slot->header, raw, reader->digest);
	if (err)
		return te_slot_refuse(slot, reader->name, err, "%s", reader->check.why);
	if (le16_to_cpu(slot->header.kind) != TE_FRAME_END)
		return 0;
	err = check_input_end(reader);
	reader->ended = !err;
	return err;
}

/* The frame whose turn it is: what was found wrong with it before, or is now. */
static int give(struct te_stream_reader *reader, const struct te_slot *slot)
{
	if (slot->err && slot->said[0])
		te_say_kept(slot->said);
	if (slot->err)
		return slot->err;
	return check_frame(reader, slot);
}

/* The caller is done with the frame that was given last. */
static void release(struct te_stream_reader *reader)
{
	struct te_slot *slot = &reader->slots[(reader->given - 1) % reader->nr_slots];

	if (!reader->given)
		return;
	reader->held_bytes -= te_slot_bytes(slot);
	te_slot_clear(slot);
}

int te_stream_next(struct te_stream_reader *reader, struct te_record *record)
{
	const struct te_slot *slot;

	if (reader->result || reader->ended)
		return reader->result;
	release(reader);
	slot = reader->is_lost ? NULL : next_slot(reader);
	te_say_keep(reader->said);
	reader->result = slot ? give(reader, slot) : refuse_lost(reader);
	te_say_keep(NULL);
	if (reader->result)
		return reader->result;
	if (te_slot_is_skipped(slot))
		record->kind = TE_RECORD_SKIPPED;
	else
		fill_record(slot, record);
	record->header = &slot->header;
	record->offset = slot->offset;
	if (record->kind != TE_RECORD_RESUME) {
		reader->digest = te_frame_digest(reader->digest, &slot->header);
		reader->sequence++;
	}
	reader->given_bytes = slot->offset + HEADER_BYTES + le32_to_cpu(slot->header.stored_bytes);
	reader->given++;
	return 1;
}

int te_stream_reader_continue(struct te_stream_reader *reader,
			      const struct te_stream_before *before)
{
	int err = te_stream_check_continue(&reader->check, before);

	if (err) {
		te_error("%s: what is to be gone on with %s", reader->name, reader->check.why);
		return err;
	}
	reader->resumes = true;
	reader->sequence = le64_to_cpu(before->resume.sequence);
	reader->digest = le64_to_cpu(before->resume.digest);
	return 0;
}

void te_stream_reader_keep(struct te_stream_reader *reader, char *said)
{
	reader->said = said;
}

bool te_stream_reader_place(const struct te_stream_reader *reader, struct te_resume *place)
{
	if (!reader->check.catalog)
		return false;
	te_stream_check_place(&reader->check, reader->sequence, reader->digest, place);
	return true;
}

const struct te_catalog *te_stream_catalog(const struct te_stream_reader *reader)
{
	return reader->check.catalog;
}

u64 te_stream_read_bytes(const struct te_stream_reader *reader)
{
	return reader->given_bytes;
}
