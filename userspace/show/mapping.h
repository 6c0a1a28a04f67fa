/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A volume's mappings looked up in ascending order, and two volumes' compared. */
#ifndef TE_MAPPING_H
#define TE_MAPPING_H

#include "core/cursor.h"

/* Zero it; after init it stands before the volume's first mapping. */
struct te_mapping {
	struct te_cursor cursor;
};

void te_mapping_init(struct te_mapping *mapping, struct te_reader *reader, u64 root,
		     struct te_fault *fault);
void te_mapping_exit(struct te_mapping *mapping);	/* also of a zeroed one */

/*
 * The first mapping at `from` or above: 1 with its virtual and its pool block, 0
 * when there is none, or -errno as te_btree_lookup.  `from` never descends.
 */
int te_mapping_next(struct te_mapping *mapping, u64 from, u64 *virtual_block, u64 *pool_block);

/*
 * Whether the two volumes map virtual blocks [*from, to) to the same pool blocks:
 * 1 the same, 0 not and *from is the first that differs, or -errno.  A node that
 * both have is passed by unread.
 */
int te_mapping_same(struct te_mapping *a, struct te_mapping *b, u64 *from, u64 to);

#endif
