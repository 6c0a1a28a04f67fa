// SPDX-License-Identifier: GPL-2.0-or-later
/* Tokens and checkpoints, taken from hostile hands. */
#include <fcntl.h>
#include <unistd.h>

#include "build/build.h"
#include "receive/checkpoint.h"
#include "stream/frame.h"
#include "stream/resume.h"
#include "streams.h"
#include "unit.h"

#define BLOCK	4096u
#define BLOCKS	256u

static struct te_resume a_place(void)
{
	return (struct te_resume) {
		.magic = cpu_to_le64(TE_RESUME_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.stream_id = "made by a test.",
		.beginning = cpu_to_le64(0x0123456789abcdefULL),
		.sequence = cpu_to_le64(17),
		.digest = cpu_to_le64(0xfedcba9876543210ULL),
		.index = cpu_to_le32(3),
		.flags = cpu_to_le32(TE_RESUME_IN_SECTION),
		.position = cpu_to_le64(1024),
		.section_ops = cpu_to_le64(5),
		.nr_ops = cpu_to_le64(9),
	};
}

static void a_token_is_one_line_and_gives_the_place_back(void)
{
	struct te_resume place = a_place(), again;
	char token[TE_TOKEN_BYTES];

	te_resume_to_token(&place, token);
	CHECK_EQ(strlen(token), TE_TOKEN_BYTES - 1);
	CHECK_EQ(strspn(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"),
		 TE_TOKEN_BYTES - 1);
	CHECK_EQ(te_resume_from_token(token, &again), 0);
	CHECK(!memcmp(&place, &again, sizeof(place)));
}

static void a_token_with_any_character_changed_is_refused(void)
{
	struct te_resume place = a_place(), again;
	char token[TE_TOKEN_BYTES];
	size_t i;

	hear();
	for (i = 0; i < TE_TOKEN_BYTES - 1; i++) {
		te_resume_to_token(&place, token);
		token[i] = token[i] == 'A' ? 'B' : 'A';
		CHECK_EQ(te_resume_from_token(token, &again), -EINVAL);
		te_resume_to_token(&place, token);
		token[i] = '\0';
		CHECK_EQ(te_resume_from_token(token, &again), -EINVAL);
	}
	heard();
}

#define REFUSED(field, value, err) do {						\
	place = a_place();							\
	place.field = value;							\
	CHECK_EQ(te_resume_check(&place, why, sizeof(why)), err);		\
} while (0)

static void an_impossible_place_is_refused(void)
{
	struct te_resume place = a_place();
	char why[160];

	CHECK_EQ(te_resume_check(&place, why, sizeof(why)), 0);
	REFUSED(magic, cpu_to_le64(1), -EBADMSG);
	REFUSED(version, cpu_to_le32(2), -EOPNOTSUPP);
	REFUSED(incompat, cpu_to_le32(1), -EOPNOTSUPP);
	REFUSED(flags, cpu_to_le32(2), -EOPNOTSUPP);
	REFUSED(flags, cpu_to_le32(0), -EBADMSG);
	REFUSED(sequence, cpu_to_le64(1), -EBADMSG);
	REFUSED(sequence, cpu_to_le64(UINT64_MAX), -EBADMSG);
	REFUSED(index, cpu_to_le32((1u << 24) + 1), -EBADMSG);
	REFUSED(position, cpu_to_le64((1ULL << 54) + 1), -EBADMSG);
	REFUSED(section_ops, cpu_to_le64(10), -EBADMSG);
	REFUSED(section_data_sectors, cpu_to_le64(1), -EBADMSG);
	REFUSED(data_sectors, cpu_to_le64(UINT64_MAX), -EBADMSG);
	REFUSED(zero[0], 1, -EBADMSG);
	REFUSED(zero[7], 1, -EBADMSG);
}

static int new_device(void)
{
	FILE *file = tmpfile();
	int fd = dup(fileno(file));

	fclose(file);
	CHECK_EQ(ftruncate(fd, (off_t)BLOCKS * BLOCK), 0);
	return fd;
}

static struct te_pack pack_of(const char *text)
{
	return (struct te_pack) { .bytes = (u8 *)text, .used = strlen(text), .room = strlen(text) };
}

static int write_text(struct te_checkpoint *checkpoint, const char *text)
{
	struct te_pack beginning = pack_of("the beginning"), slot = pack_of(text);

	return te_checkpoint_write(checkpoint, &beginning, &slot);
}

/* What is read back: the slot's first character, or 0 when that is refused. */
static char read_text(int fd)
{
	struct te_checkpoint checkpoint;
	struct te_pack beginning, slot;
	char first = 0;

	hear();
	if (!te_checkpoint_read(&checkpoint, fd, "it", BLOCKS, &beginning, &slot)) {
		CHECK(!memcmp(beginning.bytes, "the beginning", beginning.room));
		first = (char)slot.bytes[0];
	}
	heard();
	te_free(beginning.bytes);
	te_free(slot.bytes);
	return first;
}

static void the_newest_slot_counts_and_the_one_before_when_it_is_torn(void)
{
	struct te_checkpoint checkpoint;
	int fd = new_device(), turn;
	char text[] = "a slot";

	te_checkpoint_plan(&checkpoint, fd, "it", BLOCKS, 10, 100, 6000);
	CHECK_EQ(checkpoint.first, BLOCKS - 5);
	CHECK(!te_checkpoint_is_there(fd));
	for (turn = 0; turn < 6; turn++) {
		u64 torn;

		CHECK_EQ(write_text(&checkpoint, text), 0);
		CHECK_EQ(read_text(fd), text[0]);
		torn = checkpoint.first + 1 + checkpoint.counter % 2 * 2;
		CHECK_EQ(pwrite(fd, "x", 1, (off_t)(torn * BLOCK + 33)), 1);
		CHECK_EQ(read_text(fd), turn ? text[0] - 1 : 0);
		CHECK_EQ(pwrite(fd, text + 1, 1, (off_t)(torn * BLOCK + 33)), 1);
		text[0]++;
	}
	close(fd);
}

static void an_earlier_receives_slot_is_not_taken(void)
{
	struct te_checkpoint checkpoint;
	int fd = new_device();

	te_checkpoint_plan(&checkpoint, fd, "it", BLOCKS, 10, 100, 6000);
	CHECK_EQ(write_text(&checkpoint, "a"), 0);
	CHECK_EQ(write_text(&checkpoint, "b"), 0);
	CHECK_EQ(write_text(&checkpoint, "c"), 0);
	te_checkpoint_plan(&checkpoint, fd, "it", BLOCKS, 10, 100, 6000);
	CHECK_EQ(write_text(&checkpoint, "z"), 0);
	CHECK_EQ(read_text(fd), 'z');
	te_checkpoint_wipe(&checkpoint);
	CHECK_EQ(read_text(fd), 0);
	close(fd);
}

static void a_head_with_any_byte_changed_is_refused(void)
{
	struct te_checkpoint checkpoint;
	int fd = new_device();
	off_t at;

	te_checkpoint_plan(&checkpoint, fd, "it", BLOCKS, 10, 100, 6000);
	CHECK_EQ(write_text(&checkpoint, "a"), 0);
	for (at = 0; at < 64; at++) {
		u8 byte, changed;

		CHECK_EQ(pread(fd, &byte, 1, at), 1);
		changed = byte ^ 0x10;
		CHECK_EQ(pwrite(fd, &changed, 1, at), 1);
		CHECK_EQ(read_text(fd), 0);
		CHECK_EQ(pwrite(fd, &byte, 1, at), 1);
	}
	CHECK_EQ(read_text(fd), 'a');
	close(fd);
}

static void what_does_not_fit_is_not_planned(void)
{
	struct te_checkpoint checkpoint;

	te_checkpoint_plan(&checkpoint, -1, "it", BLOCKS, BLOCKS - 5, 100, 6000);
	CHECK_EQ(checkpoint.first, 0);
	te_checkpoint_plan(&checkpoint, -1, "it", BLOCKS, BLOCKS - 6, 100, 6000);
	CHECK_EQ(checkpoint.first, BLOCKS - 5);
	te_checkpoint_plan(&checkpoint, -1, "it", 4, 0, 100, 6000);
	CHECK_EQ(checkpoint.first, 0);
	te_checkpoint_plan(&checkpoint, -1, "it", UINT64_MAX, 0, SIZE_MAX - 100, 1);
	CHECK_EQ(checkpoint.first, 0);
}

static const struct te_build_pool pool = {
	.block_sectors = 128,
	.nr_data_blocks = 100000,
	.nr_metadata_blocks = BLOCKS,
	.time = 5,
	.kept_from = BLOCKS - 20,
};

/* A builder in its second volume, saved; its state's bytes are the caller's. */
static struct te_pack saved_state(int fd)
{
	const struct te_build_volume first = { .dev_id = 1 }, second = { .dev_id = 2 };
	struct te_build *build = te_build_create(fd, "it", &pool);
	struct te_pack state = { .room = te_build_most_state(2) };
	u64 mapped;

	state.bytes = te_alloc(state.room);
	CHECK_EQ(te_build_volume_begin(build, &first), 0);
	CHECK_EQ(te_build_map(build, 0, 0, 3000, true), 0);
	CHECK_EQ(te_build_volume_end(build, &mapped), 0);
	CHECK_EQ(te_build_volume_begin(build, &second), 0);
	CHECK_EQ(te_build_copy(build, 0, 0, 1500), 0);
	CHECK_EQ(te_build_map(build, 1500, 3000, 700, false), 0);
	CHECK_EQ(te_build_save(build, &state), 0);
	CHECK(!state.failed);
	te_build_destroy(build);
	return (struct te_pack) { .bytes = state.bytes, .room = state.used };
}

/* Whatever a state says that has no checksum any more: refused, or built on soundly. */
static void a_state_with_any_byte_changed_does_no_harm(void)
{
	int fd = new_device();
	struct te_pack state = saved_state(fd);
	size_t at, refused = 0;
	u64 mapped;

	hear();
	for (at = 0; at < state.room; at += at < 1000 ? 1 : 61) {
		struct te_pack pack = state;
		struct te_build *build;

		state.bytes[at] ^= 0x21;
		build = te_build_go_on(fd, "it", &pool, &pack);
		refused += !build;
		if (build && !te_build_map(build, 5000, 4000, 300, false) &&
		    !te_build_volume_end(build, &mapped))
			te_build_finish(build);
		te_build_destroy(build);
		state.bytes[at] ^= 0x21;
	}
	heard();
	CHECK(refused > 100);
	te_free(state.bytes);
	close(fd);
}

static void a_state_that_is_cut_short_is_refused(void)
{
	int fd = new_device();
	struct te_pack state = saved_state(fd);
	size_t bytes;

	hear();
	for (bytes = 0; bytes < state.room; bytes += 7) {
		struct te_pack pack = { .bytes = state.bytes, .room = bytes };

		CHECK(!te_build_go_on(fd, "it", &pool, &pack));
	}
	heard();
	te_free(state.bytes);
	close(fd);
}

UNIT_MAIN(UNIT(a_token_is_one_line_and_gives_the_place_back),
	  UNIT(a_token_with_any_character_changed_is_refused),
	  UNIT(an_impossible_place_is_refused),
	  UNIT(the_newest_slot_counts_and_the_one_before_when_it_is_torn),
	  UNIT(an_earlier_receives_slot_is_not_taken),
	  UNIT(a_head_with_any_byte_changed_is_refused),
	  UNIT(what_does_not_fit_is_not_planned),
	  UNIT(a_state_with_any_byte_changed_does_no_harm),
	  UNIT(a_state_that_is_cut_short_is_refused))
