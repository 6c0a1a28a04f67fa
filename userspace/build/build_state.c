// SPDX-License-Identifier: GPL-2.0-or-later
/* The builder's state, saved and taken up again. */
#include "build/build_parts.h"

#include "base/say.h"

/* Packed, a volume, a level without its nodes, and the rest. */
#define VOLUME_BYTES	(10 * sizeof(u64))
#define LEVEL_BYTES	((8 + TE_TREE_CANDIDATES) * sizeof(u64))
#define OTHER_BYTES	(16 * sizeof(u64))

size_t te_build_most_state(u64 nr_volumes)
{
	return nr_volumes * VOLUME_BYTES + OTHER_BYTES +
	       TE_BTREE_MAX_DEPTH * (LEVEL_BYTES + 2 * THIN_METADATA_BLOCK_BYTES);
}

bool te_build_leaves_alone(const struct te_build *build)
{
	return build->store.kept_from < build->store.nr_blocks;
}

u64 te_build_next_pool(const struct te_build *build)
{
	return build->next_pool;
}

static void save_volume(const struct te_build_tree *volume, struct te_pack *state)
{
	te_pack_u64(state, volume->dev_id);
	te_pack_u64(state, volume->creation_time);
	te_pack_u64(state, volume->transaction_id);
	te_pack_u64(state, volume->mapped_blocks);
	te_pack_u64(state, volume->dropped);
	te_pack_u64(state, volume->tree.block);
	te_pack_u64(state, volume->tree.level);
	te_pack_u64(state, volume->tree.nr_entries);
	te_pack_u64(state, volume->tree.first_key);
	te_pack_u64(state, volume->tree.last_key);
}

/* A node that stands is its number; any other, its entries. */
static void save_node(const struct te_tree_node *node, struct te_pack *state)
{
	te_pack_u64(state, node->block);
	te_pack_u64(state, node->key);
	te_pack_u64(state, node->nr);
	if (!node->block && node->nr)
		te_pack_bytes(state, node->bytes, sizeof(node->bytes));
}

static void save_level(const struct te_tree_level *level, struct te_pack *state)
{
	u32 i;

	save_node(level->current, state);
	te_pack_u64(state, level->has_held);
	if (level->has_held)
		save_node(level->held, state);
	for (i = 0; i < TE_TREE_CANDIDATES; i++)
		te_pack_u64(state, level->candidates[i]);
	te_pack_u64(state, level->candidate % TE_TREE_CANDIDATES);
}

int te_build_save(struct te_build *build, struct te_pack *state)
{
	const struct te_tree *tree = &build->tree;
	size_t i;
	int err = te_store_sync(&build->store);

	if (err)
		return err;
	te_pack_u64(state, build->store.next);
	te_pack_u64(state, build->next_pool);
	te_pack_u64(state, build->next_virtual);
	te_pack_u64(state, build->arriving);
	te_pack_u64(state, tree->lone);
	te_pack_u64(state, tree->empty);
	te_pack_u64(state, tree->first_key);
	te_pack_u64(state, tree->last_key);
	te_pack_u64(state, build->nr_volumes);
	for (i = 0; i < build->nr_volumes; i++)
		save_volume(&build->volumes[i], state);
	for (i = 0; i < TE_BTREE_MAX_DEPTH; i++)
		save_level(&tree->level[i], state);
	return 0;
}

/* The nodes that stand: of each, the level it is of, and of what its summary is made. */
struct standing {
	struct te_build *build;
	u8 *level;			/* by block, plus one */
};

static bool has_shape(const struct te_tree *tree, const struct thin_disk_node *node, bool leaf)
{
	return le32_to_cpu(node->flags) == (leaf ? THIN_NODE_LEAF : THIN_NODE_INTERNAL) &&
	       le32_to_cpu(node->max_entries) == te_tree_room(tree, !leaf) &&
	       le32_to_cpu(node->value_size) == te_tree_value_bytes(tree, !leaf) &&
	       le32_to_cpu(node->nr_entries) <= te_tree_room(tree, !leaf);
}

static bool keys_ascend(const struct thin_disk_node *node)
{
	u32 nr = le32_to_cpu(node->nr_entries), i;

	for (i = 1; i < nr; i++)
		if (le64_to_cpu(node->keys[i - 1]) >= le64_to_cpu(node->keys[i]))
			return false;
	return true;
}

/* Children stand before their parents, all of them of the level below. */
static bool children_stand(const struct standing *standing, const __le64 *values, u32 nr, u64 block)
{
	u32 i;

	for (i = 0; i < nr; i++) {
		u64 child = le64_to_cpu(values[i]);

		if (!child || child >= block ||
		    standing->level[child] != standing->level[le64_to_cpu(values[0])])
			return false;
	}
	return nr && standing->level[le64_to_cpu(values[0])] < TE_BTREE_MAX_DEPTH;
}

static bool mappings_stand(const struct standing *standing, const __le64 *values, u32 nr)
{
	u32 i;

	for (i = 0; i < nr; i++)
		if (te_mapping_block(le64_to_cpu(values[i])) >= standing->build->next_pool)
			return false;
	return true;
}

static bool take_node(struct standing *standing, const struct thin_disk_node *node, u64 block)
{
	struct te_build *build = standing->build;
	bool leaf = le32_to_cpu(node->flags) == THIN_NODE_LEAF;
	const __le64 *values = node->keys + te_tree_room(&build->tree, !leaf);
	u32 nr = le32_to_cpu(node->nr_entries);

	if (!has_shape(&build->tree, node, leaf) || !keys_ascend(node))
		return false;
	if (leaf ? !mappings_stand(standing, values, nr) :
		   !children_stand(standing, values, nr, block))
		return false;
	standing->level[block] = leaf ? 1 : (u8)(standing->level[le64_to_cpu(values[0])] + 1);
	build->store.summary[block] = te_tree_summary(&build->tree, !leaf, values, nr);
	return true;
}

static int refuse(const struct te_build *build)
{
	te_error("%s: its metadata is not what the interrupted receive has written: receive anew, with --force",
		 build->store.name);
	return -EBADMSG;
}

/* Reads all nodes in order; whatever is lost or torn shows in a checksum. */
static int read_nodes(struct standing *standing)
{
	struct te_store *store = &standing->build->store;
	u64 first = 1, block;
	int err = 0;

	for (; !err && first < store->next; first += TE_STORE_BUFFER_BLOCKS) {
		u64 count = store->next - first;

		if (count > TE_STORE_BUFFER_BLOCKS)
			count = TE_STORE_BUFFER_BLOCKS;
		err = te_store_read_many(store, first, count, store->buffer);
		for (block = first; !err && block < first + count; block++) {
			const u8 *node = store->buffer + (block - first) * THIN_METADATA_BLOCK_BYTES;

			err = te_store_check(store, node, block, THIN_NODE_CSUM_XOR);
			if (!err && !take_node(standing, (const void *)node, block))
				err = refuse(standing->build);
		}
	}
	return err;
}

static bool stands(const struct standing *standing, u64 block, u32 level)
{
	return block && block < standing->build->store.next && standing->level[block] == level + 1;
}

static int load_volume(struct te_build *build, struct te_pack *state)
{
	u32 dev_id = (u32)te_unpack_u64(state, THIN_DEV_ID_MAX);
	u32 creation_time = (u32)te_unpack_u64(state, THIN_TIME_MASK);
	u64 transaction_id = te_unpack_u64(state, UINT64_MAX);
	u64 mapped_blocks = te_unpack_u64(state, UINT64_MAX);
	struct te_build_tree *volume;

	if (state->failed)
		return -EBADMSG;
	volume = te_build_add_volume(build, dev_id, te_unpack_u64(state, 1));
	if (!volume)
		return -EBADMSG;
	volume->creation_time = creation_time;
	volume->transaction_id = transaction_id;
	volume->mapped_blocks = mapped_blocks;
	volume->tree = (struct te_tree_root) {
		.block = te_unpack_u64(state, build->store.next - 1),
		.level = (u32)te_unpack_u64(state, TE_BTREE_MAX_DEPTH - 1),
		.nr_entries = (u32)te_unpack_u64(state, te_tree_room(&build->tree, 0)),
		.first_key = te_unpack_u64(state, UINT64_MAX),
		.last_key = te_unpack_u64(state, UINT64_MAX - 1),
	};
	return state->failed ? -EBADMSG : 0;
}

/* The entries of a node that does not stand yet point to what does. */
static bool entries_stand(const struct standing *standing, u32 level, struct te_tree_node *node)
{
	const struct te_tree *tree = &standing->build->tree;
	u32 i;

	for (i = 0; i < node->nr; i++) {
		u64 value = te_tree_child(tree, level, node, i);

		if (i && le64_to_cpu(node->disk.keys[i - 1]) >= le64_to_cpu(node->disk.keys[i]))
			return false;
		if (level ? !stands(standing, value, level - 1) :
			    te_mapping_block(value) >= standing->build->next_pool)
			return false;
	}
	return true;
}

static void load_node(const struct standing *standing, u32 level, struct te_tree_node *node,
		      struct te_pack *state)
{
	node->block = te_unpack_u64(state, standing->build->store.next - 1);
	node->key = te_unpack_u64(state, UINT64_MAX);
	node->nr = (u32)te_unpack_u64(state, te_tree_room(&standing->build->tree, level));
	node->loaded = !node->block;
	if (!node->block && node->nr)
		te_unpack_to(state, node->bytes, sizeof(node->bytes));
	if (node->block ? !stands(standing, node->block, level) :
			  !entries_stand(standing, level, node))
		state->failed = true;
}

static void load_level(const struct standing *standing, u32 nr, struct te_pack *state)
{
	struct te_tree_level *level = &standing->build->tree.level[nr];
	u32 i;

	load_node(standing, nr, level->current, state);
	if (level->current->block)
		state->failed = true;
	level->has_held = te_unpack_u64(state, 1);
	if (level->has_held)
		load_node(standing, nr, level->held, state);
	for (i = 0; i < TE_TREE_CANDIDATES; i++) {
		level->candidates[i] = te_unpack_u64(state, UINT64_MAX);
		if (level->candidates[i] && !stands(standing, level->candidates[i], nr))
			state->failed = true;
	}
	level->candidate = (u32)te_unpack_u64(state, TE_TREE_CANDIDATES - 1);
}

/* What stands for a whole tree is there. */
static bool lone_is_held(const struct te_tree *tree)
{
	u32 i;

	for (i = 0; tree->lone && i < TE_BTREE_MAX_DEPTH; i++)
		if (tree->level[i].has_held)
			return true;
	return !tree->lone;
}

/* A root may be named by many, and the one that is arriving has none yet. */
static bool roots_stand(const struct standing *standing)
{
	const struct te_build *build = standing->build;
	size_t i, nr = build->nr_volumes - build->arriving;

	for (i = 0; i < nr; i++)
		if (!stands(standing, build->volumes[i].tree.block, build->volumes[i].tree.level))
			return false;
	return true;
}

static int load(struct standing *standing, struct te_pack *state)
{
	struct te_build *build = standing->build;
	struct te_tree *tree = &build->tree;
	u64 next, nr_volumes, i;
	int err;

	next = te_unpack_u64(state, build->store.kept_from);
	build->next_pool = te_unpack_u64(state, build->pool.nr_data_blocks);
	build->next_virtual = te_unpack_u64(state, UINT64_MAX);
	build->arriving = te_unpack_u64(state, 1);
	tree->lone = te_unpack_u64(state, 1);
	tree->empty = te_unpack_u64(state, 1);
	tree->first_key = te_unpack_u64(state, UINT64_MAX);
	tree->last_key = te_unpack_u64(state, UINT64_MAX);
	nr_volumes = te_unpack_u64(state, THIN_DEV_ID_MAX + 1ULL);
	if (state->failed || !next || (build->arriving && !nr_volumes))
		return refuse(build);
	te_store_go_on(&build->store, next);
	for (i = 0; i < nr_volumes; i++)
		if (load_volume(build, state))
			return refuse(build);
	err = read_nodes(standing);
	for (i = 0; !err && i < TE_BTREE_MAX_DEPTH; i++)
		load_level(standing, (u32)i, state);
	if (!err && (state->failed || !roots_stand(standing) || !lone_is_held(tree)))
		err = refuse(build);
	return err;
}

int te_build_load(struct te_build *build, struct te_pack *state)
{
	struct standing standing = {
		.build = build,
		.level = te_alloc(build->store.nr_blocks),
	};
	int err;

	if (!standing.level) {
		te_error("no memory to build metadata");
		return -ENOMEM;
	}
	err = load(&standing, state);
	te_free(standing.level);
	return err;
}
