/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A view: what target_view.c serves, and view_walk.c finds in the pool's metadata. */
#ifndef TE_KERNEL_VIEW_H
#define TE_KERNEL_VIEW_H

#include <linux/atomic.h>
#include <linux/device-mapper.h>

#include <thinexport/view.h>
#include "core/layout.h"
#include "core/reach.h"

#define DM_MSG_PREFIX "thinexport"

/*
 * A view.
 *
 * The constructor does all the work: it walks the trees of the volumes that the
 * table names and keeps two bitmaps, of the metadata blocks it reached and of
 * the data blocks these map.  Bitmaps, header and volume table are served from
 * memory; any other byte belongs to the n-th set bit of one of the bitmaps, and a
 * read of it goes to that block of the pool's own device, uncopied.  Nothing
 * here changes after the constructor but the two counters, so the way of a bio
 * takes no lock, sleeps nowhere and allocates nothing.
 *
 * What keeps the blocks from changing below us is not the view but its pins: an
 * open thin device cannot be deleted, and a thin device that is not written
 * keeps its nodes and its data blocks, as everybody else who shares them copies
 * before writing.  A volume in use is pinned by a snapshot of it, of the moment of
 * the metadata snapshot, when both have one root.  That a pin is read-only and has
 * the mappings of its volume is the duty of whoever loads the table; the pool
 * offers no way to ask.
 *
 * There is nothing on disk and nothing to lose: after a crash the table is
 * loaded anew.
 *
 * Cost: a bit for every block of the pool and of its metadata, 1/32 of that for
 * the directories, 80 bytes a volume; no more however many mappings, snapshots
 * or runs there are.  The price is a search in the directory for each bio.
 */
struct te_view {
	struct dm_dev *metadata_dev;
	struct dm_dev *data_dev;
	bool superblock_root;		/* else the metadata snapshot's */

	struct te_view_source {		/* ascending by id */
		struct dm_dev *pin;	/* or NULL */
		u32 dev_id;
	} *volumes;
	unsigned int nr_volumes;

	u32 data_block_sectors;
	u64 transaction_id;

	/* The parts that are served from memory, as a reader gets them. */
	struct te_view_header *header;
	struct te_view_volume *table;
	struct te_reach reach;
	struct te_layout layout;

	atomic64_t reads;		/* bios mapped */
	atomic64_t errors;		/* of them, failed by the devices below */
};

/*
 * Both take a target whose view (ti->private) has its devices, volumes and the
 * memory of table and header; may block; give 0, or -errno with ti->error set.
 *
 * The first walks the volumes' trees: geometry, volume table and the bitmaps of
 * view->reach, which the caller frees, also on failure.  A fatal signal ends it.
 * The second, after it, indexes the bitmaps, finds each part's place and builds
 * the header.
 */
int te_view_walk(struct dm_target *ti);
int te_view_lay_out(struct dm_target *ti);

#endif
