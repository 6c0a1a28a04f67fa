// SPDX-License-Identifier: GPL-2.0-or-later
/* One btree node, checked, and the lookup of one key. */
#include "btree.h"

static u32 node_csum(const struct thin_disk_node *disk)
{
	return crc32c(~0u, &disk->flags, THIN_METADATA_BLOCK_BYTES - sizeof(disk->csum)) ^
	       THIN_NODE_CSUM_XOR;
}

/* The right block, undamaged, and its header. */
static int check_header(const struct thin_disk_node *disk, u64 block, u32 value_bytes,
			struct te_node *node, struct te_fault *fault)
{
	u32 flags = le32_to_cpu(disk->flags);
	u32 nr_entries = le32_to_cpu(disk->nr_entries);
	u32 max_entries = le32_to_cpu(disk->max_entries);
	u32 csum, room;

	if (le64_to_cpu(disk->blocknr) != block)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_LOCATION, block,
			       le64_to_cpu(disk->blocknr), block);
	csum = node_csum(disk);
	if (le32_to_cpu(disk->csum) != csum)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_CSUM, block,
			       le32_to_cpu(disk->csum), csum);
	if (flags != THIN_NODE_INTERNAL && flags != THIN_NODE_LEAF)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_FLAGS, block,
			       flags, THIN_NODE_LEAF);

	node->block = block;
	node->leaf = flags == THIN_NODE_LEAF;
	node->value_bytes = node->leaf ? value_bytes : sizeof(__le64);
	if (le32_to_cpu(disk->value_size) != node->value_bytes)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_VALUE_SIZE, block,
			       le32_to_cpu(disk->value_size), node->value_bytes);

	room = (THIN_METADATA_BLOCK_BYTES - sizeof(*disk)) / (sizeof(__le64) + node->value_bytes);
	if (max_entries > room)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_MAX_ENTRIES, block,
			       max_entries, room);
	/* The root of an empty tree is a leaf without entries; no internal node is. */
	if (nr_entries > max_entries || (!node->leaf && !nr_entries))
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_NR_ENTRIES, block,
			       nr_entries, max_entries);

	node->nr_entries = nr_entries;
	node->max_entries = max_entries;
	node->keys = disk->keys;
	node->values = disk->keys + max_entries;
	return 0;
}

static int check_keys(const struct te_node *node, struct te_range range, struct te_fault *fault)
{
	u64 key, before;
	u32 i;

	if (!node->nr_entries)
		return 0;
	key = te_node_key(node, 0);
	if (key < range.low)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_KEY_RANGE, node->block,
			       key, range.low);
	for (i = 1; i < node->nr_entries; i++) {
		before = key;
		key = te_node_key(node, i);
		if (unlikely(key <= before))
			return te_fail(fault, -EILSEQ, TE_FAULT_NODE_KEY_ORDER, node->block,
				       key, before);
	}
	if (key >= range.high)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_KEY_RANGE, node->block,
			       key, range.high);
	return 0;
}

static int check_children(const struct te_node *node, u64 nr_blocks, struct te_fault *fault)
{
	u32 i;

	for (i = 0; i < node->nr_entries; i++)
		if (te_node_value64(node, i) >= nr_blocks)
			return te_fail(fault, -EILSEQ, TE_FAULT_NODE_CHILD, node->block,
				       te_node_value64(node, i), nr_blocks);
	return 0;
}

int te_node_check(const void *data, u64 block, u32 value_bytes, struct te_range range,
		  u64 nr_blocks, struct te_node *node, struct te_fault *fault)
{
	int r;

	r = check_header(data, block, value_bytes, node, fault);
	if (r)
		return r;
	r = check_keys(node, range, fault);
	if (r || node->leaf)
		return r;
	return check_children(node, nr_blocks, fault);
}

int te_node_get(struct te_reader *reader, u64 block, u32 value_bytes, struct te_range range,
		struct te_node *node, void **cookie, struct te_fault *fault)
{
	const void *data;
	int r;

	if (reader->ops->interrupted && reader->ops->interrupted(reader))
		return te_fail(fault, -EINTR, TE_FAULT_INTERRUPTED, block, 0, 0);
	/* Roots come from leaves of other trees, where nobody knew them for blocks. */
	if (block >= reader->nr_blocks)
		return te_fail(fault, -EILSEQ, TE_FAULT_NODE_CHILD, block,
			       block, reader->nr_blocks);
	r = reader->ops->get(reader, block, &data, cookie);
	if (r)
		return te_fail(fault, r, TE_FAULT_IO, block, (u64)(long long)r, 0);
	r = te_node_check(data, block, value_bytes, range, reader->nr_blocks, node, fault);
	if (r)
		reader->ops->put(reader, *cookie);
	return r;
}

void te_node_put(struct te_reader *reader, void *cookie)
{
	reader->ops->put(reader, cookie);
}

int te_node_search(const struct te_node *node, u64 key)
{
	u32 low = 0, high = node->nr_entries;

	/* Keys below `low` are <= key, those from `high` on are not. */
	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (te_node_key(node, middle) <= key)
			low = middle + 1;
		else
			high = middle;
	}
	return (int)low - 1;
}

struct te_range te_node_child_range(const struct te_node *node, u32 i, struct te_range range)
{
	range.low = te_node_key(node, i);
	if (i + 1 < node->nr_entries)
		range.high = te_node_key(node, i + 1);
	return range;
}

int te_btree_lookup(struct te_reader *reader, u64 root, u32 value_bytes, u64 key,
		    void *value, struct te_fault *fault)
{
	struct te_range range = { 0, ~0ULL };
	unsigned int level;
	u64 block = root;

	for (level = 0; level < TE_BTREE_MAX_DEPTH; level++) {
		struct te_node node;
		void *cookie;
		bool leaf;
		int r, i;

		r = te_node_get(reader, block, value_bytes, range, &node, &cookie, fault);
		if (r)
			return r;
		leaf = node.leaf;
		i = te_node_search(&node, key);
		if (i < 0 || (leaf && te_node_key(&node, i) != key)) {
			r = -ENODATA;
		} else if (leaf) {
			memcpy(value, (const char *)node.values + (size_t)i * value_bytes,
			       value_bytes);
		} else {
			block = te_node_value64(&node, i);
			range = te_node_child_range(&node, i, range);
		}
		te_node_put(reader, cookie);
		if (r || leaf)
			return r;
	}
	return te_fail(fault, -EILSEQ, TE_FAULT_NODE_DEPTH, block, level, TE_BTREE_MAX_DEPTH);
}
