/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Volumes of a pool: top level of the mapping tree beside the details tree. */
#ifndef TE_DETAILS_H
#define TE_DETAILS_H

#include "btree.h"
#include "superblock.h"

struct te_details {
	u32 dev_id;
	u64 root;			/* of its mapping tree */
	u64 mapped_blocks;
	u64 transaction_id;
	u32 creation_time;
	u32 snapshotted_time;
};

/* One volume.  -ENODATA with TE_FAULT_NO_VOLUME or _NO_DETAILS when absent. */
int te_details_find(struct te_reader *reader, const struct te_superblock *sb,
		    u32 dev_id, struct te_details *details, struct te_fault *fault);

/*
 * All volumes, ascending by id, to each(context, details); its non-zero result
 * ends the call.  A volume that only one of the two trees has is an error.
 */
int te_details_each(struct te_reader *reader, const struct te_superblock *sb,
		    int (*each)(void *context, const struct te_details *details),
		    void *context, struct te_fault *fault);

#endif
