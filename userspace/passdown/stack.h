/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies between a pool's data device and what takes its discards: linear maps
 * (a logical volume over one or several physical ones), down to passdown devices.
 */
#ifndef TE_STACK_H
#define TE_STACK_H

#include "passdown/shim.h"

/* A part of the pool's data, in sectors. */
struct te_piece {
	u64 start, sectors;		/* of the pool's data device */
	long shim;			/* of stack->shims, or -1: no passdown below */
	u64 below;			/* where it lies on that */
};

struct te_stack {
	struct te_piece *pieces;	/* ascending by passdown, and there by place; -1 first */
	size_t nr_pieces;
	struct te_shim *shims;
	size_t nr_shims;
	char barrier[64];		/* what is below where no passdown is: "md127", "raid (vg-lv)" */
};

/* The stack under a data device.  -errno after one sentence. */
int te_stack_read(const struct te_pool *pool, struct te_stack *stack);
void te_stack_exit(struct te_stack *stack);

/* True when both are the same map to the same devices. */
bool te_stack_same(const struct te_stack *a, const struct te_stack *b);

#endif
