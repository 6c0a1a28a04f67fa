/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which earlier volume has a pool block at a virtual block.
 *
 * Asked for a mapping that a volume shares entry by entry, in a leaf of its own:
 * its neighbours in the leaf mostly have the same answer.  So the volume that
 * was right last is asked first, then the others from the one that was right
 * most recently, at first the latest; and the leaves last looked into are kept.
 */
#ifndef TE_SHARER_H
#define TE_SHARER_H

#include "core/btree.h"
#include "send/plan.h"

struct te_sharer;

/* NULL: no memory. */
struct te_sharer *te_sharer_create(const struct te_plan *plan);
void te_sharer_destroy(struct te_sharer *sharer);	/* NULL is fine */

/* From now on the volumes before `index` are asked; ascending, 0 starts afresh. */
void te_sharer_begin(struct te_sharer *sharer, size_t index);

/* Lets go of the nodes it holds. */
void te_sharer_release(struct te_sharer *sharer);

/* The index of a volume that maps virtual_block to pool_block; -ENODATA when none does. */
int te_sharer_find(struct te_sharer *sharer, u64 virtual_block, u64 pool_block, u32 *index,
		   struct te_fault *fault);

#endif
