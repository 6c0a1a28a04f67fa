/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One btree node, checked, and the lookup of one key. */
#ifndef TE_BTREE_H
#define TE_BTREE_H

#include <thinexport/thin_disk.h>
#include "fault.h"
#include "reader.h"

/*
 * Levels of one tree.  The kernel keeps every node but the root at least a
 * third full (84 of 252 entries), and 84^9 > 2^57 keys.
 */
#define TE_BTREE_MAX_DEPTH	10

/* A checked node.  Keys and values stay little-endian, in the reader's block. */
struct te_node {
	u64 block;
	bool leaf;
	u32 nr_entries;
	u32 max_entries;
	u32 value_bytes;
	const __le64 *keys;
	const void *values;
};

static inline u64 te_node_key(const struct te_node *node, u32 i)
{
	return le64_to_cpu(node->keys[i]);
}

/* Values of eight bytes: children, device roots, mappings. */
static inline u64 te_node_value64(const struct te_node *node, u32 i)
{
	return le64_to_cpu(((const __le64 *)node->values)[i]);
}

static inline u64 te_mapping_block(u64 value)
{
	return value >> THIN_TIME_BITS;
}

static inline u32 te_mapping_time(u64 value)
{
	return (u32)(value & THIN_TIME_MASK);
}

/* The range of keys a node may hold: low <= key < high. */
struct te_range {
	u64 low;
	u64 high;
};

/*
 * Checks the 4 KiB at `data`, read from `block`, as a node of a tree whose
 * leaves hold value_bytes: place, checksum, flags, value size, counts, order of
 * keys and their range, children within nr_blocks.  -EILSEQ.
 */
int te_node_check(const void *data, u64 block, u32 value_bytes, struct te_range range,
		  u64 nr_blocks, struct te_node *node, struct te_fault *fault);

/*
 * Gets a block from the reader, within its bounds, and checks it as a node.
 * Until te_node_put(reader, cookie) the node may be used.
 */
int te_node_get(struct te_reader *reader, u64 block, u32 value_bytes, struct te_range range,
		struct te_node *node, void **cookie, struct te_fault *fault);
void te_node_put(struct te_reader *reader, void *cookie);

/* Index of the last key <= `key`, or -1. */
int te_node_search(const struct te_node *node, u64 key);

/*
 * What child `i` of a node that itself has `range` may hold: from its key up
 * to the next one.  An insertion below a node's first key lowers that key in all
 * nodes on the way down, so nothing lies below the first key either.
 */
struct te_range te_node_child_range(const struct te_node *node, u32 i, struct te_range range);

/*
 * Copies the value of `key` from the tree at `root`.  -ENODATA when it has none
 * (fault untouched); otherwise as te_node_check and the reader.
 */
int te_btree_lookup(struct te_reader *reader, u64 root, u32 value_bytes, u64 key,
		    void *value, struct te_fault *fault);

#endif
