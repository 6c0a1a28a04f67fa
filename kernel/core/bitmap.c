// SPDX-License-Identifier: GPL-2.0-or-later
/* A set of block numbers with rank and select. */
#include "bitmap.h"

#define WORD_BITS	64u
#define SPAN_WORDS	(TE_BITMAP_SPAN / WORD_BITS)
#define RESCHED_WORDS	(1u << 16)

static u64 nr_words(u64 nr_bits)
{
	return nr_bits / WORD_BITS + (nr_bits % WORD_BITS != 0);
}

static u64 nr_spans(u64 nr_bits)
{
	return nr_bits / TE_BITMAP_SPAN + (nr_bits % TE_BITMAP_SPAN != 0);
}

/* Bits [0, n) of a word; n < 64. */
static u64 low_mask(u32 n)
{
	return (1ULL << n) - 1;
}

u64 te_bitmap_bytes(u64 nr_bits)
{
	return nr_words(nr_bits) * sizeof(__le64);
}

int te_bitmap_init(struct te_bitmap *map, u64 nr_bits)
{
	memset(map, 0, sizeof(*map));
	if (nr_bits > TE_BITMAP_MAX_BITS)
		return -EFBIG;
	map->words = te_alloc(nr_bits ? te_bitmap_bytes(nr_bits) : sizeof(__le64));
	if (!map->words)
		return -ENOMEM;
	map->nr_bits = nr_bits;
	return 0;
}

void te_bitmap_exit(struct te_bitmap *map)
{
	te_free(map->directory);
	te_free(map->words);
	memset(map, 0, sizeof(*map));
}

bool te_bitmap_test(const struct te_bitmap *map, u64 bit)
{
	return le64_to_cpu(map->words[bit / WORD_BITS]) >> (bit % WORD_BITS) & 1;
}

bool te_bitmap_set(struct te_bitmap *map, u64 bit)
{
	__le64 *word = &map->words[bit / WORD_BITS];
	__le64 mask = cpu_to_le64(1ULL << (bit % WORD_BITS));

	if (*word & mask)
		return true;
	*word |= mask;
	map->nr_set++;
	return false;
}

void te_bitmap_set_mask(struct te_bitmap *map, u64 word, u64 mask)
{
	u64 old = le64_to_cpu(map->words[word]);

	map->words[word] = cpu_to_le64(old | mask);
	map->nr_set += hweight64(mask & ~old);
}

void te_bitmap_clear_all(struct te_bitmap *map)
{
	memset(map->words, 0, te_bitmap_bytes(map->nr_bits));
	te_free(map->directory);
	map->directory = NULL;
	map->nr_set = 0;
}

int te_bitmap_index(struct te_bitmap *map)
{
	u64 i, words = nr_words(map->nr_bits), count = 0;

	if (!map->directory) {
		u64 spans = nr_spans(map->nr_bits);

		map->directory = te_alloc((spans ? spans : 1) * sizeof(u64));
		if (!map->directory)
			return -ENOMEM;
	}
	for (i = 0; i < words; i++) {
		if (i % SPAN_WORDS == 0)
			map->directory[i / SPAN_WORDS] = count;
		if (i % RESCHED_WORDS == 0)
			cond_resched();
		count += hweight64(le64_to_cpu(map->words[i]));
	}
	map->nr_set = count;
	return 0;
}

u64 te_bitmap_rank(const struct te_bitmap *map, u64 bit)
{
	u64 word = bit / WORD_BITS, i, count;

	/* Behind the last bit there may be no span to ask. */
	if (bit >= map->nr_bits)
		return map->nr_set;
	count = map->directory[bit / TE_BITMAP_SPAN];
	for (i = word - word % SPAN_WORDS; i < word; i++)
		count += hweight64(le64_to_cpu(map->words[i]));
	return count + hweight64(le64_to_cpu(map->words[word]) & low_mask(bit % WORD_BITS));
}

/* Position of the n-th set bit of a word that has more than n. */
static u32 select_in_word(u64 word, u32 n)
{
	u32 width = WORD_BITS / 2, position = 0;

	/* Halves the part that holds it until one bit is left. */
	for (; width; width /= 2) {
		u32 count = hweight64(word & low_mask(width));

		if (n >= count) {
			n -= count;
			word >>= width;
			position += width;
		}
	}
	return position;
}

u64 te_bitmap_select(const struct te_bitmap *map, u64 n)
{
	u64 low = 0, high = nr_spans(map->nr_bits), i;
	u32 count;

	/* The last span that has at most n before it. */
	while (high - low > 1) {
		u64 middle = low + (high - low) / 2;

		if (map->directory[middle] <= n)
			low = middle;
		else
			high = middle;
	}
	n -= map->directory[low];
	for (i = low * SPAN_WORDS; ; i++) {
		count = hweight64(le64_to_cpu(map->words[i]));
		if (n < count)
			break;
		n -= count;
	}
	return i * WORD_BITS + select_in_word(le64_to_cpu(map->words[i]), (u32)n);
}

u64 te_bitmap_run(const struct te_bitmap *map, u64 bit, u64 most)
{
	u64 run = 0;

	if (most > map->nr_bits - bit)
		most = map->nr_bits - bit;
	while (run < most) {
		u32 from = (bit + run) % WORD_BITS;
		u64 word = le64_to_cpu(map->words[(bit + run) / WORD_BITS]) >> from;
		/* Ones below the lowest zero; the zeros shifted in bound it. */
		u32 ones = hweight64((~word & (word + 1)) - 1);

		run += ones;
		if (ones < WORD_BITS - from)
			break;
	}
	return run < most ? run : most;
}
