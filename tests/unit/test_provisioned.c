// SPDX-License-Identifier: GPL-2.0-or-later
/* What is provisioned in volumes and their snapshots, against one byte a block. */
#include "receive/provisioned.h"
#include "unit.h"

#define MAPS	5
#define BLOCKS	150000u			/* some pages */
#define BUDGET	(1ULL << 20)

static u8 model[MAPS][BLOCKS];
static struct te_provisioned maps[MAPS];
static u64 budget;
static u64 state = 1;

static u32 random32(void)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)(state >> 33);
}

static void begin(void)
{
	size_t i;

	budget = BUDGET;
	memset(model, 0, sizeof(model));
	for (i = 0; i < MAPS; i++)
		maps[i] = (struct te_provisioned) { .budget = &budget };
}

static void end(void)
{
	size_t i;

	for (i = 0; i < MAPS; i++)
		te_provisioned_exit(&maps[i]);
	CHECK_EQ(budget, BUDGET);
}

/* Runs from a place to the end, and behind it, are those of the model. */
static void check_map(size_t map, u64 block)
{
	u64 nr = 0, i;

	for (i = 0; i < BLOCKS; i++)
		nr += model[map][i];
	CHECK_EQ(maps[map].nr_blocks, nr);
	while (block < BLOCKS) {
		bool are;
		u64 run = te_provisioned_run(&maps[map], block, BLOCKS - block, &are), same = 1;

		while (block + same < BLOCKS && model[map][block + same] == model[map][block])
			same++;
		CHECK_EQ(are, model[map][block]);
		CHECK_EQ(run, same);
		block += run;
	}
}

static void change(size_t map)
{
	u64 block = random32() % BLOCKS, most = BLOCKS - block;
	u64 count = 1 + random32() % (random32() % 2 ? 100 : BLOCKS);
	bool set = random32() % 3;

	if (count > most)
		count = most;
	if (set)
		CHECK_EQ(te_provisioned_set(&maps[map], block, count), 0);
	else
		CHECK_EQ(te_provisioned_clear(&maps[map], block, count), 0);
	memset(model[map] + block, set, count);
}

static void maps_are_their_models(void)
{
	unsigned int i;

	begin();
	for (i = 0; i < 400; i++) {
		size_t map = random32() % MAPS, other = random32() % MAPS;

		if (map != other && !(random32() % 8)) {
			te_provisioned_exit(&maps[map]);
			CHECK_EQ(te_provisioned_copy(&maps[map], &maps[other]), 0);
			memcpy(model[map], model[other], BLOCKS);
		}
		change(map);
		check_map(map, random32() % BLOCKS);
		check_map(other, random32() % BLOCKS);
	}
	end();
}

static void a_snapshot_costs_what_it_changes(void)
{
	u64 before;

	begin();
	CHECK_EQ(te_provisioned_set(&maps[0], 0, BLOCKS), 0);
	before = budget;
	CHECK_EQ(te_provisioned_copy(&maps[1], &maps[0]), 0);
	CHECK_EQ(te_provisioned_clear(&maps[1], 7, 1), 0);
	CHECK(before - budget < 2 * 4096 + 1024);
	end();
}

/* A few bytes of a stream may speak of the end of the largest volume. */
static void the_budget_is_kept(void)
{
	bool are;

	begin();
	CHECK_EQ(te_provisioned_set(&maps[0], 1ULL << 46, 1), -ENOMEM);
	CHECK_EQ(te_provisioned_set(&maps[0], 0, 1ULL << 40), -ENOMEM);
	CHECK(budget <= BUDGET);
	CHECK_EQ(te_provisioned_run(&maps[1], 1ULL << 46, 1ULL << 46, &are), 1ULL << 46);
	CHECK(!are);
	CHECK_EQ(te_provisioned_clear(&maps[1], 0, UINT64_MAX), 0);
	end();
}

UNIT_MAIN(UNIT(maps_are_their_models),
	  UNIT(a_snapshot_costs_what_it_changes),
	  UNIT(the_budget_is_kept))
