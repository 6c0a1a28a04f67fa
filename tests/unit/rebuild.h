/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pool's metadata built anew from what the plan says of it, without its data. */
#ifndef TE_REBUILD_H
#define TE_REBUILD_H

#include "core/seam.h"

struct te_rebuilt {
	u64 source_blocks;		/* metadata blocks that the source uses */
	u64 used_blocks;		/* and that the new one uses */
	u64 nr_mappings;		/* over all volumes */
	u64 provisioned_blocks;
	size_t nr_volumes;
	double build_seconds;		/* from te_build_create to te_build_commit */
	double build_cpu_seconds;	/* of the processor, ours and the kernel's */
};

/* From metadata and data image to the metadata image `to`, made here.  0 or -errno. */
int te_rebuild(const char *metadata, const char *data, const char *to,
	       struct te_rebuilt *rebuilt);

/*
 * True when the data space map of the image counts each block as often as leaf
 * entries map it: found by walking the trees, once for each leaf.  thin_check 0.9
 * does not look at this.  Says on stdout what is wrong.
 */
bool te_data_counts_are_true(const char *image);

#endif
