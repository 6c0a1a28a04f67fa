// SPDX-License-Identifier: GPL-2.0-or-later
/* The difference of two trees, against comparing all their entries. */
#include "blocks.h"
#include "core/diff.h"
#include "core/reach.h"
#include "generate.h"
#include "unit.h"

static const struct te_range all = { 0, ~0ULL };
static struct te_fault fault;

/* A volume in full: ascending virtual blocks and what they map. */
struct map {
	size_t nr, room;
	struct mapping {
		u64 key, block;
	} *mappings;
};

static void add(struct map *map, u64 key, u64 block)
{
	if (map->nr == map->room) {
		map->room = map->room ? 2 * map->room : 1024;
		map->mappings = realloc(map->mappings, map->room * sizeof(*map->mappings));
	}
	map->mappings[map->nr++] = (struct mapping){ key, block };
}

static int add_leaf(void *context, const struct te_node *node, struct te_range range)
{
	u32 i;

	for (i = 0; i < node->nr_entries; i++)
		add(context, te_node_key(node, i), te_mapping_block(te_node_value64(node, i)));
	return 0;
}

static struct map map_of(struct te_reader *reader, u64 root)
{
	static const struct te_walk_ops ops = { .leaf = add_leaf };
	struct map map = { 0 };
	struct te_walk walk = {
		.reader = reader, .ops = &ops, .context = &map, .value_bytes = 8,
		.fault = &fault,
	};

	if (te_walk_tree(&walk, root, all))
		abort();
	return map;
}

/* The first mapping of a map from `key` on. */
static size_t position(const struct map *map, u64 key)
{
	size_t low = 0, high = map->nr;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (map->mappings[middle].key < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Plays a difference back: the old map with it applied is the new.  What was
 * skipped is taken from a third volume, as a receiver would.
 */
struct playback {
	struct map old, third, made;
	size_t next_old;
	u64 next_key;			/* nothing below comes any more */
	bool descended;			/* out of order, or a wrong old value */
	u64 nr_entries, nr_skipped, nr_entered;
	const struct te_bitmap *skip;	/* nodes of the third volume, or NULL */
};

static void keep_old_below(struct playback *p, u64 key)
{
	while (p->next_old < p->old.nr && p->old.mappings[p->next_old].key < key) {
		add(&p->made, p->old.mappings[p->next_old].key,
		    p->old.mappings[p->next_old].block);
		p->next_old++;
	}
}

static int enter(void *context, u64 block, unsigned int level)
{
	struct playback *p = context;

	p->nr_entered++;
	return p->skip && te_bitmap_test(p->skip, block) ? TE_VISIT_SKIP : TE_VISIT_DESCEND;
}

static int skipped(void *context, u64 block, struct te_range range)
{
	struct playback *p = context;
	size_t i;

	p->nr_skipped++;
	p->descended |= range.low < p->next_key || range.high <= range.low;
	p->next_key = range.high;
	keep_old_below(p, range.low);
	p->next_old = position(&p->old, range.high);
	for (i = position(&p->third, range.low);
	     i < p->third.nr && p->third.mappings[i].key < range.high; i++)
		add(&p->made, p->third.mappings[i].key, p->third.mappings[i].block);
	return 0;
}

static int entry(void *context, u64 virtual_block, bool has_old, u64 old_value, bool has_new,
		 u64 new_value)
{
	struct playback *p = context;
	const struct mapping *old;

	p->nr_entries++;
	p->descended |= virtual_block < p->next_key;
	p->next_key = virtual_block + 1;
	keep_old_below(p, virtual_block);
	old = &p->old.mappings[p->next_old];
	if (has_old) {
		p->descended |= p->next_old == p->old.nr || old->key != virtual_block ||
				old->block != te_mapping_block(old_value);
		p->next_old++;
	} else {
		p->descended |= p->next_old < p->old.nr && old->key == virtual_block;
	}
	if (has_new)
		add(&p->made, virtual_block, te_mapping_block(new_value));
	return 0;
}

static const struct te_diff_ops ops = {
	.enter = enter,
	.skipped = skipped,
	.entry = entry,
};

static bool same(const struct map *a, const struct map *b)
{
	return a->nr == b->nr &&
	       (!a->nr || !memcmp(a->mappings, b->mappings, a->nr * sizeof(*a->mappings)));
}

static int run(struct te_reader *reader, u64 old_root, u64 new_root, struct playback *p)
{
	struct te_diff *diff = te_diff_create(reader, &ops, p, &fault);
	int r = te_diff_run(diff, old_root, new_root);

	te_diff_destroy(diff);
	keep_old_below(p, ~0ULL);
	return r;
}

static void done(struct playback *p)
{
	free(p->old.mappings);
	free(p->third.mappings);
	free(p->made.mappings);
	memset(p, 0, sizeof(*p));
}

/* Plays new - old, with what `third_root` has taken from there when not 0. */
static void check_pair(struct te_reader *reader, u64 old_root, u64 new_root, u64 third_root)
{
	struct playback p = { 0 };
	struct te_reach reach;
	struct map wanted;

	if (old_root)
		p.old = map_of(reader, old_root);
	CHECK_EQ(te_reach_init(&reach, reader->nr_blocks, 1 << 20, 128), 0);
	if (third_root) {
		p.third = map_of(reader, third_root);
		CHECK_EQ(te_reach_volume(&reach, reader, third_root, &fault), 0);
		p.skip = &reach.metadata;
	}
	wanted = map_of(reader, new_root);
	CHECK_EQ(run(reader, old_root, new_root, &p), 0);
	CHECK(!p.descended);
	CHECK(same(&p.made, &wanted));
	CHECK(third_root || !p.nr_skipped);
	free(wanted.mappings);
	te_reach_exit(&reach);
	done(&p);
}

static const struct te_gen_history history = {
	.nr_mappings = 6000, .nr_volumes = 2, .nr_snapshots = 8, .change = 0.05, .run = 20,
	.scatter = 0.1, .discards = 0.5, .deletes = 0.2, .odd = true,
};

static struct te_gen *pool(u64 seed)
{
	struct te_gen *gen = te_gen_create(-1, 0, 0, 128, seed);

	te_gen_history(gen, &history);
	te_gen_finish(gen);
	return gen;
}

static void every_pair_of_random_volumes_plays_back(void)
{
	u64 seed;
	size_t a, b;

	for (seed = 1; seed <= 12; seed++) {
		struct te_gen *gen = pool(seed);

		for (a = 0; a < gen->nr_volumes; a++)
			for (b = 0; b < gen->nr_volumes; b++)
				check_pair(&gen->reader, gen->volumes[a].root,
					   gen->volumes[b].root, 0);
		te_gen_destroy(gen);
	}
}

static void what_a_third_volume_has_can_be_taken_from_it(void)
{
	u64 seed;
	size_t a, b, c;

	for (seed = 20; seed <= 25; seed++) {
		struct te_gen *gen = pool(seed);

		for (a = 0; a < gen->nr_volumes; a++)
			for (b = 0; b < gen->nr_volumes; b++)
				for (c = 0; c < gen->nr_volumes; c += 3)
					check_pair(&gen->reader, gen->volumes[a].root,
						   gen->volumes[b].root, gen->volumes[c].root);
		te_gen_destroy(gen);
	}
}

static void against_nothing_all_is_new(void)
{
	struct te_gen *gen = pool(30);
	size_t i;

	for (i = 0; i < gen->nr_volumes; i++)
		check_pair(&gen->reader, 0, gen->volumes[i].root, 0);
	te_gen_destroy(gen);
}

static void a_snapshot_costs_what_it_differs(void)
{
	struct te_gen *gen = te_gen_create(-1, 0, 0, 128, 40);
	size_t origin = te_gen_thin(gen, 1, 1 << 20), snapshot;
	struct blocks *blocks;
	struct playback p = { 0 };

	te_gen_write(gen, origin, 0, 200000);
	snapshot = te_gen_snapshot(gen, origin, 2);
	te_gen_write(gen, origin, 100000, 3);
	te_gen_finish(gen);

	blocks = blocks_new(gen->nr_metadata_blocks);
	memcpy(blocks->bytes, gen->image, gen->nr_metadata_blocks * THIN_METADATA_BLOCK_BYTES);
	p.old = map_of(&blocks->reader, gen->volumes[snapshot].root);
	blocks->nr_gets = 0;
	blocks->prefetched = 0;
	CHECK_EQ(run(&blocks->reader, gen->volumes[snapshot].root, gen->volumes[origin].root, &p),
		 0);
	CHECK_EQ(p.nr_entries, 3);
	/* Three levels: the way down on both sides, and twice to the first leaf. */
	CHECK(blocks->nr_gets <= 12);
	CHECK(blocks->prefetched <= 4);
	CHECK_EQ(blocks->nr_held, 0);
	done(&p);
	blocks_free(blocks);
	te_gen_destroy(gen);
}

/* Trees made by hand, in blocks 1 to 9 of their own. */

static struct blocks *blocks;

static void begin(void)
{
	if (blocks)
		blocks_free(blocks);
	blocks = blocks_new(16);
	memset(&fault, 0, sizeof(fault));
}

static void one_root_is_no_difference_and_not_read(void)
{
	struct playback p = { 0 };

	begin();
	blocks_leaf(blocks, 1, 0, 5);
	CHECK_EQ(run(&blocks->reader, 1, 1, &p), 0);
	CHECK_EQ(blocks->nr_gets, 0);
	CHECK_EQ(p.nr_entries, 0);
	done(&p);
}

static void a_time_alone_is_no_difference(void)
{
	struct playback p = { 0 };
	struct thin_disk_node *node;

	begin();
	blocks_leaf(blocks, 1, 0, 5);
	node = blocks_leaf(blocks, 2, 0, 5);
	node->keys[252] = cpu_to_le64(1000ULL << THIN_TIME_BITS | 9);
	node_seal(node);
	p.old = map_of(&blocks->reader, 1);
	CHECK_EQ(run(&blocks->reader, 1, 2, &p), 0);
	CHECK_EQ(p.nr_entries, 0);
	done(&p);
}

/*
 * Leaf 3 (keys 0 to 4) is all of the new tree; the third, 2, has it too, and
 * keys 10 to 14 behind.  As far as the new tree knows, leaf 3 may hold them.
 */
static void what_is_skipped_ends_with_its_content(void)
{
	static const u64 keys[] = { 0, 10 }, children[] = { 3, 4 };
	struct playback p = { 0 };

	begin();
	blocks_leaf(blocks, 1, 12, 1);		/* old */
	blocks_parent(blocks, 2, 2, keys, children);
	blocks_leaf(blocks, 3, 0, 5);
	blocks_leaf(blocks, 4, 10, 5);
	check_pair(&blocks->reader, 0, 3, 2);
	check_pair(&blocks->reader, 1, 3, 2);
	CHECK_EQ(blocks->nr_held, 0);
	done(&p);
}

/* Node 3 (keys 5 to 9) may hold 0 to 4 too, as far as its parent knows; the old tree does. */
static void what_is_skipped_begins_with_its_content(void)
{
	static const u64 key = 0, child = 3;

	begin();
	blocks_leaf(blocks, 1, 2, 5);		/* old: 2 to 6 */
	blocks_parent(blocks, 2, 1, &key, &child);
	blocks_leaf(blocks, 3, 5, 5);
	check_pair(&blocks->reader, 1, 2, 3);
	CHECK_EQ(blocks->nr_held, 0);
}

static void trees_of_unlike_depth_share_their_leaves(void)
{
	static const u64 keys[] = { 0, 10 }, children[] = { 3, 4 };
	struct playback p = { 0 };

	begin();
	blocks_parent(blocks, 1, 2, keys, children);
	blocks_leaf(blocks, 3, 0, 5);
	blocks_leaf(blocks, 4, 10, 5);
	check_pair(&blocks->reader, 1, 3, 0);
	check_pair(&blocks->reader, 3, 1, 0);

	p.old = map_of(&blocks->reader, 3);
	memset(blocks->read, 0, 16 * sizeof(u32));
	CHECK_EQ(run(&blocks->reader, 3, 1, &p), 0);
	CHECK_EQ(p.nr_entries, 5);
	/* On the way to each tree's first leaf only. */
	CHECK_EQ(blocks->read[3], 2);
	done(&p);
}

static void empty_trees_compare(void)
{
	begin();
	blocks_leaf(blocks, 1, 0, 0);
	blocks_leaf(blocks, 2, 0, 0);
	blocks_leaf(blocks, 3, 7, 3);
	check_pair(&blocks->reader, 1, 2, 0);
	check_pair(&blocks->reader, 1, 3, 0);
	check_pair(&blocks->reader, 3, 1, 0);
	check_pair(&blocks->reader, 3, 1, 1);
	CHECK_EQ(blocks->nr_held, 0);
}

static void damage_on_either_side_is_told(void)
{
	static const u64 keys[] = { 0, 10 }, left[] = { 3, 4 }, right[] = { 5, 6 };
	u64 block;

	for (block = 1; block <= 6; block++) {
		struct playback p = { 0 };

		begin();
		blocks_parent(blocks, 1, 2, keys, left);
		blocks_parent(blocks, 2, 2, keys, right);
		blocks_leaf(blocks, 3, 0, 5);
		blocks_leaf(blocks, 4, 10, 5);
		blocks_leaf(blocks, 5, 1, 5);
		blocks_leaf(blocks, 6, 11, 5);
		p.old = map_of(&blocks->reader, 1);
		CHECK_EQ(run(&blocks->reader, 1, 2, &p), 0);
		((struct thin_disk_node *)blocks_at(blocks, block))->csum ^= cpu_to_le32(1);
		CHECK_EQ(run(&blocks->reader, 1, 2, &p), -EILSEQ);
		CHECK_EQ(fault.kind, TE_FAULT_NODE_CSUM);
		CHECK_EQ(fault.block, block);
		CHECK_EQ(blocks->nr_held, 0);
		done(&p);
	}
}

static void loops_end_on_either_side(void)
{
	static const u64 keys[] = { 0, 10 }, loop[] = { 3, 1 }, good[] = { 3, 4 };
	struct playback p = { 0 };

	begin();
	blocks_parent(blocks, 1, 2, keys, loop);
	blocks_parent(blocks, 2, 2, keys, good);
	blocks_leaf(blocks, 3, 0, 5);
	blocks_leaf(blocks, 4, 10, 5);
	CHECK_EQ(run(&blocks->reader, 1, 2, &p), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_LOOP);
	CHECK_EQ(run(&blocks->reader, 2, 1, &p), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_NODE_LOOP);
	CHECK_EQ(blocks->nr_held, 0);
	done(&p);
}

static int cancel(void *context, u64 virtual_block, bool has_old, u64 old_value, bool has_new,
		  u64 new_value)
{
	return -ECANCELED;
}

static void a_callbacks_error_ends_it(void)
{
	static const struct te_diff_ops cancelling = { .entry = cancel };
	struct te_diff *diff;

	begin();
	blocks_leaf(blocks, 1, 0, 5);
	blocks_leaf(blocks, 2, 3, 5);
	diff = te_diff_create(&blocks->reader, &cancelling, NULL, &fault);
	CHECK_EQ(te_diff_run(diff, 1, 2), -ECANCELED);
	CHECK_EQ(te_diff_run(diff, 0, 2), -ECANCELED);
	te_diff_destroy(diff);
	te_diff_destroy(NULL);
	CHECK_EQ(blocks->nr_held, 0);
}

UNIT_MAIN(UNIT(every_pair_of_random_volumes_plays_back),
	  UNIT(what_a_third_volume_has_can_be_taken_from_it),
	  UNIT(against_nothing_all_is_new),
	  UNIT(a_snapshot_costs_what_it_differs),
	  UNIT(one_root_is_no_difference_and_not_read),
	  UNIT(a_time_alone_is_no_difference),
	  UNIT(what_is_skipped_ends_with_its_content),
	  UNIT(what_is_skipped_begins_with_its_content),
	  UNIT(trees_of_unlike_depth_share_their_leaves),
	  UNIT(empty_trees_compare),
	  UNIT(damage_on_either_side_is_told),
	  UNIT(loops_end_on_either_side),
	  UNIT(a_callbacks_error_ends_it))
