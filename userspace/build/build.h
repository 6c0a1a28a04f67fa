/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building a new pool's metadata.
 *
 * Volumes come one after another, each as an ascending sequence of pieces: new
 * mappings, or "as volume X has it here".  A piece of the second kind takes
 * over X's nodes whole wherever they lie inside it, internal ones too, and
 * copies only the edges; so what volumes shared they share again, and a snapshot
 * costs the nodes on the way to what it changed.
 *
 * Reference counts are not kept on the way: when all trees stand, the metadata
 * is read once in order and counted.  The superblock is written last, by
 * te_build_commit alone; before that the device is no pool.
 *
 * A volume may be dropped: built like any other, so that later ones share what
 * they took over from it, but neither counted nor listed.  The nodes and blocks
 * that it alone has are then free in the space maps.
 *
 * Times.  Every mapping gets one of two: SHARED_TIME (0) when several volumes
 * have its block, else the pool's own time, which is also every volume's
 * snapshotted_time.  dm-thin takes a mapping that is older than the volume's
 * snapshotted_time for shared and copies on write, so it copies just what is
 * shared.  A piece that takes over a mapping not marked shared is refused:
 * -EBADMSG.
 */
#ifndef TE_BUILD_H
#define TE_BUILD_H

#include "base/pack.h"

struct te_build;

struct te_build_pool {
	u32 block_sectors;
	u64 nr_data_blocks;		/* of the target's data device */
	u64 nr_metadata_blocks;		/* of the target's metadata device */
	u64 transaction_id;
	u32 time;			/* > every volume's creation_time, < 2^24 */
	u64 kept_from;			/* metadata blocks from here on are left alone as long
					 * as others are free; 0: none are */
};

struct te_build_volume {
	u32 dev_id;
	u64 transaction_id;
	u32 creation_time;
	bool dropped;			/* there for later ones to take over from, and
					 * no volume of the pool; its id does not count */
};

/*
 * fd: the metadata device or file, readable and writable, exclusively ours; name
 * for messages.  Calls return 0 or -errno after one sentence on stderr;
 * -ENOSPC when the metadata device is too small.
 */
struct te_build *te_build_create(int fd, const char *name, const struct te_build_pool *pool);
void te_build_destroy(struct te_build *build);

/*
 * The state between two calls.  Nodes are never rewritten, so it is what is not in
 * them yet: the trees' roots, and the right edge of the one that is arriving.
 * te_build_save first has all that stands on disk.  te_build_go_on reads the nodes,
 * which must be whole and such as this builder makes.
 */
int te_build_save(struct te_build *build, struct te_pack *state);
size_t te_build_most_state(u64 nr_volumes);		/* bytes */
struct te_build *te_build_go_on(int fd, const char *name, const struct te_build_pool *pool,
				struct te_pack *state);
int te_build_load(struct te_build *build, struct te_pack *state);	/* its part */

/* False once the blocks that were left alone had to be taken. */
bool te_build_leaves_alone(const struct te_build *build);

/* Where the next data block may be, at least. */
u64 te_build_next_pool(const struct te_build *build);

int te_build_volume_begin(struct te_build *build, const struct te_build_volume *volume);

/*
 * [virtual_block, + count) -> [pool_block, + count).  Pool blocks ascend over all
 * calls for all volumes, as blocks are placed: so none is given twice, and each
 * has one mark.
 */
int te_build_map(struct te_build *build, u64 virtual_block, u64 pool_block, u64 count,
		 bool shared);

/* [virtual_block, + count) as the volume that was begun as the index-th has it. */
int te_build_copy(struct te_build *build, u32 index, u64 virtual_block, u64 count);

/* *mapped: how many blocks the volume now maps. */
int te_build_volume_end(struct te_build *build, u64 *mapped);

/* Counts, space maps, details, top level: all written, the superblock not. */
int te_build_finish(struct te_build *build);

/* After the data and all of the above is on disk: the superblock, and fsync. */
int te_build_commit(struct te_build *build);

/* Metadata blocks used, and data blocks that a volume of the pool maps (after finish). */
u64 te_build_used_blocks(const struct te_build *build);
u64 te_build_used_data_blocks(const struct te_build *build);

/*
 * Fewest metadata blocks that such a pool needs, everything packed and shared: a
 * device below it cannot do, and is refused before anything is written.
 * nr_mappings: distinct pool blocks.
 */
u64 te_build_estimate(u64 nr_data_blocks, u64 nr_metadata_blocks, u64 nr_volumes,
		      u64 nr_mappings);

#endif
