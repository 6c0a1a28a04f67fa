// SPDX-License-Identifier: GPL-2.0-or-later
/* Mappings looked up and compared along the way, against looking up each alone. */
#include "show/mapping.h"

#include "generate.h"
#include "unit.h"

#define LIMIT	6000u		/* virtual blocks looked at */

static struct te_gen *gen;
static u64 *maps[64];		/* by volume: pool block + 1, or 0 */
static struct te_fault fault;

static void make_pool(u64 seed)
{
	const struct te_gen_history history = {
		.nr_mappings = 6000, .nr_volumes = 2, .nr_snapshots = 8, .change = 0.02,
		.run = 4, .scatter = 0.3, .discards = 0.5, .deletes = 0.2, .odd = true,
	};
	size_t v, i;

	gen = te_gen_create(-1, 0, 0, 128, seed);
	te_gen_history(gen, &history);
	te_gen_finish(gen);
	CHECK(gen->nr_volumes <= ARRAY_SIZE(maps));
	for (v = 0; v < gen->nr_volumes; v++) {
		maps[v] = calloc(LIMIT, sizeof(u64));
		for (i = 0; i < LIMIT; i++) {
			__le64 value;
			int err = te_btree_lookup(&gen->reader, gen->volumes[v].root,
						  sizeof(value), i, &value, &fault);

			CHECK(!err || err == -ENODATA);
			maps[v][i] = err ? 0 : te_mapping_block(le64_to_cpu(value)) + 1;
		}
	}
}

static void drop_pool(void)
{
	size_t v;

	for (v = 0; v < gen->nr_volumes; v++)
		free(maps[v]);
	te_gen_destroy(gen);
}

/* Compares [from, to) of two volumes; each differing block must be found, none else. */
static void compare_range(struct te_mapping *mappings, const size_t *volumes, u64 from, u64 to)
{
	u64 block = from, i = from;
	int same;

	for (;;) {
		same = te_mapping_same(&mappings[0], &mappings[1], &block, to);
		CHECK(same >= 0);
		while (i < to && maps[volumes[0]][i] == maps[volumes[1]][i])
			i++;
		CHECK_EQ(same, i == to);
		if (same)
			return;
		CHECK_EQ(block, i);
		block = ++i;
	}
}

static void look_up(struct te_mapping *mapping, size_t volume, u64 from)
{
	u64 i = from, virtual_block, pool_block;
	int found = te_mapping_next(mapping, from, &virtual_block, &pool_block);

	while (i < LIMIT && !maps[volume][i])
		i++;
	if (i == LIMIT) {
		CHECK(!found || virtual_block >= LIMIT);
		return;
	}
	CHECK_EQ(found, 1);
	CHECK_EQ(virtual_block, i);
	CHECK_EQ(pool_block, maps[volume][i] - 1);
}

/* All along two volumes: ranges compared, passed by, and looked up in between. */
static void go_along(size_t a, size_t b)
{
	const size_t volumes[2] = { a, b };
	struct te_mapping mappings[2];
	u64 from, to;
	size_t i;

	for (i = 0; i < 2; i++)
		te_mapping_init(&mappings[i], &gen->reader, gen->volumes[volumes[i]].root, &fault);
	for (from = 0; from < LIMIT; from = to) {
		to = from + 1 + te_gen_random(gen, te_gen_random(gen, 3) ? 30 : 1500);
		if (to > LIMIT)
			to = LIMIT;
		switch (te_gen_random(gen, 4)) {
		case 0:
			look_up(&mappings[0], a, from);
			break;
		case 1:
			break;
		default:
			compare_range(mappings, volumes, from, to);
		}
	}
	for (i = 0; i < 2; i++)
		te_mapping_exit(&mappings[i]);
}

static void ranges_of_any_two_volumes_compare_as_their_blocks_do(void)
{
	u64 seed;
	size_t a, b;

	for (seed = 1; seed <= 6; seed++) {
		make_pool(seed);
		for (a = 0; a < gen->nr_volumes; a++)
			for (b = 0; b < gen->nr_volumes; b++)
				go_along(a, b);
		drop_pool();
	}
}

static void what_lies_behind_a_range_is_still_there(void)
{
	struct te_mapping mappings[2];
	u64 from = 0, virtual_block, pool_block;
	size_t i;

	make_pool(7);
	for (i = 0; i < 2; i++)
		te_mapping_init(&mappings[i], &gen->reader, gen->volumes[0].root, &fault);
	/* The same volume: all of it is one node that both have. */
	CHECK_EQ(te_mapping_same(&mappings[0], &mappings[1], &from, 10), 1);
	for (i = 10; i < LIMIT && !maps[0][i]; i++)
		;
	CHECK_EQ(te_mapping_next(&mappings[0], 10, &virtual_block, &pool_block), 1);
	CHECK_EQ(virtual_block, i);
	for (i = 0; i < 2; i++)
		te_mapping_exit(&mappings[i]);
	drop_pool();
}

UNIT_MAIN(UNIT(ranges_of_any_two_volumes_compare_as_their_blocks_do),
	  UNIT(what_lies_behind_a_range_is_still_there))
