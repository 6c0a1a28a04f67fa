/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pools made up for the tests: the metadata of a random history, as dm-thin would
 * have left it.
 *
 * The trees are kept in the image itself and changed by copy on write, with a
 * reference count a node and a data block, so that nodes are shared just as
 * dm-thin shares them: a snapshot takes over the root, a write copies the way
 * down, a leaf is between a third and completely full.  te_gen_finish adds the
 * top level, the details and the space maps, and thin_check has nothing to say.
 *
 * This shares no line with the command's own builder: the one is there to judge
 * the other.  It ends the program on errors: no memory, no room in the pool.
 */
#ifndef TE_GENERATE_H
#define TE_GENERATE_H

#include <thinexport/thin_disk.h>
#include "core/reader.h"

struct te_gen_volume {
	u32 id;
	u32 creation_time;
	u32 snapshotted_time;
	bool halve;			/* splits full nodes without asking the neighbours */
	u64 root;
	u64 mapped_blocks;
	u64 transaction_id;
	u64 virtual_blocks;		/* what its writes keep below */
};

struct te_gen {
	struct te_reader reader;	/* of the image, for the core; after te_gen_finish */

	/* Metadata image: mapped from the file, or memory. */
	int fd;				/* -1: memory */
	char *image;
	u64 nr_metadata_blocks;		/* set by te_gen_finish when 0 */
	u64 most_metadata_blocks;
	u64 next_metadata_block;	/* never used from here on */
	u32 *metadata_refs;
	u64 *free_blocks;		/* used once, now free */
	u64 nr_free_blocks, room_free_blocks;

	u64 nr_data_blocks;		/* set by te_gen_finish when 0 */
	u64 most_data_blocks;
	u64 next_data_block;		/* where the search for a free one goes on */
	u64 end_data_block;		/* none was used from here on */
	u32 *data_refs;

	u32 block_sectors;
	u32 time;
	u64 transaction_id;
	u64 held_root;
	u64 random;			/* state */

	struct te_gen_volume *volumes;	/* in no order; te_gen_finish sorts them by id */
	size_t nr_volumes, room_volumes;
	u8 *ids_used;			/* a bit each, now or earlier */
};

/*
 * A new pool.  fd: of the metadata image, truncated here, or -1 for memory.
 * Sizes of 0: as large as needed.
 */
struct te_gen *te_gen_create(int fd, u64 nr_metadata_blocks, u64 nr_data_blocks,
			     u32 block_sectors, u64 seed);
void te_gen_destroy(struct te_gen *gen);

/* Single steps of a history.  Indices are into gen->volumes. */
size_t te_gen_thin(struct te_gen *gen, u32 id, u64 virtual_blocks);
size_t te_gen_snapshot(struct te_gen *gen, size_t origin, u32 id);
void te_gen_delete(struct te_gen *gen, size_t index);	/* the last takes its place */
void te_gen_write(struct te_gen *gen, size_t index, u64 virtual_block, u64 count);
void te_gen_discard(struct te_gen *gen, size_t index, u64 virtual_block, u64 count);
void te_gen_hold(struct te_gen *gen);			/* reserve_metadata_snap */

/* Writes everything up to the superblock; only then the image is a pool. */
void te_gen_finish(struct te_gen *gen);

/* A random history. */
struct te_gen_history {
	u64 nr_mappings;		/* first written, over all volumes */
	u32 nr_volumes;			/* thin volumes to begin with */
	u32 nr_snapshots;
	u32 nr_devices;			/* more: snapshots of one empty volume */
	double change;			/* of a volume, after each snapshot: 0.01 is 1 % */
	u32 run;			/* mean length of a write, blocks */
	double scatter;			/* part of the changes that are single blocks */
	double discards;		/* chance of one after each snapshot */
	double deletes;			/* likewise */
	bool far;			/* virtual blocks all over what a device can have */
	bool odd;			/* also empty volumes and volumes of one block */
	bool hold;			/* a metadata snapshot at some moment */
};

void te_gen_history(struct te_gen *gen, const struct te_gen_history *history);

u64 te_gen_random(struct te_gen *gen, u64 below);
u32 te_gen_new_id(struct te_gen *gen);			/* one never used */

/*
 * Content of a data block, a function of seed and number: half noise, half
 * repetition.  Of each hundred blocks `zeros` are zero: false, buf untouched.
 */
bool te_gen_content(u64 seed, u64 block, u32 zeros, void *buf, size_t bytes);

#endif
