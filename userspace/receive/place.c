// SPDX-License-Identifier: GPL-2.0-or-later
/* Placement: what arrives is gathered into large writes, from block 0 on. */
#include "receive/place.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "base/write_at.h"

/*
 * Bytes of a write, at least: on a RAID5 of a few disks several stripes, so that
 * parity is computed and all members are busy at once.
 */
#define WRITE_BYTES		(4u << 20)

/* Chunks: one that is filled, and the others on their way, so that no disk waits for us. */
#define MOST_CHUNKS		4u
#define LEAST_CHUNKS		2u
#define MEMORY_BYTES		(MOST_CHUNKS * WRITE_BYTES)

/* An optimal I/O size above this is not believed: some devices report nonsense. */
#define MOST_OPTIMAL_BYTES	(16u << 20)

#define ALIGN_BYTES		4096u
#define SECTOR_BYTES		512u

/* On a file, zeros are kept as holes in units of this. */
#define UNIT_BYTES		65536u

/*
 * A chunk is what one write takes.  The main thread fills them in turn, and each is
 * written by a thread of its own.  `busy` says whose a chunk is: a writer's when set,
 * else the main thread's.
 */
struct chunk {
	u8 *bytes;
	bool *has_data;			/* by unit: not all zeros that were not given */
	u64 offset;			/* on the device */
	size_t used;
	bool busy;
};

struct te_place_writer {
	int fd;
	const char *name;
	bool is_file;
	u32 block_bytes;
	u64 end;			/* bytes that may be written */
	u64 position;			/* bytes taken so far */
	size_t chunk_bytes;
	struct chunk chunks[MOST_CHUNKS];
	unsigned int nr_chunks;
	pthread_t threads[MOST_CHUNKS];
	unsigned int nr_threads;

	pthread_mutex_t lock;		/* guards these, and each chunk's `busy` */
	pthread_cond_t changed;
	u64 filled, written;		/* chunks: to be written, and of these taken by a writer */
	int error;			/* -errno of the failed write that lies first */
	u64 error_offset;
	bool ending;
};

static struct chunk *chunk_of(struct te_place_writer *place, u64 number)
{
	return &place->chunks[number % place->nr_chunks];
}

/* The size of write the device likes best, or 0. */
static u32 optimal_bytes(int fd)
{
	unsigned int bytes = 0;

	if (ioctl(fd, BLKIOOPT, &bytes) || bytes > MOST_OPTIMAL_BYTES || bytes % ALIGN_BYTES)
		return 0;
	return bytes;
}

static size_t choose_chunk_bytes(int fd)
{
	u32 optimal = optimal_bytes(fd);

	return optimal ? DIV_ROUND_UP(WRITE_BYTES, optimal) * (size_t)optimal : WRITE_BYTES;
}

static int write_bytes(int fd, const u8 *from, size_t bytes, u64 offset)
{
	return te_write_at(fd, from, bytes, &offset);
}

/* Zeros in a file: nothing at all where nothing was. */
static int make_hole(int fd, const u8 *zeros, size_t bytes, u64 offset)
{
	if (!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		       (off_t)bytes))
		return 0;
	return write_bytes(fd, zeros, bytes, offset);
}

static int write_file_chunk(struct te_place_writer *place, const struct chunk *chunk)
{
	size_t at = 0;
	int err = 0;

	while (!err && at < chunk->used) {
		bool data = chunk->has_data[at / UNIT_BYTES];
		size_t end = at;

		while (end < chunk->used && chunk->has_data[end / UNIT_BYTES] == data)
			end += UNIT_BYTES;
		if (end > chunk->used)
			end = chunk->used;
		if (data)
			err = write_bytes(place->fd, chunk->bytes + at, end - at,
					  chunk->offset + at);
		else
			err = make_hole(place->fd, chunk->bytes + at, end - at,
					chunk->offset + at);
		at = end;
	}
	return err;
}

static int write_chunk(struct te_place_writer *place, const struct chunk *chunk)
{
	int err;

	if (place->is_file) {
		err = write_file_chunk(place, chunk);
		/* The disk starts now, not at the end; what it fails of fdatasync tells. */
		sync_file_range(place->fd, (off_t)chunk->offset, (off_t)chunk->used,
				SYNC_FILE_RANGE_WRITE);
		return err;
	}
	return write_bytes(place->fd, chunk->bytes, chunk->used, chunk->offset);
}

static void note_error(struct te_place_writer *place, int err, u64 offset)
{
	if (place->error && place->error_offset < offset)
		return;
	place->error = err;
	place->error_offset = offset;
}

/* Writes chunks as they come until told to end; behind an error, none. */
static void *write_chunks(void *context)
{
	struct te_place_writer *place = context;

	te_interrupt_leave_to_main();
	pthread_mutex_lock(&place->lock);
	for (;;) {
		struct chunk *chunk;
		int err = 0;

		while (place->written == place->filled && !place->ending)
			pthread_cond_wait(&place->changed, &place->lock);
		if (place->written == place->filled)
			break;
		chunk = chunk_of(place, place->written++);
		if (!place->error) {
			pthread_mutex_unlock(&place->lock);
			err = write_chunk(place, chunk);
			pthread_mutex_lock(&place->lock);
		}
		if (err)
			note_error(place, err, chunk->offset);
		chunk->busy = false;
		pthread_cond_broadcast(&place->changed);
	}
	pthread_mutex_unlock(&place->lock);
	return NULL;
}

static int alloc_chunk(struct chunk *chunk, size_t bytes)
{
	void *memory;

	if (posix_memalign(&memory, ALIGN_BYTES, bytes))
		return -ENOMEM;
	chunk->bytes = memory;
	chunk->has_data = te_alloc(DIV_ROUND_UP(bytes, UNIT_BYTES) * sizeof(bool));
	return chunk->has_data ? 0 : -ENOMEM;
}

static int alloc_chunks(struct te_place_writer *place)
{
	unsigned int nr = (unsigned int)(MEMORY_BYTES / place->chunk_bytes);
	int err = 0;

	place->nr_chunks = nr < LEAST_CHUNKS ? LEAST_CHUNKS : nr;
	for (nr = 0; !err && nr < place->nr_chunks; nr++)
		err = alloc_chunk(&place->chunks[nr], place->chunk_bytes);
	return err;
}

/* One for each chunk that can be on its way; a file takes one write at a time anyway. */
static int start_threads(struct te_place_writer *place)
{
	unsigned int wanted = place->is_file ? 1 : place->nr_chunks - 1;

	while (place->nr_threads < wanted) {
		if (pthread_create(&place->threads[place->nr_threads], NULL, write_chunks, place))
			return -EAGAIN;
		place->nr_threads++;
	}
	return 0;
}

struct te_place_writer *te_place_create(int fd, const char *name, u32 block_sectors,
					u64 nr_data_blocks)
{
	struct te_place_writer *place = te_alloc(sizeof(*place));
	struct stat st;

	if (!place)
		goto no_memory;
	place->fd = fd;
	place->name = name;
	place->block_bytes = block_sectors * SECTOR_BYTES;
	place->end = nr_data_blocks * place->block_bytes;
	place->is_file = !fstat(fd, &st) && S_ISREG(st.st_mode);
	place->chunk_bytes = choose_chunk_bytes(fd);
	pthread_mutex_init(&place->lock, NULL);
	pthread_cond_init(&place->changed, NULL);
	if (alloc_chunks(place) || start_threads(place))
		goto no_memory;
	return place;

no_memory:
	te_error("no memory to write %s", name);
	te_place_destroy(place);
	return NULL;
}

static void end_threads(struct te_place_writer *place)
{
	pthread_mutex_lock(&place->lock);
	place->ending = true;
	pthread_cond_broadcast(&place->changed);
	pthread_mutex_unlock(&place->lock);
	while (place->nr_threads)
		pthread_join(place->threads[--place->nr_threads], NULL);
}

void te_place_destroy(struct te_place_writer *place)
{
	unsigned int i;

	if (!place)
		return;
	/* What nobody has begun to write is not wanted any more. */
	pthread_mutex_lock(&place->lock);
	place->filled = place->written;
	pthread_mutex_unlock(&place->lock);
	end_threads(place);
	for (i = 0; i < ARRAY_SIZE(place->chunks); i++) {
		free(place->chunks[i].bytes);
		te_free(place->chunks[i].has_data);
	}
	pthread_mutex_destroy(&place->lock);
	pthread_cond_destroy(&place->changed);
	te_free(place);
}

u64 te_place_next_block(const struct te_place_writer *place)
{
	return place->position / place->block_bytes;
}

/* Says what a write failed of, when all have ended; to be called once. */
static int say_error(struct te_place_writer *place)
{
	end_threads(place);
	te_error("%s: cannot write at byte %llu: %s", place->name,
		 (unsigned long long)place->error_offset, strerror(-place->error));
	return place->error;
}

/* Gives the chunk that was filled to a writer, and waits until the next is ours. */
static int submit(struct te_place_writer *place)
{
	struct chunk *next;
	int err;

	pthread_mutex_lock(&place->lock);
	chunk_of(place, place->filled)->busy = true;
	next = chunk_of(place, ++place->filled);
	pthread_cond_broadcast(&place->changed);
	while (next->busy)
		pthread_cond_wait(&place->changed, &place->lock);
	err = place->error;
	pthread_mutex_unlock(&place->lock);

	next->offset = place->position;
	next->used = 0;
	memset(next->has_data, 0, DIV_ROUND_UP(place->chunk_bytes, UNIT_BYTES) * sizeof(bool));
	return err ? say_error(place) : 0;
}

static void fill(struct chunk *chunk, const u8 *data, size_t bytes)
{
	size_t unit;

	if (!data) {
		memset(chunk->bytes + chunk->used, 0, bytes);
	} else {
		memcpy(chunk->bytes + chunk->used, data, bytes);
		for (unit = chunk->used / UNIT_BYTES;
		     unit <= (chunk->used + bytes - 1) / UNIT_BYTES; unit++)
			chunk->has_data[unit] = true;
	}
	chunk->used += bytes;
}

int te_place_write(struct te_place_writer *place, const void *data, u64 bytes)
{
	const u8 *from = data;
	int err = 0;

	if (bytes > place->end - place->position) {
		te_error("%s is full: more arrives than its %s hold", place->name,
			 te_bytes(place->end));
		return -ENOSPC;
	}
	while (!err && bytes) {
		struct chunk *chunk = chunk_of(place, place->filled);
		size_t part = place->chunk_bytes - chunk->used;

		if (part > bytes)
			part = bytes;
		fill(chunk, from, part);
		from = from ? from + part : NULL;
		bytes -= part;
		place->position += part;
		if (chunk->used == place->chunk_bytes)
			err = submit(place);
	}
	return err;
}

int te_place_seek(struct te_place_writer *place, u64 position)
{
	int err = 0;

	if (position == place->position)
		return 0;
	if (chunk_of(place, place->filled)->used)
		err = submit(place);
	place->position = position;
	chunk_of(place, place->filled)->offset = position;
	return err;
}

static int flush(const struct te_place_writer *place)
{
	int err;

	if (!fdatasync(place->fd))
		return 0;
	err = -errno;
	te_error("%s: cannot flush to disk: %s", place->name, strerror(-err));
	return err;
}

int te_place_wait(struct te_place_writer *place)
{
	unsigned int i;
	int err;

	pthread_mutex_lock(&place->lock);
	for (i = 0; i < place->nr_chunks; i++)
		while (place->chunks[i].busy)
			pthread_cond_wait(&place->changed, &place->lock);
	err = place->error;
	pthread_mutex_unlock(&place->lock);
	return err ? say_error(place) : 0;
}

size_t te_place_pending(struct te_place_writer *place)
{
	return chunk_of(place, place->filled)->used;
}

/* What the chunk has so far: whole units of the device, which the next write makes good. */
static int write_begun(struct te_place_writer *place)
{
	struct chunk begun = *chunk_of(place, place->filled);
	int err;

	if (!begun.used)
		return 0;
	if (!place->is_file) {
		size_t whole = round_up(begun.used, (size_t)ALIGN_BYTES);

		memset(begun.bytes + begun.used, 0, whole - begun.used);
		begun.used = whole;
	}
	err = write_chunk(place, &begun);
	if (!err)
		return 0;
	note_error(place, err, begun.offset);
	return say_error(place);
}

int te_place_settle(struct te_place_writer *place)
{
	int err = te_place_wait(place);

	if (!err)
		err = write_begun(place);
	return err ? err : flush(place);
}

u64 te_place_position(const struct te_place_writer *place)
{
	return place->position;
}

static bool is_zero(const u8 *bytes, size_t nr)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, nr - 1);
}

int te_place_go_on(struct te_place_writer *place, u64 position)
{
	struct chunk *chunk = chunk_of(place, place->filled);
	size_t at, whole;

	if (position > place->end) {
		te_error("%s is smaller than what was written to it", place->name);
		return -ENOSPC;
	}
	place->position = position;
	chunk->used = position % place->chunk_bytes;
	chunk->offset = position - chunk->used;
	whole = round_up(chunk->used, (size_t)ALIGN_BYTES);
	if (pread(place->fd, chunk->bytes, whole, (off_t)chunk->offset) < (ssize_t)chunk->used) {
		te_error("%s: cannot read back byte %llu: %s", place->name,
			 (unsigned long long)chunk->offset, strerror(errno));
		return -EIO;
	}
	for (at = 0; at < chunk->used; at += UNIT_BYTES) {
		size_t left = chunk->used - at;

		chunk->has_data[at / UNIT_BYTES] =
			!is_zero(chunk->bytes + at, left < UNIT_BYTES ? left : UNIT_BYTES);
	}
	return 0;
}

int te_place_finish(struct te_place_writer *place)
{
	int err = 0;

	if (chunk_of(place, place->filled)->used)
		err = submit(place);
	end_threads(place);
	if (err)
		return err;
	if (place->error)
		return say_error(place);
	return flush(place);
}
