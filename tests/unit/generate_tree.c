// SPDX-License-Identifier: GPL-2.0-or-later
/* Volumes of the pool made up: mapping trees, changed by copy on write. */
#include "generate_private.h"

#define VALUE_BYTES	8u
#define MOST_LEVELS	12

/* Below this a neighbour counts as full. */
#define WORTH_ASKING	8u


static u32 nr(const struct thin_disk_node *node)
{
	return le32_to_cpu(node->nr_entries);
}

static u32 max(const struct thin_disk_node *node)
{
	return le32_to_cpu(node->max_entries);
}

static u32 room(const struct thin_disk_node *node)
{
	return max(node) - nr(node);
}

static void set_nr(struct thin_disk_node *node, u32 entries)
{
	node->nr_entries = cpu_to_le32(entries);
}

static bool is_leaf(const struct thin_disk_node *node)
{
	return le32_to_cpu(node->flags) == THIN_NODE_LEAF;
}

static __le64 *values(struct thin_disk_node *node)
{
	return node->keys + max(node);
}

static u64 key(const struct thin_disk_node *node, u32 i)
{
	return le64_to_cpu(node->keys[i]);
}

static u64 value(struct thin_disk_node *node, u32 i)
{
	return le64_to_cpu(values(node)[i]);
}

/* Entries with keys <= wanted. */
static u32 count_up_to(const struct thin_disk_node *node, u64 wanted)
{
	u32 low = 0, high = nr(node);

	while (low < high) {
		u32 middle = (low + high) / 2;

		if (key(node, middle) <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Opens a gap of `count` entries at i, or closes it. */
static void open_gap(struct thin_disk_node *node, u32 i, u32 count)
{
	u32 behind = nr(node) - i;

	memmove(node->keys + i + count, node->keys + i, behind * sizeof(__le64));
	memmove(values(node) + i + count, values(node) + i, behind * sizeof(__le64));
	set_nr(node, nr(node) + count);
}

static void close_gap(struct thin_disk_node *node, u32 i, u32 count)
{
	u32 behind = nr(node) - i - count;

	memmove(node->keys + i, node->keys + i + count, behind * sizeof(__le64));
	memmove(values(node) + i, values(node) + i + count, behind * sizeof(__le64));
	set_nr(node, nr(node) - count);
}

static void copy_entries(struct thin_disk_node *to, u32 at, struct thin_disk_node *from, u32 i,
			 u32 count)
{
	memcpy(to->keys + at, from->keys + i, count * sizeof(__le64));
	memcpy(values(to) + at, values(from) + i, count * sizeof(__le64));
}

u64 te_gen_new_node(struct te_gen *gen, bool leaf, u32 value_bytes)
{
	u64 block = te_gen_new_block(gen);
	struct thin_disk_node *node = te_gen_block(gen, block);
	u32 entries = (THIN_METADATA_BLOCK_BYTES - sizeof(*node)) / (sizeof(__le64) + value_bytes);

	memset(node, 0, THIN_METADATA_BLOCK_BYTES);
	node->blocknr = cpu_to_le64(block);
	node->flags = cpu_to_le32(leaf ? THIN_NODE_LEAF : THIN_NODE_INTERNAL);
	node->max_entries = cpu_to_le32(entries / 3 * 3);
	node->value_size = cpu_to_le32(value_bytes);
	return block;
}

static u64 new_data_block(struct te_gen *gen)
{
	u64 tries;

	for (tries = 0; tries < gen->most_data_blocks; tries++) {
		u64 block = gen->next_data_block++;

		if (gen->next_data_block == gen->most_data_blocks)
			gen->next_data_block = 0;
		if (gen->data_refs[block])
			continue;
		gen->data_refs[block] = 1;
		if (block >= gen->end_data_block)
			gen->end_data_block = block + 1;
		return block;
	}
	te_gen_die("the data device is full");
}

static void drop_data_block(struct te_gen *gen, u64 mapping)
{
	gen->data_refs[mapping >> THIN_TIME_BITS]--;
}

/* One more reference to all that a node refers to: it has been copied. */
static void share_content(struct te_gen *gen, struct thin_disk_node *node)
{
	bool leaf = is_leaf(node);
	u32 i;

	for (i = 0; i < nr(node); i++)
		if (leaf)
			gen->data_refs[value(node, i) >> THIN_TIME_BITS]++;
		else
			gen->metadata_refs[value(node, i)]++;
}

/* The node to change in place of `block`: itself, or a copy when others have it too. */
static u64 shadow(struct te_gen *gen, u64 block)
{
	u64 copy;

	if (gen->metadata_refs[block] == 1)
		return block;
	copy = te_gen_new_block(gen);
	memcpy(te_gen_block(gen, copy), te_gen_block(gen, block), THIN_METADATA_BLOCK_BYTES);
	((struct thin_disk_node *)te_gen_block(gen, copy))->blocknr = cpu_to_le64(copy);
	gen->metadata_refs[block]--;
	share_content(gen, te_gen_block(gen, copy));
	return copy;
}

static struct thin_disk_node *shadow_child(struct te_gen *gen, struct thin_disk_node *parent,
					   u32 i)
{
	u64 child = shadow(gen, value(parent, i));

	values(parent)[i] = cpu_to_le64(child);
	return te_gen_block(gen, child);
}

/* Children i and i + 1 get as many entries each. */
static void level_out(struct thin_disk_node *parent, u32 i, struct thin_disk_node *left,
		      struct thin_disk_node *right)
{
	u32 total = nr(left) + nr(right), wanted = total / 2;

	if (nr(left) > wanted) {
		u32 count = nr(left) - wanted;

		open_gap(right, 0, count);
		copy_entries(right, 0, left, wanted, count);
	} else {
		u32 count = wanted - nr(left);

		copy_entries(left, nr(left), right, 0, count);
		close_gap(right, 0, count);
	}
	set_nr(left, wanted);
	parent->keys[i + 1] = right->keys[0];
}

static void split(struct te_gen *gen, struct thin_disk_node *parent, u32 i)
{
	struct thin_disk_node *left = te_gen_block(gen, value(parent, i));
	u64 block = te_gen_new_node(gen, is_leaf(left), VALUE_BYTES);
	struct thin_disk_node *right = te_gen_block(gen, block);

	open_gap(parent, i + 1, 1);
	values(parent)[i + 1] = cpu_to_le64(block);
	level_out(parent, i, left, right);
}

/* Child i, changeable already, is full: gives to a neighbour, or is split. */
static void make_room(struct te_gen *gen, struct thin_disk_node *parent, u32 i, bool halve)
{
	struct thin_disk_node *child = te_gen_block(gen, value(parent, i));

	if (!halve && i > 0 && room(te_gen_block(gen, value(parent, i - 1))) >= WORTH_ASKING)
		level_out(parent, i - 1, shadow_child(gen, parent, i - 1), child);
	else if (!halve && i + 1 < nr(parent) &&
		 room(te_gen_block(gen, value(parent, i + 1))) >= WORTH_ASKING)
		level_out(parent, i, child, shadow_child(gen, parent, i + 1));
	else
		split(gen, parent, i);
}

static struct thin_disk_node *root_with_room(struct te_gen *gen, struct te_gen_volume *volume)
{
	struct thin_disk_node *root, *above;
	u64 block;

	volume->root = shadow(gen, volume->root);
	root = te_gen_block(gen, volume->root);
	if (room(root))
		return root;

	block = te_gen_new_node(gen, false, VALUE_BYTES);
	above = te_gen_block(gen, block);
	above->keys[0] = root->keys[0];
	values(above)[0] = cpu_to_le64(volume->root);
	set_nr(above, 1);
	split(gen, above, 0);
	volume->root = block;
	return above;
}

/*
 * The leaf for `wanted`, changeable and with room for an entry.  *end: keys from
 * there on belong to the next.  Full nodes are split on the way down, so that
 * there always is room above.
 */
static struct thin_disk_node *leaf_with_room(struct te_gen *gen, struct te_gen_volume *volume,
					     u64 wanted, u64 *end)
{
	struct thin_disk_node *node = root_with_room(gen, volume);

	*end = ~0ULL;
	while (!is_leaf(node)) {
		u32 i = count_up_to(node, wanted);

		if (!i)
			node->keys[0] = cpu_to_le64(wanted);
		else
			i--;
		if (!room(shadow_child(gen, node, i))) {
			make_room(gen, node, i, volume->halve);
			i = count_up_to(node, wanted) - 1;
		}
		if (i + 1 < nr(node))
			*end = key(node, i + 1);
		node = te_gen_block(gen, value(node, i));
	}
	return node;
}

static __le64 new_mapping(struct te_gen *gen)
{
	return cpu_to_le64(new_data_block(gen) << THIN_TIME_BITS | gen->time);
}

/* Writes what of [start, end) the leaf has room for; returns where it stopped. */
static u64 write_leaf(struct te_gen *gen, struct te_gen_volume *volume,
		      struct thin_disk_node *leaf, u64 start, u64 end)
{
	u32 i = count_up_to(leaf, start), gap, at;

	if (i && key(leaf, i - 1) == start)
		i--;
	while (start < end) {
		if (i < nr(leaf) && key(leaf, i) == start) {
			u64 old = value(leaf, i);

			/* As dm-thin has it: older than the last snapshot is shared. */
			if ((old & THIN_TIME_MASK) < volume->snapshotted_time) {
				values(leaf)[i] = new_mapping(gen);
				drop_data_block(gen, old);
			}
			i++;
			start++;
			continue;
		}
		gap = room(leaf);
		if (gap > end - start)
			gap = (u32)(end - start);
		if (i < nr(leaf) && gap > key(leaf, i) - start)
			gap = (u32)(key(leaf, i) - start);
		if (!gap)
			break;
		open_gap(leaf, i, gap);
		for (at = i; at < i + gap; at++) {
			leaf->keys[at] = cpu_to_le64(start++);
			values(leaf)[at] = new_mapping(gen);
		}
		volume->mapped_blocks += gap;
		i += gap;
	}
	return start;
}

void te_gen_write(struct te_gen *gen, size_t index, u64 virtual_block, u64 count)
{
	struct te_gen_volume *volume = &gen->volumes[index];
	u64 end = virtual_block + count, leaf_end;

	while (virtual_block < end) {
		struct thin_disk_node *leaf;

		leaf = leaf_with_room(gen, volume, virtual_block, &leaf_end);
		virtual_block = write_leaf(gen, volume, leaf, virtual_block,
					   leaf_end < end ? leaf_end : end);
	}
}

/* The first key from `wanted` on; ~0 when there is none.  Nothing is changed. */
static u64 next_key(struct te_gen *gen, u64 root, u64 wanted)
{
	struct thin_disk_node *node = te_gen_block(gen, root);
	u64 beside = ~0ULL;
	u32 i;

	while (!is_leaf(node)) {
		i = count_up_to(node, wanted);
		if (i)
			i--;
		if (i + 1 < nr(node))
			beside = value(node, i + 1);
		node = te_gen_block(gen, value(node, i));
	}
	i = count_up_to(node, wanted);
	if (i && key(node, i - 1) == wanted)
		return wanted;
	if (i < nr(node))
		return key(node, i);
	if (beside == ~0ULL)
		return ~0ULL;
	for (node = te_gen_block(gen, beside); !is_leaf(node); )
		node = te_gen_block(gen, value(node, 0));
	return key(node, 0);
}

/* Child i has too few entries: joins a neighbour, or gets some of its. */
static void feed(struct te_gen *gen, struct thin_disk_node *parent, u32 i)
{
	u32 at = i ? i - 1 : 0;
	struct thin_disk_node *left = shadow_child(gen, parent, at);
	struct thin_disk_node *right = shadow_child(gen, parent, at + 1);

	if (nr(left) + nr(right) >= 2 * (max(left) / 3 + 1)) {
		level_out(parent, at, left, right);
		return;
	}
	copy_entries(left, nr(left), right, 0, nr(right));
	set_nr(left, nr(left) + nr(right));
	te_gen_free_block(gen, value(parent, at + 1));
	close_gap(parent, at + 1, 1);
}

/* A root with one child is none. */
static void drop_single_roots(struct te_gen *gen, struct te_gen_volume *volume)
{
	struct thin_disk_node *root = te_gen_block(gen, volume->root);

	while (!is_leaf(root) && nr(root) == 1) {
		u64 child = value(root, 0);

		te_gen_free_block(gen, volume->root);
		volume->root = child;
		root = te_gen_block(gen, child);
	}
}

/* Takes the keys [start, end) out of the leaf where start is. */
static void discard_in_leaf(struct te_gen *gen, struct te_gen_volume *volume, u64 start, u64 end)
{
	struct thin_disk_node *way[MOST_LEVELS], *leaf;
	u32 at[MOST_LEVELS], level = 0, first, last, i;

	volume->root = shadow(gen, volume->root);
	way[0] = te_gen_block(gen, volume->root);
	while (!is_leaf(way[level])) {
		at[level] = count_up_to(way[level], start) - 1;
		way[level + 1] = shadow_child(gen, way[level], at[level]);
		level++;
	}
	leaf = way[level];
	first = count_up_to(leaf, start) - 1;
	last = count_up_to(leaf, end - 1);
	for (i = first; i < last; i++)
		drop_data_block(gen, value(leaf, i));
	close_gap(leaf, first, last - first);
	volume->mapped_blocks -= last - first;

	while (level && nr(way[level]) < max(way[level]) / 3) {
		level--;
		feed(gen, way[level], at[level]);
	}
	drop_single_roots(gen, volume);
}

void te_gen_discard(struct te_gen *gen, size_t index, u64 virtual_block, u64 count)
{
	struct te_gen_volume *volume = &gen->volumes[index];
	u64 end = virtual_block + count, start;

	while ((start = next_key(gen, volume->root, virtual_block)) < end)
		discard_in_leaf(gen, volume, start, end);
}

static void drop_tree(struct te_gen *gen, u64 block)
{
	struct thin_disk_node *node = te_gen_block(gen, block);
	u32 i;

	if (--gen->metadata_refs[block])
		return;
	for (i = 0; i < nr(node); i++)
		if (is_leaf(node))
			drop_data_block(gen, value(node, i));
		else
			drop_tree(gen, value(node, i));
	te_gen_free_block(gen, block);
}

static struct te_gen_volume *add_volume(struct te_gen *gen, u32 id)
{
	struct te_gen_volume *volume;

	if (gen->nr_volumes == gen->room_volumes) {
		gen->room_volumes = gen->room_volumes ? 2 * gen->room_volumes : 64;
		gen->volumes = realloc(gen->volumes, gen->room_volumes * sizeof(*volume));
		if (!gen->volumes)
			te_gen_die("no memory");
	}
	volume = &gen->volumes[gen->nr_volumes++];
	memset(volume, 0, sizeof(*volume));
	volume->id = id;
	gen->ids_used[id / 8] |= 1 << id % 8;
	volume->transaction_id = gen->transaction_id++;
	volume->halve = te_gen_random(gen, 2);
	return volume;
}

size_t te_gen_thin(struct te_gen *gen, u32 id, u64 virtual_blocks)
{
	struct te_gen_volume *volume = add_volume(gen, id);

	volume->root = te_gen_new_node(gen, true, VALUE_BYTES);
	volume->virtual_blocks = virtual_blocks;
	volume->creation_time = gen->time;
	volume->snapshotted_time = gen->time;
	return gen->nr_volumes - 1;
}

size_t te_gen_snapshot(struct te_gen *gen, size_t origin, u32 id)
{
	struct te_gen_volume *snapshot = add_volume(gen, id);
	struct te_gen_volume *from = &gen->volumes[origin];

	gen->time++;
	gen->metadata_refs[from->root]++;
	snapshot->root = from->root;
	snapshot->mapped_blocks = from->mapped_blocks;
	snapshot->virtual_blocks = from->virtual_blocks;
	snapshot->creation_time = gen->time;
	snapshot->snapshotted_time = gen->time;
	from->snapshotted_time = gen->time;
	return gen->nr_volumes - 1;
}

void te_gen_delete(struct te_gen *gen, size_t index)
{
	drop_tree(gen, gen->volumes[index].root);
	gen->volumes[index] = gen->volumes[--gen->nr_volumes];
	gen->transaction_id++;
}
