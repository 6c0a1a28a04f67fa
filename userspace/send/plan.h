/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan: in which order the volumes of a source go into a stream, which
 * earlier one each is told from, and what each one's ops are.
 *
 * Survey (survey.h).  All trees are walked: which blocks are mapped at all, which
 * by several leaves, which nodes stand in several places, each node's newest
 * mapping time.  A volume's newest
 * is the age of its state, whatever its id or name.
 *
 * Order.  By that age, then creation time, then id: a snapshot comes before what
 * its origin became later.  Each node is owned by the first volume, in this order,
 * that has it.  A volume's parent is the latest owner among those of the nodes it
 * shares: nodes are shared by descent only, so this is its nearest forebear.
 * Nothing here depends on block numbers or on snapshots taken meanwhile: the same
 * pool state gives the same plan, live or not.
 *
 * Ops.  The difference of the volume's tree to its parent's (core/diff.h).  A
 * node that an earlier volume X owns becomes one SHARE of its content's range
 * with X.  A mapping whose block was sent before is a SHARE with the volume
 * that has it there (sharer.h); when none has (metadata made by hand), it is sent
 * again and counted.
 *
 * A plan reads metadata alone, and the same ops come as often as they are
 * asked for.  So all is measured before the first byte is sent: sizes
 * are exact, and broken metadata is found while nothing has been written.
 *
 * Digest.  Of all the ops with their blocks, and of the volumes: the same only for
 * the same moment of the same pool.  What was overwritten in place it does not see.
 *
 * Memory: 2 bits a pool block, 8 bytes a metadata block that is reached.
 */
#ifndef TE_PLAN_H
#define TE_PLAN_H

#include <thinexport/stream.h>
#include "source/source.h"

struct te_plan_volume {
	struct te_volume *volume;
	long parent;			/* index in the plan's order, or -1 */
	u64 mapped_blocks;		/* counted in the tree */
	u64 shared_blocks;		/* of these, with another volume of the plan */
	u64 end_block;			/* last mapped virtual block + 1, or 0 */
	u32 newest_time;
	u64 sent_blocks;		/* what DATA and ZERO of its section carry */
	u64 sent_shared_blocks;		/* of these, that other volumes have too */
	u64 nr_ops;			/* as te_plan_ops gives them */
};

struct te_plan {
	struct te_source *source;
	struct te_plan_volume *volumes;	/* in stream order */
	size_t nr_volumes;
	u64 provisioned_blocks;		/* distinct pool blocks */
	u64 shared_blocks;		/* of these, mapped by several volumes */
	u64 sent_blocks;		/* in all DATA and ZERO */
	u64 resent_blocks;		/* of these, again for want of a SHARE */
	u64 digest;			/* of volumes and ops */
	/* plan.c's own */
	struct te_plan_state *state;
};

/*
 * Surveys, orders and measures; gives volumes whose length nobody knows that of
 * their mappings.  NULL after one sentence on stderr, or, without one, when a signal
 * ended it (te_interrupted).
 */
struct te_plan *te_plan_create(struct te_source *source);
void te_plan_destroy(struct te_plan *plan);	/* NULL is fine */

/* One op in blocks, runs already merged; `pool_block` for DATA only. */
struct te_plan_op {
	enum te_op_kind kind;		/* DATA, SHARE or UNMAP; zeros are found when read */
	bool shared;			/* DATA: other volumes of the plan map it too */
	u64 virtual_block;
	u64 count;
	u64 pool_block;			/* contiguous from here */
	u32 source;			/* SHARE: index in the plan's order */
};

/*
 * The ops of volume `index`, ascending.  To be called for each volume in order;
 * with index 0 it starts afresh.  0, what `op` returned, or -errno after one
 * sentence (none for -EINTR).
 */
int te_plan_ops(struct te_plan *plan, size_t index,
		int (*op)(void *context, const struct te_plan_op *op), void *context);

#endif
