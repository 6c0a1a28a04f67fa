/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which virtual blocks of a volume are provisioned, when no metadata of ours tells.
 *
 * A bit a block, in pages that a snapshot has together with its parent until one of
 * them changes: volumes cost what they differ in, and one pointer for each page of 32768
 * blocks.  All maps of a receive have one budget of memory, since what a stream says
 * decides how many pages there are.
 */
#ifndef TE_PROVISIONED_H
#define TE_PROVISIONED_H

#include "core/seam.h"

struct te_provisioned_page;

/* Zeroed: nothing is provisioned. */
struct te_provisioned {
	struct te_provisioned_page **pages;	/* NULL: none of its blocks */
	size_t nr_pages;
	u64 nr_blocks;				/* that are provisioned */
	u64 *budget;				/* bytes that all may still take; the caller's */
};

/* 0, or -ENOMEM, quiet: no memory, or none left of the budget. */
int te_provisioned_copy(struct te_provisioned *to, const struct te_provisioned *from);
int te_provisioned_set(struct te_provisioned *map, u64 block, u64 count);
int te_provisioned_clear(struct te_provisioned *map, u64 block, u64 count);

/* How many of the `count` blocks from `block` on are alike, and whether they are. */
u64 te_provisioned_run(const struct te_provisioned *map, u64 block, u64 count, bool *are);

void te_provisioned_exit(struct te_provisioned *map);

#endif
