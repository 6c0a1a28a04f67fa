/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The difference of two mapping trees of one pool.
 *
 * Both are walked together in key order; a node that both have at the same
 * place is left out with all below it, unread.  So the cost is that of what
 * differs, not of what there is.
 */
#ifndef TE_DIFF_H
#define TE_DIFF_H

#include "walk.h"

struct te_diff_ops {
	/*
	 * A node of the new tree that the old has not, before it is descended
	 * into: te_visit, or -errno.  May be NULL.
	 */
	int (*enter)(void *context, u64 block, unsigned int level);

	/*
	 * After TE_VISIT_SKIP, in order with the entries: the node left out
	 * holds the keys `range`, from its first to its last, and no difference
	 * within is reported.  The range is that of its content: what a parent
	 * allows the node can be wider, and then another tree that has the same
	 * node may well have further entries there.  Never called for an empty
	 * node.  May be NULL when `enter` is.
	 */
	int (*skipped)(void *context, u64 block, struct te_range range);

	/*
	 * One virtual block that the two trees map differently, ascending.
	 * Values as in a leaf (block and time); only has_old or has_new says
	 * whether there is one.  Differing only in time is no difference.
	 */
	int (*entry)(void *context, u64 virtual_block, bool has_old, u64 old_value,
		     bool has_new, u64 new_value);
};

struct te_diff;				/* two walks' stacks; opaque */

struct te_diff *te_diff_create(struct te_reader *reader, const struct te_diff_ops *ops,
			       void *context, struct te_fault *fault);	/* NULL: no memory */
void te_diff_destroy(struct te_diff *diff);

/* old_root 0: against an empty tree.  Errors as te_walk_tree. */
int te_diff_run(struct te_diff *diff, u64 old_root, u64 new_root);

#endif
