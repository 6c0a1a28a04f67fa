/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan's ops, replayed in a model that knows no trees: each volume a sorted
 * array of mappings, each DATA block a new number.
 */
#ifndef TE_REPLAY_H
#define TE_REPLAY_H

#include "send/plan.h"

/* The receiving side as simply as can be. */
struct block {
	u64 pool_block;			/* it was a copy of */
	bool shared;			/* as its DATA said */
};

struct mapping {
	u64 virtual_block;
	size_t block;			/* index of a struct block */
};

struct model_volume {
	struct mapping *mappings;	/* ascending */
	size_t nr;
};

struct model {
	struct te_plan *plan;
	struct block *blocks;
	size_t nr_blocks, room_blocks;
	struct model_volume *volumes;	/* in the plan's order */
	size_t index;			/* being replayed */
	struct mapping *next;		/* its mappings so far, ascending */
	size_t nr, room;
	size_t parent_at;		/* the parent's mappings before this one are dealt with */
	u64 position;			/* where the last op ended */
	u64 nr_ops;
	const char *wrong;		/* what was found first, or NULL */
};

/* Replays all volumes; what the ops must not be is told in `wrong`. */
struct model *replay_plan(struct te_plan *plan);
void free_model(struct model *model);

#endif
