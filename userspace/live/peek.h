/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A look at the metadata of an active pool: its superblock and its volumes, as
 * last committed, or as its metadata snapshot has them.
 *
 * Nothing holds the committed state still while it is read.  What was read is
 * taken when the superblock is the same before and after; a pool that commits
 * faster than that is read until a try meets no damaged block: dm-thin reuses a
 * block one commit after it was freed at the earliest, so such a picture is a
 * moment old at most.  Callers check what they do on it by other means.
 */
#ifndef TE_PEEK_H
#define TE_PEEK_H

#include "core/details.h"
#include "live/dm.h"

struct te_peek {
	struct te_superblock sb;
	struct te_details *volumes;	/* ascending by id */
	size_t nr_volumes;
};

/* 0 or -errno after one sentence. */
int te_peek_pool(const struct te_pool *pool, bool held, struct te_peek *peek);
void te_peek_free(struct te_peek *peek);

/* NULL when the pool has no such volume. */
const struct te_details *te_peek_find(const struct te_peek *peek, u32 dev_id);

#endif
