/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bounded walk over one btree: depth first, in key order, on an explicit
 * stack, every node checked.
 */
#ifndef TE_WALK_H
#define TE_WALK_H

#include "cursor.h"

enum te_visit {
	TE_VISIT_DESCEND	= 0,
	TE_VISIT_SKIP		= 1,	/* leave this node and all below it */
};

struct te_walk_ops {
	/*
	 * Before a node is read: `level` counts from 0 at the root, `range` is
	 * what its keys must lie in.  te_visit, or -errno to end the walk.  May be
	 * NULL (always descend).  To visit shared nodes once, mark them here.
	 */
	int (*enter)(void *context, u64 block, unsigned int level, struct te_range range);

	/* A checked leaf (its keys in order).  0 or -errno. */
	int (*leaf)(void *context, const struct te_node *leaf, struct te_range range);

	/* After all below an internal or leaf node was walked; may be NULL. */
	int (*leave)(void *context, u64 block, unsigned int level, struct te_range range);

	/*
	 * Whether a node that comes later, at key `low` in its parent, will be
	 * entered, so that no node is prefetched only to be skipped.  May be NULL
	 * (all will).
	 */
	bool (*wanted)(void *context, u64 block, u64 low);
};

/*
 * Walks the tree at `root` whose leaves hold value_bytes.  Holds a stack of
 * TE_BTREE_MAX_DEPTH nodes inside `walk` (allocate it; it is too large for a
 * kernel stack).  All leaves must lie at one depth and no node be its own
 * ancestor.  Returns 0, what a callback returned, -EINTR, or as te_node_check.
 */
struct te_walk {
	struct te_reader *reader;
	const struct te_walk_ops *ops;
	void *context;
	u32 value_bytes;
	struct te_fault *fault;
	struct te_cursor cursor;	/* the walk's own; needs no filling in */
};

int te_walk_tree(struct te_walk *walk, u64 root, struct te_range range);

#endif
