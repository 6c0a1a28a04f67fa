/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a new pool of a volume group is to be: the sizes of its parts, and what LVM
 * is to know of each volume.
 *
 * Names, device ids, tags, origins, permissions, skip flags, times and transaction ids
 * are those of the stream's catalog, but for what --rename changes.  A volume that has
 * no name there, of a pool that is not LVM's, is called "thin" and its device id.
 * Origins that are not received are forgotten, as LVM does when they are removed.
 */
#ifndef TE_LVM_SHAPE_H
#define TE_LVM_SHAPE_H

#include "lvm/lvm_text.h"
#include "receive/choice.h"

/* Between the pool's name and "data", "metadata" or "spare": plain volumes' names. */
#define TE_LVM_NEW_MARK	".thinexport-"
/* They and the pool, or the volumes that one receives, have it until all is done. */
#define TE_LVM_NEW_TAG	"thinexport.receiving"
/* One of the volumes that a pool has received has it as well when all are complete. */
#define TE_LVM_ARRIVED_TAG	"thinexport.arrived"

/* LVM takes a pool with less for one that has no volumes yet. */
#define TE_LVM_LEAST_TRANSACTION	1u

enum te_lvm_part {
	TE_LVM_DATA,
	TE_LVM_METADATA,
	TE_LVM_SPARE,
	TE_LVM_NR_PARTS,
};

struct te_lvm_new_options {
	const char *path;		/* "VG/POOL" */
	u64 bytes;			/* 0: as the source had */
	u64 metadata_bytes;		/* 0: computed */
	u64 chunk_bytes;		/* 0: as the source's; else must be */
	bool dry;			/* makes nothing, only measures */
};

struct te_lvm_shape {
	const struct te_lvm_new_options *options;
	const struct te_lvm_group *group;
	const char *name;		/* of the pool, in options->path */
	struct te_lvm_lv pool;
	struct te_lvm_lv *volumes;
	size_t nr_volumes;
	u64 extents[TE_LVM_NR_PARTS];	/* 0: not wanted */
	char parts[TE_LVM_NR_PARTS][TE_LVM_NAME_BYTES];	/* names of the plain volumes */
	const struct te_lvm_lv *old_spare;	/* of the group, too small; or NULL */
};

/* Is the pool's name free, and fit?  0, or -errno after one sentence. */
int te_lvm_shape_begin(struct te_lvm_shape *shape, const struct te_lvm_new_options *options,
		       const struct te_lvm_group *group);

/* All of it, from a stream's beginning.  0, or -errno after one sentence. */
int te_lvm_shape_fill(struct te_lvm_shape *shape, const struct te_begin *begin,
		      const struct te_catalog *catalog, const struct te_choice *choice);

/* For the group's text; the shape's own strings. */
struct te_lvm_text_pool te_lvm_shape_text(const struct te_lvm_shape *shape);

/*
 * The group has room for the parts, and for the text: -ENOSPC after a sentence that tells
 * what is missing.
 */
int te_lvm_shape_check_room(const struct te_lvm_shape *shape);

/*
 * The same of volumes for a pool of the group that is there, in place of begin, fill and
 * check_room: its name, then volumes alone.  Device ids and origins will be LVM's.
 */
int te_lvm_shape_begin_into(struct te_lvm_shape *shape, const struct te_lvm_new_options *options,
			    const struct te_lvm_group *group);
int te_lvm_shape_fill_into(struct te_lvm_shape *shape, const struct te_catalog *catalog,
			   const struct te_choice *choice);

void te_lvm_shape_exit(struct te_lvm_shape *shape);

#endif
