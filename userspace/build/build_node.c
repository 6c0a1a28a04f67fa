// SPDX-License-Identifier: GPL-2.0-or-later
/* The nodes of the tree that is built: their shape, read back, written once. */
#include "build/build_parts.h"

/* Children of internal nodes and roots of volumes: numbers of blocks. */
#define CHILD_BYTES	sizeof(__le64)

u32 te_tree_max_entries(u32 value_bytes)
{
	u32 most = (THIN_METADATA_BLOCK_BYTES - sizeof(struct thin_disk_node)) /
		   (sizeof(__le64) + value_bytes);

	return most / 3 * 3;
}

u32 te_tree_value_bytes(const struct te_tree *tree, u32 level)
{
	return level ? CHILD_BYTES : tree->value_bytes;
}

u32 te_tree_room(const struct te_tree *tree, u32 level)
{
	return te_tree_max_entries(te_tree_value_bytes(tree, level));
}

/* What dm-thin keeps in every node but the root (its remove merges below this). */
u32 te_tree_min_entries(const struct te_tree *tree, u32 level)
{
	return te_tree_room(tree, level) / 3;
}

void *te_tree_value(const struct te_tree *tree, u32 level, struct te_tree_node *node, u32 i)
{
	return node->bytes + sizeof(struct thin_disk_node) +
	       (size_t)te_tree_room(tree, level) * sizeof(__le64) +
	       (size_t)i * te_tree_value_bytes(tree, level);
}

u64 te_tree_child(const struct te_tree *tree, u32 level, struct te_tree_node *node, u32 i)
{
	return le64_to_cpu(*(__le64 *)te_tree_value(tree, level, node, i));
}

/* Fills in the entries of a node that stands already. */
int te_tree_fill(struct te_tree *tree, u32 level, struct te_tree_node *node)
{
	const void *data;

	if (node->loaded)
		return 0;
	data = te_store_read(tree->store, node->block, THIN_NODE_CSUM_XOR);
	if (!data)
		return -EIO;
	memcpy(node->bytes, data, sizeof(node->bytes));
	node->nr = le32_to_cpu(node->disk.nr_entries);
	node->loaded = true;
	return 0;
}

int te_tree_load(struct te_tree *tree, u32 level, struct te_tree_node *node, u64 block)
{
	if (node->loaded && node->block == block)
		return 0;
	node->block = block;
	node->loaded = false;
	return te_tree_fill(tree, level, node);
}

/* True when `node` has just the entries of a block that was opened here lately. */
static int find_same(struct te_tree *tree, u32 level, struct te_tree_node *node, u64 *block)
{
	struct te_tree_level *at = &tree->level[level];
	size_t values = (size_t)node->nr * te_tree_value_bytes(tree, level);
	u32 i;

	*block = 0;
	for (i = 0; i < TE_TREE_CANDIDATES; i++) {
		const struct thin_disk_node *other;

		if (!at->candidates[i])
			continue;
		other = te_store_read(tree->store, at->candidates[i], THIN_NODE_CSUM_XOR);
		if (!other)
			return -EIO;
		if (le32_to_cpu(other->nr_entries) != node->nr ||
		    memcmp(other->keys, node->disk.keys, node->nr * sizeof(__le64)) ||
		    memcmp(other->keys + te_tree_room(tree, level), te_tree_value(tree, level, node, 0),
			   values))
			continue;
		*block = at->candidates[i];
		return 0;
	}
	return 0;
}

u32 te_tree_summary(const struct te_tree *tree, u32 level, const __le64 *values, u32 nr)
{
	u32 mappings = 0, shared = TE_SUMMARY_SHARED, i;

	for (i = 0; i < nr; i++) {
		u64 value = le64_to_cpu(values[i]);

		if (level) {
			mappings += tree->store->summary[value] & TE_SUMMARY_MAPPINGS;
			shared &= tree->store->summary[value];
		} else if (te_mapping_time(value)) {
			shared = 0;
		}
	}
	return (level ? mappings : nr) | shared;
}

/* Gives the node a block, unless it has one. */
int te_tree_write(struct te_tree *tree, u32 level, struct te_tree_node *node)
{
	u32 most = te_tree_room(tree, level);
	int err;

	if (node->block)
		return 0;
	if (tree->mappings) {
		err = find_same(tree, level, node, &node->block);
		if (err || node->block)
			return err;
	}
	node->disk.flags = cpu_to_le32(level ? THIN_NODE_INTERNAL : THIN_NODE_LEAF);
	node->disk.nr_entries = cpu_to_le32(node->nr);
	node->disk.max_entries = cpu_to_le32(most);
	node->disk.value_size = cpu_to_le32(te_tree_value_bytes(tree, level));
	node->disk.padding = 0;
	memset(node->disk.keys + node->nr, 0, (most - node->nr) * sizeof(__le64));
	memset(te_tree_value(tree, level, node, node->nr), 0,
	       (size_t)(node->bytes + sizeof(node->bytes) -
			(u8 *)te_tree_value(tree, level, node, node->nr)));
	err = te_store_append(tree->store, node->bytes, THIN_NODE_CSUM_XOR, &node->block);
	if (err)
		return err;
	if (tree->mappings)
		tree->store->summary[node->block] = te_tree_summary(tree, level, te_tree_value(tree, level, node, 0),
							     node->nr);
	return 0;
}
