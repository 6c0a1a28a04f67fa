// SPDX-License-Identifier: GPL-2.0-or-later
/* Which virtual blocks of a volume are provisioned. */
#include "receive/provisioned.h"

#define WORD_BITS	64u
#define PAGE_WORDS	512u
#define PAGE_BLOCKS	(PAGE_WORDS * (u64)WORD_BITS)

struct te_provisioned_page {
	u64 nr_users;			/* maps that have it; with more than one it stays as it is */
	u64 bits[PAGE_WORDS];
};

static bool take(const struct te_provisioned *map, u64 bytes)
{
	if (*map->budget < bytes)
		return false;
	*map->budget -= bytes;
	return true;
}

static void let_go(struct te_provisioned *map, struct te_provisioned_page *page)
{
	if (!page || --page->nr_users)
		return;
	te_free(page);
	*map->budget += sizeof(*page);
}

int te_provisioned_copy(struct te_provisioned *to, const struct te_provisioned *from)
{
	u64 bytes = from->nr_pages * sizeof(*from->pages);
	size_t i;

	*to = (struct te_provisioned) { .budget = from->budget };
	if (!from->nr_pages)
		return 0;
	if (!take(to, bytes))
		return -ENOMEM;
	to->pages = malloc(bytes);
	if (!to->pages) {
		*to->budget += bytes;
		return -ENOMEM;
	}
	memcpy(to->pages, from->pages, bytes);
	to->nr_pages = from->nr_pages;
	to->nr_blocks = from->nr_blocks;
	for (i = 0; i < to->nr_pages; i++)
		if (to->pages[i])
			to->pages[i]->nr_users++;
	return 0;
}

/* Room for the page of this number. */
static int grow(struct te_provisioned *map, u64 number)
{
	u64 nr = number + 1 > 2 * map->nr_pages ? number + 1 : 2 * map->nr_pages;
	struct te_provisioned_page **pages;

	if (number < map->nr_pages)
		return 0;
	if (nr > *map->budget / sizeof(*pages) || !take(map, (nr - map->nr_pages) * sizeof(*pages)))
		return -ENOMEM;
	pages = realloc(map->pages, nr * sizeof(*pages));
	if (!pages) {
		*map->budget += (nr - map->nr_pages) * sizeof(*pages);
		return -ENOMEM;
	}
	memset(pages + map->nr_pages, 0, (nr - map->nr_pages) * sizeof(*pages));
	map->pages = pages;
	map->nr_pages = nr;
	return 0;
}

/* The page, for this map to change. */
static struct te_provisioned_page *own(struct te_provisioned *map, u64 number)
{
	struct te_provisioned_page *page = map->pages[number], *copy;

	if (page && page->nr_users == 1)
		return page;
	if (!take(map, sizeof(*copy)))
		return NULL;
	copy = malloc(sizeof(*copy));
	if (!copy) {
		*map->budget += sizeof(*copy);
		return NULL;
	}
	if (page)
		memcpy(copy, page, sizeof(*copy));
	else
		memset(copy, 0, sizeof(*copy));
	let_go(map, page);
	copy->nr_users = 1;
	map->pages[number] = copy;
	return copy;
}

/* Bits [from, to) of one word. */
static u64 mask_of(unsigned int from, unsigned int to)
{
	u64 below = to == WORD_BITS ? ~0ULL : (1ULL << to) - 1;

	return below & (~0ULL << from);
}

/* Of one page: [from, to). */
static void change(struct te_provisioned *map, struct te_provisioned_page *page, u64 from, u64 to,
		   bool set)
{
	while (from < to) {
		u64 *word = &page->bits[from / WORD_BITS];
		u64 start = from - from % WORD_BITS, mask;
		u64 end = start + WORD_BITS < to ? start + WORD_BITS : to;

		mask = mask_of((unsigned int)(from - start), (unsigned int)(end - start));
		map->nr_blocks -= (u64)__builtin_popcountll(*word);
		*word = set ? *word | mask : *word & ~mask;
		map->nr_blocks += (u64)__builtin_popcountll(*word);
		from = end;
	}
}

static int change_range(struct te_provisioned *map, u64 block, u64 count, bool set)
{
	while (count) {
		u64 number = block / PAGE_BLOCKS, from = block % PAGE_BLOCKS;
		u64 part = PAGE_BLOCKS - from < count ? PAGE_BLOCKS - from : count;
		struct te_provisioned_page *page;

		if (set && grow(map, number))
			return -ENOMEM;
		/* Nothing is there, and nothing behind. */
		if (number >= map->nr_pages)
			break;
		if (set || map->pages[number]) {
			page = own(map, number);
			if (!page)
				return -ENOMEM;
			change(map, page, from, from + part, set);
		}
		block += part;
		count -= part;
	}
	return 0;
}

int te_provisioned_set(struct te_provisioned *map, u64 block, u64 count)
{
	return change_range(map, block, count, true);
}

int te_provisioned_clear(struct te_provisioned *map, u64 block, u64 count)
{
	return change_range(map, block, count, false);
}

static bool is_set(const struct te_provisioned_page *page, u64 bit)
{
	return page && page->bits[bit / WORD_BITS] >> bit % WORD_BITS & 1;
}

/* How many bits from `bit` on are as the first: to the end of its word, or of an empty page. */
static u64 alike(const struct te_provisioned_page *page, u64 bit, bool are)
{
	u64 word, left = WORD_BITS - bit % WORD_BITS;

	if (!page)
		return PAGE_BLOCKS - bit;
	word = page->bits[bit / WORD_BITS] >> bit % WORD_BITS;
	if (are)
		word = ~word;
	if (!word)
		return left;
	return (u64)__builtin_ctzll(word) < left ? (u64)__builtin_ctzll(word) : left;
}

u64 te_provisioned_run(const struct te_provisioned *map, u64 block, u64 count, bool *are)
{
	u64 run = 0;

	while (run < count) {
		u64 number = (block + run) / PAGE_BLOCKS, bit = (block + run) % PAGE_BLOCKS;
		const struct te_provisioned_page *page =
			number < map->nr_pages ? map->pages[number] : NULL;

		if (!run)
			*are = is_set(page, bit);
		else if (is_set(page, bit) != *are)
			break;
		/* Behind the last page there is nothing more. */
		if (number >= map->nr_pages)
			return count;
		run += alike(page, bit, *are);
	}
	return run < count ? run : count;
}

void te_provisioned_exit(struct te_provisioned *map)
{
	size_t i;

	for (i = 0; i < map->nr_pages; i++)
		let_go(map, map->pages[i]);
	if (map->budget)
		*map->budget += map->nr_pages * sizeof(*map->pages);
	free(map->pages);
	*map = (struct te_provisioned) { .budget = map->budget };
}
