// SPDX-License-Identifier: GPL-2.0-or-later
/* Placement: what arrives is gathered into large writes, from block 0 on. */
#include "place.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "interrupt.h"
#include "say.h"

/*
 * Bytes of a write, at least: on a RAID5 of a few disks several stripes, so that
 * parity is computed and all members are busy at once.
 */
#define WRITE_BYTES		(8u << 20)

/* An optimal I/O size above this is not believed: some devices report nonsense. */
#define MOST_OPTIMAL_BYTES	(16u << 20)

#define ALIGN_BYTES		4096u
#define SECTOR_BYTES		512u

/* On a file, zeros are kept as holes in units of this. */
#define UNIT_BYTES		65536u

/*
 * A chunk is what one write takes.  Two of them: the main thread fills one while
 * the writer thread writes the other.  `busy` says whose a chunk is: the
 * writer's when set, else the main thread's; it and `error` and `ending` are
 * under the lock.
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
	struct chunk chunks[2];
	unsigned int filling;

	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int error;			/* -errno of the first write that failed */
	u64 error_offset;
	bool ending;
};

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
	while (bytes) {
		ssize_t done = pwrite(fd, from, bytes, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -ENOSPC;
		from += done;
		bytes -= (size_t)done;
		offset += (u64)done;
	}
	return 0;
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
	if (place->is_file)
		return write_file_chunk(place, chunk);
	return write_bytes(place->fd, chunk->bytes, chunk->used, chunk->offset);
}

/* Writes the chunks as they come, in turn, until told to end. */
static void *write_chunks(void *context)
{
	struct te_place_writer *place = context;
	unsigned int turn = 0;

	te_interrupt_leave_to_main();
	pthread_mutex_lock(&place->lock);
	for (;;) {
		struct chunk *chunk = &place->chunks[turn];
		int err;

		while (!chunk->busy && !place->ending)
			pthread_cond_wait(&place->changed, &place->lock);
		if (!chunk->busy)
			break;
		err = place->error;
		if (!err) {
			pthread_mutex_unlock(&place->lock);
			err = write_chunk(place, chunk);
			pthread_mutex_lock(&place->lock);
			place->error = err;
			place->error_offset = chunk->offset;
		}
		chunk->busy = false;
		pthread_cond_broadcast(&place->changed);
		turn ^= 1;
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
	if (alloc_chunk(&place->chunks[0], place->chunk_bytes) ||
	    alloc_chunk(&place->chunks[1], place->chunk_bytes))
		goto no_memory;
	if (pthread_create(&place->thread, NULL, write_chunks, place))
		goto no_memory;
	place->running = true;
	return place;

no_memory:
	te_error("no memory to write %s", name);
	te_place_destroy(place);
	return NULL;
}

static void end_thread(struct te_place_writer *place)
{
	if (!place->running)
		return;
	pthread_mutex_lock(&place->lock);
	place->ending = true;
	pthread_cond_broadcast(&place->changed);
	pthread_mutex_unlock(&place->lock);
	pthread_join(place->thread, NULL);
	place->running = false;
}

void te_place_destroy(struct te_place_writer *place)
{
	unsigned int i;

	if (!place)
		return;
	end_thread(place);
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

/* Says what a write failed of; to be called once. */
static int say_error(const struct te_place_writer *place)
{
	te_error("%s: cannot write at byte %llu: %s", place->name,
		 (unsigned long long)place->error_offset, strerror(-place->error));
	return place->error;
}

/* Gives the chunk that was filled to the writer, and waits until the other is ours. */
static int submit(struct te_place_writer *place)
{
	struct chunk *next;
	int err;

	pthread_mutex_lock(&place->lock);
	place->chunks[place->filling].busy = true;
	pthread_cond_broadcast(&place->changed);
	place->filling ^= 1;
	next = &place->chunks[place->filling];
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
		struct chunk *chunk = &place->chunks[place->filling];
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

int te_place_finish(struct te_place_writer *place)
{
	int err = 0;

	if (place->chunks[place->filling].used)
		err = submit(place);
	end_thread(place);
	if (err)
		return err;
	if (place->error)
		return say_error(place);
	if (fdatasync(place->fd)) {
		err = -errno;
		te_error("%s: cannot flush to disk: %s", place->name, strerror(-err));
	}
	return err;
}
