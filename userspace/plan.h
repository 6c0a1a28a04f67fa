/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: in which order the volumes of a source go into a stream, which
 * earlier one each is told from, and what each one's ops are.
 *
 * Survey.  All trees are walked once, shared nodes once more at their second
 * owner, so that two bitmaps stand: blocks mapped at all, blocks that several of
 * the volumes map.  Each node's newest mapping time is kept: a volume's newest
 * is the age of its state, whatever its id or name.
 *
 * Order.  By that age, then creation time, then id: a snapshot comes before what
 * its origin became later.  A volume's parent is the latest volume before it
 * that first owned some node which both have: nodes are shared by descent
 * only, so this is its nearest forebear.  Nothing here depends on block
 * numbers or on snapshots taken meanwhile: the same pool state gives the same
 * plan, live or not.
 *
 * Ops.  The difference of the volume's tree to its parent's (core/diff.h).  A
 * node that an earlier volume X first owned becomes one SHARE of its range
 * with X.  A mapping whose block was sent before is a SHARE with the volume
 * that has it there; when none has (metadata made by hand), it is sent again
 * and counted.
 */
#ifndef TE_PLAN_H
#define TE_PLAN_H

#include <thinexport/stream.h>
#include "source.h"

struct te_plan_volume {
	struct te_volume *volume;
	long parent;			/* index in the plan's order, or -1 */
	u64 mapped_blocks;		/* counted in the tree */
	u64 shared_blocks;		/* of these, with another volume of the plan */
	u64 end_block;			/* last mapped virtual block + 1, or 0 */
	u32 newest_time;
};

struct te_plan {
	struct te_source *source;
	struct te_plan_volume *volumes;	/* in stream order */
	size_t nr_volumes;
	u64 provisioned_blocks;		/* distinct pool blocks: what DATA and ZERO will carry */
	u64 shared_blocks;		/* of these, mapped by several volumes */
	u64 resent_blocks;		/* sent again for want of a SHARE; known after the ops */
	/* plan.c's own */
	struct te_plan_state *state;
};

/* Surveys and orders.  NULL after one sentence on stderr. */
struct te_plan *te_plan_create(struct te_source *source);
void te_plan_destroy(struct te_plan *plan);

/* One op in blocks, runs already merged; `pool_block` for DATA only. */
struct te_plan_op {
	enum te_op_kind kind;		/* DATA, SHARE or UNMAP; zeros are found when read */
	bool shared;
	u64 virtual_block;
	u64 count;
	u64 pool_block;			/* contiguous from here */
	u32 source;			/* SHARE: index in the plan's order */
};

/*
 * The ops of volume `index`, ascending.  To be called once for each volume, in
 * order.  0, what `op` returned, or -errno after one sentence.
 */
int te_plan_ops(struct te_plan *plan, size_t index,
		int (*op)(void *context, const struct te_plan_op *op), void *context);

#endif
