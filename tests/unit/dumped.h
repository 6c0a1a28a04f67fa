/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What thin_dump says of a pool: the reference for what we say of it. */
#ifndef TE_DUMPED_H
#define TE_DUMPED_H

#include "core/seam.h"

struct dumped_mapping {
	u64 virtual_block;
	u64 pool_block;
};

struct dumped_volume {
	u32 id;
	struct dumped_mapping *mappings;	/* ascending */
	size_t nr, room;
};

struct dumped {
	u64 nr_data_blocks;
	struct dumped_volume *volumes;		/* as dumped: ascending by id */
	size_t nr_volumes;
};

/* Runs thin_dump on a metadata image; ends the program when that fails. */
struct dumped *dumped_read(const char *path);
void dumped_free(struct dumped *dumped);

/* Runs thin_restore of an XML text onto a metadata image that has room for it; likewise. */
void dumped_restore(const char *xml, const char *path);

#endif
