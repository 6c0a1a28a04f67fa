/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way from a root down to where a walk stands: a bounded stack of checked
 * nodes, each holding its block of the reader.
 *
 * Two layers.  te_cursor_push and te_cursor_pop go down and up one node and see
 * that no node is its own ancestor, that no tree is too deep and that all leaves
 * lie at one depth.  On them te_cursor_begin, _descend and _step move over
 * *items*: nodes not yet read and, in a leaf, entries; who holds two cursors
 * can compare two trees without reading what he need not.
 */
#ifndef TE_CURSOR_H
#define TE_CURSOR_H

#include "btree.h"

struct te_cursor_level {
	struct te_node node;
	struct te_range range;		/* what the node's keys must lie in */
	void *cookie;			/* the reader's */
	u32 next;			/* child or entry that comes next */
	u32 prefetched;			/* children the reader was told of */
};

/* Children told to the reader ahead of the one that is read. */
#define TE_CURSOR_WINDOW	64u

struct te_cursor {
	struct te_reader *reader;
	u32 value_bytes;		/* of a leaf's value */
	struct te_fault *fault;

	/* Whether a child, at key `low` in its parent, is worth a prefetch.  NULL: all are. */
	bool (*wanted)(void *context, u64 block, u64 low);
	void *context;

	unsigned int depth;		/* nodes held */
	unsigned int leaf_level;	/* known from the first leaf on; UINT_MAX before */

	u64 root;			/* items only: the root not yet read */
	struct te_range root_range;
	bool at_root;

	u64 window[TE_CURSOR_WINDOW];	/* to sort what is prefetched */
	struct te_cursor_level stack[TE_BTREE_MAX_DEPTH];
};

void te_cursor_init(struct te_cursor *cursor, struct te_reader *reader, u32 value_bytes,
		    struct te_fault *fault);
void te_cursor_exit(struct te_cursor *cursor);		/* gives back all nodes */

static inline struct te_cursor_level *te_cursor_top(struct te_cursor *cursor)
{
	return &cursor->stack[cursor->depth - 1];
}

/* -EILSEQ with TE_FAULT_NODE_LOOP or _DEPTH, or as te_node_get. */
int te_cursor_push(struct te_cursor *cursor, u64 block, struct te_range range);
void te_cursor_pop(struct te_cursor *cursor);

/* TE_FAULT_NODE_LOOP when `block` is among the nodes held. */
int te_cursor_check_loop(const struct te_cursor *cursor, u64 block);

/* Tells the reader of the children that come next in the top node. */
void te_cursor_prefetch(struct te_cursor *cursor);

struct te_cursor_item {
	bool entry;			/* of a leaf; else a node not yet read */
	u64 block;			/* node: its block; entry: the leaf's */
	u32 index;			/* entry: in the leaf */
	unsigned int level;		/* node: where it will stand, 0 the root */
	struct te_range range;		/* node: of its keys; entry: low is its key */
};

/* Stands before the root. */
void te_cursor_begin(struct te_cursor *cursor, u64 root, struct te_range range);

/* The item it stands before, or false behind the last. */
bool te_cursor_item(struct te_cursor *cursor, struct te_cursor_item *item);

/*
 * From a node into it; from anything past it.  Both leave the cursor before the
 * next item, wherever that is.
 */
int te_cursor_descend(struct te_cursor *cursor);
void te_cursor_step(struct te_cursor *cursor);

/* The same after `next` of the top node was moved by hand: leaves it when used up. */
void te_cursor_settle(struct te_cursor *cursor);

/* True before an entry. */
static inline bool te_cursor_in_leaf(struct te_cursor *cursor)
{
	return cursor->depth && te_cursor_top(cursor)->node.leaf;
}

/* Descends to the next entry: 1 with the item filled, 0 at the end, or -errno. */
int te_cursor_entry(struct te_cursor *cursor, struct te_cursor_item *item);

#endif
