// SPDX-License-Identifier: GPL-2.0-or-later
/* The free extents of a pool below its pieces, against looking at each sector. */
#include "passdown/extents.h"
#include "unit.h"

#define BLOCK	24u			/* sectors */
#define BLOCKS	300u
#define SHIMS	2
#define PLACES	20000u			/* sectors of a passdown */

/* What each sector of a passdown is to be: 0 not of the pool, 1 in use, 2 free. */
static u8 model[SHIMS][PLACES], told[SHIMS][PLACES];
static u64 beside_model, beside_told;
static u64 state = 1;

static u32 random32(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(state >> 33);
}

static struct te_piece pieces[64];
static size_t nr_pieces;

/* Pieces of any length, now joining what was before, now elsewhere; as te_stack_read sorts. */
static void make_pieces(void)
{
	u64 at = 0, end = BLOCK * BLOCKS, next[SHIMS + 1] = { 0 };
	size_t i, j;

	for (nr_pieces = 0; at < end; nr_pieces++) {
		struct te_piece *piece = &pieces[nr_pieces];

		piece->start = at;
		piece->sectors = 1 + random32() % 700;
		if (piece->sectors > end - at || nr_pieces == ARRAY_SIZE(pieces) - 1)
			piece->sectors = end - at;
		piece->shim = (long)(random32() % (SHIMS + 1)) - 1;
		if (random32() % 2)
			next[piece->shim + 1] += random32() % 100;
		piece->below = next[piece->shim + 1];
		next[piece->shim + 1] += piece->sectors;
		at += piece->sectors;
	}
	/* By passdown, and there by place: within one they ascend already. */
	for (i = 1; i < nr_pieces; i++)
		for (j = i; j && pieces[j - 1].shim > pieces[j].shim; j--) {
			struct te_piece moved = pieces[j];

			pieces[j] = pieces[j - 1];
			pieces[j - 1] = moved;
		}
}

static void fill_model(const struct te_bitmap *used)
{
	size_t i;
	u64 s;

	memset(model, 0, sizeof(model));
	memset(told, 0, sizeof(told));
	beside_model = beside_told = 0;
	for (i = 0; i < nr_pieces; i++)
		for (s = 0; s < pieces[i].sectors; s++) {
			bool free = !te_bitmap_test(used, (pieces[i].start + s) / BLOCK);

			if (pieces[i].shim < 0)
				beside_model += free;
			else
				model[pieces[i].shim][pieces[i].below + s] = free ? 2 : 1;
		}
}

static int tell(void *context, long shim, u64 start, u64 sectors)
{
	u64 s;

	CHECK(sectors > 0);
	if (shim < 0) {
		beside_told += sectors;
		return 0;
	}
	CHECK(shim < SHIMS && start + sectors <= PLACES);
	for (s = start; s < start + sectors; s++) {
		CHECK_EQ(model[shim][s], 2);
		CHECK_EQ(told[shim][s], 0);
		told[shim][s] = 1;
	}
	/* As long as can be. */
	CHECK(!start || model[shim][start - 1] != 2);
	CHECK(start + sectors == PLACES || model[shim][start + sectors] != 2);
	return 0;
}

static void extents_are_what_is_free_and_as_long_as_can_be(void)
{
	unsigned int round;

	for (round = 0; round < 400; round++) {
		struct te_stack stack = { .pieces = pieces };
		struct te_extents extents = { .nr_blocks = BLOCKS, .block_sectors = BLOCK,
					      .stack = &stack };
		u32 fill = round % 9 * 32;
		struct te_bitmap used;
		u64 block;
		u32 s;

		CHECK_EQ(te_bitmap_init(&used, BLOCKS), 0);
		for (block = 0; block < BLOCKS; block++)
			if (random32() % 256 < fill)
				te_bitmap_set(&used, block);
		make_pieces();
		fill_model(&used);
		stack.nr_pieces = nr_pieces;
		extents.used = &used;
		CHECK_EQ(te_extents_each(&extents, tell, NULL), 0);
		for (s = 0; s < PLACES; s++) {
			CHECK_EQ(told[0][s], model[0][s] == 2);
			CHECK_EQ(told[1][s], model[1][s] == 2);
		}
		CHECK_EQ(beside_told, beside_model);
		te_bitmap_exit(&used);
	}
}

static int stop_at_third(void *context, long shim, u64 start, u64 sectors)
{
	return ++*(int *)context == 3 ? -EINTR : 0;
}

static void the_first_result_ends_it(void)
{
	struct te_piece piece = { .sectors = BLOCK * BLOCKS };
	struct te_stack stack = { .pieces = &piece, .nr_pieces = 1 };
	struct te_bitmap used;
	struct te_extents extents = { .used = &used, .nr_blocks = BLOCKS, .block_sectors = BLOCK,
				      .stack = &stack };
	int calls = 0;
	u64 block;

	CHECK_EQ(te_bitmap_init(&used, BLOCKS), 0);
	for (block = 0; block < BLOCKS; block += 2)
		te_bitmap_set(&used, block);
	CHECK_EQ(te_extents_each(&extents, stop_at_third, &calls), -EINTR);
	CHECK_EQ(calls, 3);
	te_bitmap_exit(&used);
}

UNIT_MAIN(UNIT(extents_are_what_is_free_and_as_long_as_can_be), UNIT(the_first_result_ends_it))
