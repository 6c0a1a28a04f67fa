// SPDX-License-Identifier: GPL-2.0-or-later
/* Placement: bytes in the order they came, whichever write ends first; one error. */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "receive/place.h"
#include "streams.h"
#include "unit.h"

#define BLOCK_SECTORS	128u
#define BLOCK_BYTES	(BLOCK_SECTORS * 512u)
#define BLOCKS		640u			/* several times what is on its way at once */
#define BYTES		((size_t)BLOCKS * BLOCK_BYTES)

static u8 source[BYTES], back[BYTES];

/*
 * Every write of the placement passes here (the linker's --wrap): slow ones end late;
 * of two that fail, the one to byte 0 does so last, or first.
 */
static useconds_t slow;
static enum { ANY_ORDER, FIRST_LAST, FIRST_FIRST } order;
static atomic_uint begun, failed;	/* begun: behind the first */

int __real_te_write_at(int fd, const void *p, size_t bytes, u64 *offset);
int __wrap_te_write_at(int fd, const void *p, size_t bytes, u64 *offset);

int __wrap_te_write_at(int fd, const void *p, size_t bytes, u64 *offset)
{
	unsigned int tries = 100000;
	int err;

	usleep(slow);
	begun += *offset != 0;
	while (tries-- && ((order == FIRST_LAST && !*offset && !failed) ||
			   (order == FIRST_FIRST && !(*offset ? failed : begun))))
		usleep(100);
	if (order == FIRST_LAST && !*offset)
		usleep(20000);
	err = __real_te_write_at(fd, p, bytes, offset);
	failed += err != 0;
	return err;
}

static u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Pieces of sectors and of blocks, a quarter of them zeros; all of the source. */
static int place_pieces(struct te_place_writer *place, u64 seed)
{
	size_t at, bytes;
	int err = 0;

	for (at = 0; !err && at < BYTES; at += bytes) {
		bool data = next_random(&seed) % 4;

		bytes = next_random(&seed) % 2 ? BLOCK_BYTES * (1 + next_random(&seed) % 40) :
						 512 * (1 + next_random(&seed) % 200);
		if (bytes > BYTES - at)
			bytes = BYTES - at;
		memset(source + at, data ? (int)(1 + next_random(&seed) % 255) : 0, bytes);
		if (data)
			source[at] = 0;
		CHECK_EQ(te_place_next_block(place), at / BLOCK_BYTES);
		err = te_place_write(place, data ? source + at : NULL, bytes);
	}
	return err;
}

static void what_is_placed_lies_in_its_order(void)
{
	u64 seed;

	for (seed = 1; seed <= 3; seed++) {
		int fd = memfd_create("placed", 0);
		struct te_place_writer *place = te_place_create(fd, "placed", BLOCK_SECTORS, BLOCKS);

		/* What was there does not shine through. */
		memset(back, 0xff, BYTES);
		CHECK_EQ(pwrite(fd, back, BYTES, 0), BYTES);
		CHECK_EQ(place_pieces(place, seed), 0);
		CHECK_EQ(te_place_finish(place), 0);
		te_place_destroy(place);
		CHECK_EQ(pread(fd, back, BYTES, 0), BYTES);
		CHECK(!memcmp(source, back, BYTES));
		close(fd);
	}
}

/* Every third block, some by pieces: what is between stays as it was. */
static void what_is_sought_lies_in_its_place(void)
{
	int fd = memfd_create("placed", 0);
	struct te_place_writer *place = te_place_create(fd, "placed", BLOCK_SECTORS, BLOCKS);
	size_t at;

	memset(source, 0xff, BYTES);
	CHECK_EQ(pwrite(fd, source, BYTES, 0), BYTES);
	for (at = BLOCK_BYTES; at < BYTES; at += 3 * BLOCK_BYTES) {
		memset(source + at, (int)(at / BLOCK_BYTES), BLOCK_BYTES);
		CHECK_EQ(te_place_seek(place, at), 0);
		CHECK_EQ(te_place_write(place, source + at, 512), 0);
		CHECK_EQ(te_place_write(place, source + at + 512, BLOCK_BYTES - 512), 0);
		CHECK_EQ(te_place_position(place), at + BLOCK_BYTES);
		CHECK_EQ(te_place_pending(place), BLOCK_BYTES);
	}
	CHECK_EQ(te_place_wait(place), 0);
	CHECK_EQ(te_place_finish(place), 0);
	te_place_destroy(place);
	CHECK_EQ(pread(fd, back, BYTES, 0), BYTES);
	CHECK(!memcmp(source, back, BYTES));
	close(fd);
}

static void zeros_in_a_file_are_holes(void)
{
	int fd = memfd_create("placed", 0);
	struct te_place_writer *place = te_place_create(fd, "placed", BLOCK_SECTORS, BLOCKS);
	struct stat status;

	CHECK_EQ(ftruncate(fd, BYTES), 0);
	memset(source, 1, BLOCK_BYTES);
	CHECK_EQ(te_place_write(place, source, BLOCK_BYTES), 0);
	CHECK_EQ(te_place_write(place, NULL, BYTES - BLOCK_BYTES), 0);
	CHECK_EQ(te_place_finish(place), 0);
	te_place_destroy(place);
	CHECK_EQ(fstat(fd, &status), 0);
	CHECK(status.st_blocks <= 2 * BLOCK_BYTES / 512);
	close(fd);
}

/* Every write fails, the first of them sooner or later than others. */
static void of_writes_that_fail_the_lowest_is_told(void)
{
	int round;

	for (round = 0; round < 20; round++) {
		int fd = open("/dev/full", O_WRONLY);
		struct te_place_writer *place = te_place_create(fd, "full", BLOCK_SECTORS, BLOCKS);
		int err;

		begun = 0;
		failed = 0;
		order = round % 2 ? FIRST_LAST : FIRST_FIRST;
		hear();
		err = place_pieces(place, 1);
		if (!err)
			err = te_place_finish(place);
		te_place_destroy(place);
		CHECK_STR(heard(),
			  "thinexport: error: full: cannot write at byte 0: No space left on device\n");
		CHECK_EQ(err, -ENOSPC);
		CHECK(failed > 1);
		close(fd);
	}
	order = ANY_ORDER;
}

/* In the midst of a chunk too. */
static void what_is_settled_is_written(void)
{
	size_t given = BYTES - 3 * BLOCK_BYTES;
	int fd = memfd_create("placed", 0);
	struct te_place_writer *place = te_place_create(fd, "placed", BLOCK_SECTORS, BLOCKS);

	memset(source, 7, BYTES);
	slow = 20000;
	CHECK_EQ(te_place_write(place, source, given), 0);
	CHECK_EQ(te_place_settle(place), 0);
	CHECK_EQ(pread(fd, back, BYTES, 0), given);
	CHECK(!memcmp(source, back, given));
	CHECK_EQ(te_place_write(place, source, BYTES - given), 0);
	CHECK_EQ(te_place_finish(place), 0);
	slow = 0;
	te_place_destroy(place);
	CHECK_EQ(pread(fd, back, BYTES, 0), BYTES);
	CHECK(!memcmp(source, back, BYTES));
	close(fd);
}

static void nothing_is_placed_beyond_the_end(void)
{
	int fd = memfd_create("placed", 0);
	struct te_place_writer *place = te_place_create(fd, "placed", BLOCK_SECTORS, 1);

	CHECK_EQ(te_place_write(place, source, BLOCK_BYTES - 512), 0);
	hear();
	CHECK_EQ(te_place_write(place, source, 1024), -ENOSPC);
	CHECK_STR(heard(),
		  "thinexport: error: placed is full: more arrives than its 64 KiB hold\n");
	te_place_destroy(place);
	close(fd);
}

UNIT_MAIN(UNIT(what_is_placed_lies_in_its_order),
	  UNIT(what_is_sought_lies_in_its_place),
	  UNIT(zeros_in_a_file_are_holes),
	  UNIT(of_writes_that_fail_the_lowest_is_told),
	  UNIT(what_is_settled_is_written),
	  UNIT(nothing_is_placed_beyond_the_end))
