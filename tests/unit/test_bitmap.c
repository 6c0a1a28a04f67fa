// SPDX-License-Identifier: GPL-2.0-or-later
/* Rank, select and runs against counting bit by bit. */
#include "core/bitmap.h"
#include "unit.h"

/* Around words and spans of the directory. */
static const u64 sizes[] = {
	0, 1, 63, 64, 65, 127, 128, 2047, 2048, 2049, 4095, 4096, 4097, 6143, 10000,
};

/* Bits set of each 256. */
static const u32 fills[] = { 0, 1, 20, 128, 250, 256 };

static u64 state = 1;

static u32 random32(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(state >> 33);
}

static struct te_bitmap random_map(u64 nr_bits, u32 fill)
{
	struct te_bitmap map;
	u64 bit;

	if (te_bitmap_init(&map, nr_bits))
		abort();
	for (bit = 0; bit < nr_bits; bit++)
		if (random32() % 256 < fill)
			te_bitmap_set(&map, bit);
	if (te_bitmap_index(&map))
		abort();
	return map;
}

/* Calls `test` with a map of each size and fill. */
static void with_maps(void (*test)(const struct te_bitmap *map))
{
	size_t s, f;

	for (s = 0; s < ARRAY_SIZE(sizes); s++)
		for (f = 0; f < ARRAY_SIZE(fills); f++) {
			struct te_bitmap map = random_map(sizes[s], fills[f]);

			test(&map);
			te_bitmap_exit(&map);
		}
}

static void check_rank(const struct te_bitmap *map)
{
	u64 bit, count = 0;

	for (bit = 0; bit < map->nr_bits; bit++) {
		CHECK_EQ(te_bitmap_rank(map, bit), count);
		count += te_bitmap_test(map, bit);
	}
	CHECK_EQ(te_bitmap_rank(map, map->nr_bits), count);
	CHECK_EQ(map->nr_set, count);
}

static void rank_counts_the_bits_below(void)
{
	with_maps(check_rank);
}

static void check_select(const struct te_bitmap *map)
{
	u64 bit, count = 0;

	for (bit = 0; bit < map->nr_bits; bit++)
		if (te_bitmap_test(map, bit))
			CHECK_EQ(te_bitmap_select(map, count++), bit);
}

static void select_finds_the_bit_of_a_rank(void)
{
	with_maps(check_select);
}

static void check_run(const struct te_bitmap *map)
{
	u64 bit, end, most;

	for (bit = 0; bit < map->nr_bits; bit++) {
		for (end = bit; end < map->nr_bits && te_bitmap_test(map, end); end++)
			;
		CHECK_EQ(te_bitmap_run(map, bit, ~0ULL), end - bit);
		most = random32() % 200;
		CHECK_EQ(te_bitmap_run(map, bit, most), end - bit < most ? end - bit : most);
	}
}

static void a_run_ends_at_the_first_clear_bit(void)
{
	with_maps(check_run);
}

static void set_tells_what_was(void)
{
	struct te_bitmap map;

	CHECK_EQ(te_bitmap_init(&map, 100), 0);
	CHECK(!te_bitmap_set(&map, 99));
	CHECK(te_bitmap_set(&map, 99));
	CHECK_EQ(map.nr_set, 1);
	CHECK(te_bitmap_test(&map, 99));
	CHECK(!te_bitmap_test(&map, 98));
	te_bitmap_exit(&map);
}

static void a_mask_sets_what_was_clear(void)
{
	struct te_bitmap map;

	CHECK_EQ(te_bitmap_init(&map, 200), 0);
	te_bitmap_set(&map, 64);
	te_bitmap_set(&map, 70);
	te_bitmap_set_mask(&map, 1, 1ULL << 63 | 3);
	CHECK_EQ(map.nr_set, 4);
	CHECK(te_bitmap_test(&map, 65) && te_bitmap_test(&map, 127));
	CHECK(te_bitmap_test(&map, 64) && te_bitmap_test(&map, 70));
	CHECK(!te_bitmap_test(&map, 63) && !te_bitmap_test(&map, 128));
	te_bitmap_exit(&map);
}

static void bits_lie_as_the_view_has_them(void)
{
	struct te_bitmap map;

	CHECK_EQ(te_bitmap_init(&map, 100), 0);
	te_bitmap_set(&map, 0);
	te_bitmap_set(&map, 13);
	te_bitmap_set(&map, 71);
	CHECK_EQ(((u8 *)map.words)[0], 1);
	CHECK_EQ(((u8 *)map.words)[1], 1 << 5);
	CHECK_EQ(((u8 *)map.words)[8], 1 << 7);
	CHECK_EQ(te_bitmap_bytes(100), 16);
	te_bitmap_exit(&map);
}

static void cleared_maps_are_empty_and_index_anew(void)
{
	struct te_bitmap map = random_map(5000, 128);

	te_bitmap_clear_all(&map);
	CHECK_EQ(map.nr_set, 0);
	te_bitmap_set(&map, 4999);
	CHECK_EQ(te_bitmap_index(&map), 0);
	CHECK_EQ(te_bitmap_rank(&map, 5000), 1);
	CHECK_EQ(te_bitmap_select(&map, 0), 4999);
	te_bitmap_exit(&map);
}

static void index_counts_words_that_were_read_in(void)
{
	struct te_bitmap map;

	CHECK_EQ(te_bitmap_init(&map, 3000), 0);
	memset(map.words, 0xff, 3000 / 8);
	CHECK_EQ(te_bitmap_index(&map), 0);
	CHECK_EQ(map.nr_set, 3000);
	CHECK_EQ(te_bitmap_run(&map, 0, ~0ULL), 3000);
	te_bitmap_exit(&map);
}

static void what_cannot_be_addressed_is_refused(void)
{
	struct te_bitmap map;

	CHECK_EQ(te_bitmap_init(&map, TE_BITMAP_MAX_BITS + 1), -EFBIG);
	te_bitmap_exit(&map);
	CHECK_EQ(te_bitmap_init(&map, ~0ULL), -EFBIG);
	te_bitmap_exit(&map);
	CHECK(te_bitmap_bytes(TE_BITMAP_MAX_BITS) <= INT_MAX);
}

UNIT_MAIN(UNIT(rank_counts_the_bits_below),
	  UNIT(select_finds_the_bit_of_a_rank),
	  UNIT(a_run_ends_at_the_first_clear_bit),
	  UNIT(set_tells_what_was),
	  UNIT(a_mask_sets_what_was_clear),
	  UNIT(bits_lie_as_the_view_has_them),
	  UNIT(cleared_maps_are_empty_and_index_anew),
	  UNIT(index_counts_words_that_were_read_in),
	  UNIT(what_cannot_be_addressed_is_refused))
