// SPDX-License-Identifier: GPL-2.0-or-later
/* A tree that grows at its right edge, and takes over other trees' nodes whole. */
#include "build/build_parts.h"

#include "base/say.h"

static void empty_node(struct te_tree_node *node)
{
	node->block = 0;
	node->nr = 0;
	node->loaded = true;
}

int te_tree_init(struct te_tree *tree, struct te_store *store, u32 value_bytes, bool mappings)
{
	u32 i;

	*tree = (struct te_tree) {
		.store = store,
		.value_bytes = value_bytes,
		.mappings = mappings,
	};
	for (i = 0; i < TE_BTREE_MAX_DEPTH; i++) {
		struct te_tree_level *level = &tree->level[i];

		level->current = te_alloc(sizeof(*level->current));
		level->held = te_alloc(sizeof(*level->held));
		level->open = te_alloc(sizeof(*level->open));
		if (!level->current || !level->held || !level->open) {
			te_tree_exit(tree);
			te_error("no memory to build metadata");
			return -ENOMEM;
		}
	}
	te_tree_reset(tree);
	return 0;
}

void te_tree_exit(struct te_tree *tree)
{
	u32 i;

	for (i = 0; i < TE_BTREE_MAX_DEPTH; i++) {
		te_free(tree->level[i].current);
		te_free(tree->level[i].held);
		te_free(tree->level[i].open);
	}
	*tree = (struct te_tree) { .empty = true };
}

void te_tree_reset(struct te_tree *tree)
{
	u32 i;

	tree->lone = false;
	tree->empty = true;
	tree->first_key = 0;
	tree->last_key = 0;
	for (i = 0; i < TE_BTREE_MAX_DEPTH; i++) {
		empty_node(tree->level[i].current);
		tree->level[i].has_held = false;
	}
}

static int push_entry(struct te_tree *tree, u32 level, u64 key, const void *value);

static int push_child(struct te_tree *tree, u32 level, u64 key, u64 block)
{
	__le64 value = cpu_to_le64(block);

	return push_entry(tree, level, key, &value);
}

static int pass_up(struct te_tree *tree, u32 level, struct te_tree_node *node)
{
	int err = te_tree_write(tree, level, node);

	return err ? err : push_child(tree, level + 1, node->key, node->block);
}

static int pass_up_held(struct te_tree *tree, u32 level)
{
	struct te_tree_level *at = &tree->level[level];

	if (!at->has_held)
		return 0;
	at->has_held = false;
	return pass_up(tree, level, at->held);
}

static int pass_up_current(struct te_tree *tree, u32 level)
{
	struct te_tree_node *current = tree->level[level].current;
	int err = pass_up(tree, level, current);

	empty_node(current);
	return err;
}

/* Passes up what was held and holds `current` back instead. */
static int hold_current(struct te_tree *tree, u32 level)
{
	struct te_tree_level *at = &tree->level[level];
	int err = pass_up_held(tree, level);
	struct te_tree_node *node = at->held;

	at->held = at->current;
	at->current = node;
	at->has_held = true;
	empty_node(node);
	return err;
}

static int hold_block(struct te_tree *tree, u32 level, u64 key, u64 block)
{
	struct te_tree_level *at = &tree->level[level];
	int err = pass_up_held(tree, level);

	at->held->block = block;
	at->held->key = key;
	at->held->loaded = false;
	at->has_held = true;
	return err;
}

static void append(struct te_tree *tree, u32 level, struct te_tree_node *node, u64 key,
		   const void *value)
{
	if (!node->nr)
		node->key = key;
	node->disk.keys[node->nr] = cpu_to_le64(key);
	memcpy(te_tree_value(tree, level, node, node->nr), value, te_tree_value_bytes(tree, level));
	node->nr++;
}

static int push_entry(struct te_tree *tree, u32 level, u64 key, const void *value)
{
	int err = 0;

	if (level == TE_BTREE_MAX_DEPTH) {
		te_error("%s: a volume's tree gets too deep", tree->store->name);
		return -EFBIG;
	}
	if (tree->level[level].current->nr == te_tree_room(tree, level))
		err = hold_current(tree, level);
	if (!err)
		append(tree, level, tree->level[level].current, key, value);
	return err;
}

/* Moves the first `count` entries of `from` behind those of `to`. */
static void move_first(struct te_tree *tree, u32 level, struct te_tree_node *to,
		       struct te_tree_node *from, u32 count)
{
	u32 bytes = te_tree_value_bytes(tree, level), rest = from->nr - count;

	memcpy(to->disk.keys + to->nr, from->disk.keys, count * sizeof(__le64));
	memcpy(te_tree_value(tree, level, to, to->nr), te_tree_value(tree, level, from, 0),
	       (size_t)count * bytes);
	memmove(from->disk.keys, from->disk.keys + count, rest * sizeof(__le64));
	memmove(te_tree_value(tree, level, from, 0), te_tree_value(tree, level, from, count),
		(size_t)rest * bytes);
	to->nr += count;
	from->nr = rest;
	from->key = rest ? le64_to_cpu(from->disk.keys[0]) : 0;
}

/* Moves the last `count` entries of `from` before those of `to`. */
static void move_last(struct te_tree *tree, u32 level, struct te_tree_node *from,
		      struct te_tree_node *to, u32 count)
{
	u32 bytes = te_tree_value_bytes(tree, level);

	memmove(to->disk.keys + count, to->disk.keys, to->nr * sizeof(__le64));
	memmove(te_tree_value(tree, level, to, count), te_tree_value(tree, level, to, 0),
		(size_t)to->nr * bytes);
	memcpy(to->disk.keys, from->disk.keys + from->nr - count, count * sizeof(__le64));
	memcpy(te_tree_value(tree, level, to, 0), te_tree_value(tree, level, from, from->nr - count),
	       (size_t)count * bytes);
	to->nr += count;
	from->nr -= count;
	to->key = le64_to_cpu(to->disk.keys[0]);
}

/* An underfull `current` and the held node before it: one node, or two of equal size. */
static int balance(struct te_tree *tree, u32 level)
{
	struct te_tree_level *at = &tree->level[level];
	u32 total;
	int err = te_tree_fill(tree, level, at->held);

	if (err)
		return err;
	total = at->held->nr + at->current->nr;
	at->held->block = 0;
	if (total <= te_tree_room(tree, level)) {
		move_first(tree, level, at->held, at->current, at->current->nr);
		empty_node(at->current);
		return pass_up_held(tree, level);
	}
	move_last(tree, level, at->held, at->current, at->held->nr - total / 2);
	err = pass_up_held(tree, level);
	return err ? err : pass_up_current(tree, level);
}

/* Passes up all that the level has; `current` may be underfull if a node is held. */
static int close_level(struct te_tree *tree, u32 level)
{
	struct te_tree_level *at = &tree->level[level];
	int err;

	if (at->has_held && at->current->nr && at->current->nr < te_tree_min_entries(tree, level))
		return balance(tree, level);
	err = pass_up_held(tree, level);
	if (!err && at->current->nr)
		err = pass_up_current(tree, level);
	return err;
}

/*
 * Can the levels below `level` be passed up without leaving an underfull node?
 * Follows how many entries each closing would push to the next level.
 */
static int can_close_below(struct te_tree *tree, u32 level, bool *can)
{
	u32 ups = 0, i;

	*can = true;
	for (i = 0; i < level; i++) {
		struct te_tree_level *at = &tree->level[i];
		u32 entries = at->current->nr + ups;
		int err;

		if (!entries) {
			ups = at->has_held;
		} else if (entries > te_tree_room(tree, i)) {
			ups = 2 + at->has_held;
		} else if (entries >= te_tree_min_entries(tree, i)) {
			ups = 1 + at->has_held;
		} else if (at->has_held) {
			err = te_tree_fill(tree, i, at->held);
			if (err)
				return err;
			ups = at->held->nr + entries > te_tree_room(tree, i) ? 2 : 1;
		} else {
			*can = false;
			return 0;
		}
	}
	return 0;
}

static int push_node(struct te_tree *tree, u32 level, u64 key, u64 block);

/* Puts in a node's children one by one: as whole nodes, or as entries of its level. */
static int break_open(struct te_tree *tree, u32 level, u64 block, bool as_nodes)
{
	struct te_tree_level *at = &tree->level[level];
	u32 i;
	int err = te_tree_load(tree, level, at->open, block);

	for (i = 0; !err && i < at->open->nr; i++) {
		u64 key = le64_to_cpu(at->open->disk.keys[i]);

		if (as_nodes)
			err = push_node(tree, level - 1, key, te_tree_child(tree, level, at->open, i));
		else
			err = push_entry(tree, level, key, te_tree_value(tree, level, at->open, i));
	}
	return err;
}

/* Which neighbour an underfull `current` goes with: true, the one that follows. */
static int prefer_following(struct te_tree *tree, u32 level, u64 following, bool *prefer)
{
	struct te_tree_level *at = &tree->level[level];
	u32 room = te_tree_room(tree, level) - at->current->nr;
	const struct thin_disk_node *node;
	int err;

	*prefer = true;
	if (!at->has_held)
		return 0;
	*prefer = false;
	if (!at->held->block)
		return 0;			/* it is to be written anyway */
	err = te_tree_fill(tree, level, at->held);
	if (err || at->held->nr <= room)
		return err;
	node = te_store_read(tree->store, following, THIN_NODE_CSUM_XOR);
	if (!node)
		return -EIO;
	*prefer = le32_to_cpu(node->nr_entries) <= room;
	return 0;
}

/* A whole node that stands already, all of whose keys follow what is there. */
static int push_node(struct te_tree *tree, u32 level, u64 key, u64 block)
{
	struct te_tree_level *at = &tree->level[level];
	bool can, prefer;
	int err;
	u32 i;

	err = can_close_below(tree, level, &can);
	if (err)
		return err;
	if (!can)
		return break_open(tree, level, block, true);
	for (i = 0; i < level; i++) {
		err = close_level(tree, i);
		if (err)
			return err;
	}
	if (at->current->nr && at->current->nr < te_tree_min_entries(tree, level)) {
		err = prefer_following(tree, level, block, &prefer);
		if (err)
			return err;
		if (prefer)
			return break_open(tree, level, block, false);
	}
	if (at->current->nr) {
		err = close_level(tree, level);
		if (err)
			return err;
	}
	return hold_block(tree, level, key, block);
}

/* Something follows another volume's small root: go on filling a copy of it. */
static int break_lone(struct te_tree *tree)
{
	struct te_tree_level *at = tree->level;
	struct te_tree_node *node;
	int err;

	if (!tree->lone)
		return 0;
	tree->lone = false;
	while (!at->has_held)
		at++;
	err = te_tree_fill(tree, (u32)(at - tree->level), at->held);
	node = at->current;
	at->current = at->held;
	at->held = node;
	at->has_held = false;
	at->current->block = 0;
	return err;
}

static void note_keys(struct te_tree *tree, u64 first, u64 last)
{
	if (tree->empty)
		tree->first_key = first;
	tree->empty = false;
	tree->last_key = last;
}

int te_tree_push(struct te_tree *tree, u64 key, const void *value)
{
	int err = break_lone(tree);

	if (err)
		return err;
	note_keys(tree, key, key);
	return push_entry(tree, 0, key, value);
}

/* Fills the current leaf with as much of a run as it has room for: so many. */
static u32 append_run(struct te_tree *tree, u64 key, u64 value, u64 step, u64 count)
{
	struct te_tree_node *node = tree->level[0].current;
	u32 i, part = te_tree_room(tree, 0) - node->nr;
	__le64 *keys = node->disk.keys + node->nr;
	__le64 *values = te_tree_value(tree, 0, node, node->nr);

	if (part > count)
		part = (u32)count;
	if (!node->nr)
		node->key = key;
	for (i = 0; i < part; i++) {
		keys[i] = cpu_to_le64(key + i);
		values[i] = cpu_to_le64(value + i * step);
	}
	node->nr += part;
	return part;
}

int te_tree_push_run(struct te_tree *tree, u64 key, u64 value, u64 step, u64 count)
{
	int err = break_lone(tree);

	if (!err && count)
		note_keys(tree, key, key + count - 1);
	while (!err && count) {
		u32 part = append_run(tree, key, value, step, count);

		key += part;
		value += part * step;
		count -= part;
		if (count)
			err = hold_current(tree, 0);
	}
	return err;
}

int te_tree_push_whole(struct te_tree *tree, u32 level, u64 first_key, u64 last_key, u64 block)
{
	int err = break_lone(tree);

	if (err)
		return err;
	note_keys(tree, first_key, last_key);
	return push_node(tree, level, first_key, block);
}

void te_tree_hold_lone(struct te_tree *tree, const struct te_tree_root *source)
{
	struct te_tree_level *at = &tree->level[source->level];

	at->held->block = source->block;
	at->held->key = source->first_key;
	at->held->loaded = false;
	at->has_held = true;
	tree->lone = true;
	note_keys(tree, source->first_key, source->last_key);
}

static bool anything_above(const struct te_tree *tree, u32 level)
{
	for (level++; level < TE_BTREE_MAX_DEPTH; level++)
		if (tree->level[level].current->nr || tree->level[level].has_held)
			return true;
	return false;
}

/* Takes the last node of `level` back from above, to be held again. */
static int take_back(struct te_tree *tree, u32 level)
{
	struct te_tree_level *above = &tree->level[level + 1];
	struct te_tree_node *from;
	int err = 0;

	if (!above->current->nr) {
		if (!above->has_held)
			err = take_back(tree, level + 1);
		if (!err)
			err = te_tree_fill(tree, level + 1, above->held);
		if (err)
			return err;
		from = above->current;
		above->current = above->held;
		above->held = from;
		above->has_held = false;
		above->current->block = 0;
	}
	from = above->current;
	from->nr--;
	return hold_block(tree, level, le64_to_cpu(from->disk.keys[from->nr]),
			  te_tree_child(tree, level + 1, from, from->nr));
}

static int root_is(struct te_tree *tree, u32 level, struct te_tree_node *node,
		   struct te_tree_root *root)
{
	int err = te_tree_write(tree, level, node);

	if (!err)
		err = te_tree_fill(tree, level, node);
	*root = (struct te_tree_root) {
		.block = node->block,
		.level = level,
		.nr_entries = node->nr,
		.first_key = tree->first_key,
		.last_key = tree->last_key,
	};
	return err;
}

int te_tree_finish(struct te_tree *tree, struct te_tree_root *root)
{
	u32 level;
	int err = 0;

	for (level = 0; level < TE_BTREE_MAX_DEPTH; level++) {
		struct te_tree_level *at = &tree->level[level];

		if (anything_above(tree, level)) {
			if (at->current->nr && at->current->nr < te_tree_min_entries(tree, level) &&
			    !at->has_held)
				err = take_back(tree, level);
		} else if (!at->has_held) {
			if (level && at->current->nr == 1) {
				/* An only child: it is the root itself. */
				at->open->block = te_tree_child(tree, level, at->current, 0);
				at->open->loaded = false;
				return root_is(tree, level - 1, at->open, root);
			}
			return root_is(tree, level, at->current, root);
		} else if (!at->current->nr) {
			return root_is(tree, level, at->held, root);
		}
		if (!err)
			err = close_level(tree, level);
		if (err)
			return err;
	}
	te_error("%s: a volume's tree gets too deep", tree->store->name);
	return -EFBIG;
}
