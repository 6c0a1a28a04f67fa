// SPDX-License-Identifier: GPL-2.0-or-later
/* The pool made up: a random history of it. */
#include "generate_private.h"

u32 te_gen_new_id(struct te_gen *gen)
{
	u64 tries;

	/* Mostly small ones, as LVM gives them, but some from all of the 24 bits. */
	for (tries = 0; tries < 1000; tries++) {
		u64 below = te_gen_random(gen, 4) ? 2 * gen->nr_volumes + 16 : THIN_DEV_ID_MAX + 1;
		u32 id = (u32)te_gen_random(gen, below <= THIN_DEV_ID_MAX ? below :
								  THIN_DEV_ID_MAX + 1);

		if (!(gen->ids_used[id / 8] & 1 << id % 8))
			return id;
	}
	te_gen_die("no device id left");
}

static u64 run_length(struct te_gen *gen, u32 mean)
{
	return 1 + te_gen_random(gen, 2ULL * mean - 1);
}

static u64 random_start(struct te_gen *gen, const struct te_gen_volume *volume, u64 count)
{
	return volume->virtual_blocks > count ?
	       te_gen_random(gen, volume->virtual_blocks - count) : 0;
}

/* Writes `count` blocks in runs all over the volume. */
static void write_about(struct te_gen *gen, size_t index, u64 count, u32 run)
{
	while (count) {
		u64 length = run_length(gen, run);

		if (length > count)
			length = count;
		te_gen_write(gen, index, random_start(gen, &gen->volumes[index], length), length);
		count -= length;
	}
}

/* As an installed system looks: long runs with gaps, then this and that. */
static void fill(struct te_gen *gen, size_t index, u64 count, const struct te_gen_history *history)
{
	u64 at = 0, wanted = count - count / 8;

	while (!history->far && gen->volumes[index].mapped_blocks < wanted) {
		u64 left = wanted - gen->volumes[index].mapped_blocks;
		u64 length = run_length(gen, history->run);

		if (length > left)
			length = left;
		te_gen_write(gen, index, at, length);
		at += length;
		if (te_gen_random(gen, 2))
			at += te_gen_random(gen, length / 2 + 1);
	}
	/* What hits blocks already written adds none. */
	while (gen->volumes[index].mapped_blocks < count) {
		u64 left = count - gen->volumes[index].mapped_blocks;

		write_about(gen, index, left, left > 1000 ? history->run : 1);
	}
}

static void create_volumes(struct te_gen *gen, const struct te_gen_history *history)
{
	u64 left = history->nr_mappings;
	u32 i;

	for (i = 0; i < history->nr_volumes; i++) {
		u32 others = history->nr_volumes - i - 1;
		u64 count = others ? te_gen_random(gen, 2 * left / (others + 1) + 1) : left;
		u64 size = history->far ? THIN_MAX_SECTORS / gen->block_sectors :
					  count + count / 2 + 1;
		size_t index = te_gen_thin(gen, te_gen_new_id(gen), size);

		fill(gen, index, count, history);
		left -= count;
	}
	if (history->odd) {
		te_gen_thin(gen, te_gen_new_id(gen), 1000);
		te_gen_write(gen, te_gen_thin(gen, te_gen_new_id(gen), 1), 0, 1);
	}
}

static void change(struct te_gen *gen, size_t index, const struct te_gen_history *history)
{
	u64 count = (u64)((double)gen->volumes[index].mapped_blocks * history->change);
	u64 single = (u64)((double)count * history->scatter);

	write_about(gen, index, single, 1);
	write_about(gen, index, count - single, history->run);
}

static bool chance(struct te_gen *gen, double probability)
{
	return (double)te_gen_random(gen, 1000000) < probability * 1000000;
}

/* Most are small; one in eight takes a large part of the volume. */
static void discard(struct te_gen *gen, size_t index)
{
	u64 blocks = gen->volumes[index].virtual_blocks;
	u64 length = te_gen_random(gen, te_gen_random(gen, 8) ? blocks / 50 + 2 : blocks);

	te_gen_discard(gen, index, random_start(gen, &gen->volumes[index], length), length);
}

void te_gen_history(struct te_gen *gen, const struct te_gen_history *history)
{
	u32 made = 0, id, freed_id = 0, i;
	bool has_freed = false;
	size_t origin, changed;

	create_volumes(gen, history);
	while (made < history->nr_snapshots) {
		/* An id that a deleted volume had comes back now and then. */
		id = has_freed && te_gen_random(gen, 2) ? freed_id : te_gen_new_id(gen);
		has_freed &= id != freed_id;
		origin = te_gen_random(gen, gen->nr_volumes);
		changed = te_gen_snapshot(gen, origin, id);
		made++;
		if (te_gen_random(gen, 4))
			changed = origin;
		change(gen, changed, history);
		if (chance(gen, history->discards))
			discard(gen, te_gen_random(gen, gen->nr_volumes));
		if (history->hold && !gen->held_root && made >= history->nr_snapshots / 2)
			te_gen_hold(gen);
		if (gen->nr_volumes > 2 && chance(gen, history->deletes)) {
			origin = te_gen_random(gen, gen->nr_volumes);
			freed_id = gen->volumes[origin].id;
			has_freed = true;
			te_gen_delete(gen, origin);
			made--;
		}
		/* What was freed is found again when the search has come round. */
		if (!te_gen_random(gen, 8))
			gen->next_data_block = 0;
	}
	if (history->nr_devices) {
		origin = te_gen_thin(gen, te_gen_new_id(gen), 1000);
		for (i = 0; i < history->nr_devices; i++)
			te_gen_snapshot(gen, origin, te_gen_new_id(gen));
	}
	if (history->hold && !gen->held_root)
		te_gen_hold(gen);
}
