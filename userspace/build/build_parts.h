/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of the metadata builder: store, tree, count, space maps.  Private to
 * the build*.c; the rest of the command sees build.h.
 */
#ifndef TE_BUILD_PARTS_H
#define TE_BUILD_PARTS_H

#include <thinexport/thin_disk.h>
#include "core/btree.h"
#include "build/build.h"

/*
 * The store: the new metadata's blocks, each written once, in order.
 *
 * Blocks are appended through one buffer and so reach the device as large
 * sequential writes; nothing is ever rewritten but block 0, which holds zeros
 * until the superblock.  A crash before that leaves blocks nobody points to.
 * What was written is read back through a small cache, its checksum tested: a
 * device that lies is found before the pool is declared good.  What a buffer
 * and a cache of fixed size cannot hold, the kernel's page cache does.
 */
#define TE_STORE_BUFFER_BLOCKS	256u	/* appended together: 1 MiB */
#define TE_STORE_CACHE_BLOCKS	2048u	/* 8 MiB */

struct te_store {
	int fd;
	const char *name;
	u64 nr_blocks;			/* of the device */
	u64 kept_from;			/* blocks from here on hold a checkpoint, until needed */
	u64 next;			/* block that the next append gets */
	u64 buffer_first;		/* block at the buffer's start */
	u32 buffer_blocks;
	u8 *buffer;
	u8 *cache;			/* direct mapped by block number */
	u64 *cached;			/* block in each place, 0: none */

	/*
	 * Of each block that is a node of a mapping tree: the mappings below it,
	 * and whether all of them are marked shared.  Known when the node is
	 * written, asked when it is taken over whole.
	 */
	u32 *summary;
};

#define TE_SUMMARY_SHARED	(1u << 31)
#define TE_SUMMARY_MAPPINGS	(TE_SUMMARY_SHARED - 1)

int te_store_init(struct te_store *store, int fd, const char *name, u64 nr_blocks);
void te_store_exit(struct te_store *store);

/* When the last mapping tree stands: gives their memory back. */
void te_store_forget_summaries(struct te_store *store);

/*
 * Writes the 4 KiB at `data` to the next block, whose number it gets, with a
 * checksum of its kind (THIN_..._CSUM_XOR): all kinds keep both at one place.
 */
int te_store_append(struct te_store *store, void *data, u32 csum_xor, u64 *block);

/* Goes on behind [1, next), which stand. */
void te_store_go_on(struct te_store *store, u64 next);

/* All that was appended is the device's, so that te_store_read_many sees it. */
int te_store_flush(struct te_store *store);

/* A block as it was appended; valid until the next call.  NULL after one sentence. */
const void *te_store_read(struct te_store *store, u64 block, u32 csum_xor);

/* [first, first + count) into `to`, flushed before, unchecked. */
int te_store_read_many(struct te_store *store, u64 first, u64 count, void *to);

/* 0, or -EIO after one sentence. */
int te_store_check(const struct te_store *store, const void *data, u64 block, u32 csum_xor);

/* Block 0, past all buffers. */
int te_store_write_superblock(struct te_store *store, const void *data);

/* All that was appended is on disk. */
int te_store_sync(struct te_store *store);

/* The same, and what is read next comes from the device, not from the page cache. */
int te_store_settle(struct te_store *store);

/*
 * A tree that grows at its right edge.
 *
 * Each level keeps the node that is being filled and, held back, the one before
 * it; a node goes up as an entry of the next level only when its right
 * neighbour is known to be large enough.  So when a node must end early - a
 * whole node of another volume follows, or the tree ends - and would be under a
 * third full, which dm-thin allows to roots only, there is a neighbour to merge
 * or balance it with.  Where none is held, the node that follows is broken
 * open, or, at the tree's end, the last one is taken back from above; what that
 * orphans counts as free.
 *
 * Whole nodes of earlier volumes are put in at their level by te_tree_copy.  A
 * node written here that comes out just as one that was opened for copying is
 * not written: that one is used again.
 */
struct te_tree_node {
	u64 block;			/* where it stands already, 0: nowhere */
	u64 key;			/* first key; with `block` alone the entries may be absent */
	u32 nr;
	bool loaded;
	union {
		struct thin_disk_node disk;
		u8 bytes[THIN_METADATA_BLOCK_BYTES];
	};
};

#define TE_TREE_CANDIDATES	4

struct te_tree_level {
	struct te_tree_node *current;	/* being filled */
	struct te_tree_node *held;	/* complete, before `current` */
	struct te_tree_node *open;	/* of another volume, being copied from */
	bool has_held;
	u64 candidates[TE_TREE_CANDIDATES];	/* opened here lately */
	u32 candidate;
};

struct te_tree {
	struct te_store *store;
	u32 value_bytes;		/* in its leaves */
	bool mappings;			/* the values are mappings: keep summaries */
	bool lone;			/* nothing but another volume's whole small root */
	bool empty;
	u64 last_key;			/* no key is above; of the last put in */
	u64 first_key;
	struct te_tree_level level[TE_BTREE_MAX_DEPTH];
};

/* What a finished tree is. */
struct te_tree_root {
	u64 block;
	u32 level;			/* of the root: 0 for a leaf */
	u32 nr_entries;			/* in the root */
	u64 first_key;
	u64 last_key;			/* no key is above */
};

int te_tree_init(struct te_tree *tree, struct te_store *store, u32 value_bytes, bool mappings);
void te_tree_exit(struct te_tree *tree);

/* Forgets all, to build the next. */
void te_tree_reset(struct te_tree *tree);

/* Keys ascend. */
int te_tree_push(struct te_tree *tree, u64 key, const void *value);

/* `count` entries of mappings at once: keys ascend by one, values by `step`. */
int te_tree_push_run(struct te_tree *tree, u64 key, u64 value, u64 step, u64 count);

/*
 * All that the mapping tree `source` has in [from, to).  -EBADMSG, silent, when
 * a mapping there is not marked shared; *where is then a block of it.
 */
int te_tree_copy(struct te_tree *tree, const struct te_tree_root *source, u64 from, u64 to,
		 u64 *where);

int te_tree_finish(struct te_tree *tree, struct te_tree_root *root);

/* Most entries of a node whose values have so many bytes. */
u32 te_tree_max_entries(u32 value_bytes);

/* What a value of this level has, and how many entries a node: build_node.c. */
u32 te_tree_value_bytes(const struct te_tree *tree, u32 level);
u32 te_tree_room(const struct te_tree *tree, u32 level);

/* Fills in the entries of a node that stands already. */
int te_tree_fill(struct te_tree *tree, u32 level, struct te_tree_node *node);

/* Of a node of mappings, from its values. */
u32 te_tree_summary(const struct te_tree *tree, u32 level, const __le64 *values, u32 nr);

/* Gives the node a block, unless it has one. */
int te_tree_write(struct te_tree *tree, u32 level, struct te_tree_node *node);

/*
 * For build_copy.c.  Entry `i` of a node that is loaded; its value as a block; a
 * node that stands already, loaded into `node`.
 */
u32 te_tree_min_entries(const struct te_tree *tree, u32 level);
void *te_tree_value(const struct te_tree *tree, u32 level, struct te_tree_node *node, u32 i);
u64 te_tree_child(const struct te_tree *tree, u32 level, struct te_tree_node *node, u32 i);
int te_tree_load(struct te_tree *tree, u32 level, struct te_tree_node *node, u64 block);

/* Puts in a whole node that stands already, behind all there is. */
int te_tree_push_whole(struct te_tree *tree, u32 level, u64 first_key, u64 last_key, u64 block);

/* Starts a tree with another's root that is too small to be anything but a root. */
void te_tree_hold_lone(struct te_tree *tree, const struct te_tree_root *source);

/*
 * Reference counts, found by reading what was written.
 *
 * A block of metadata counts once for each pointer to it; a data block once for
 * each leaf entry that maps it, so a leaf that many volumes share counts its
 * blocks once, as in dm-thin.  Nodes stand behind their children, so one
 * pass from the last to the first meets every node after all that point to
 * it, and those that nothing points to are left out.
 *
 * Data counts stand as two bits a block just as a bitmap on disk has them.  For
 * the blocks that are mapped more than twice the leaves are read again, in
 * windows of TE_COUNT_WINDOW such blocks.
 */
#define TE_COUNT_WINDOW		(4u << 20)

struct te_counts {
	u32 *metadata;			/* by block */
	u64 nr_metadata;		/* entries of it */
	u64 counted;			/* blocks below this stand with their counts */
	__le64 *data;			/* two bits a block, as on disk */
	u64 nr_data;
	u64 nr_data_used;		/* blocks that count at all */
	u64 nr_many;			/* blocks that count more than twice */
};

/* Of the mapping nodes [1, end), from the roots.  One sentence on error. */
int te_counts_take(struct te_counts *counts, struct te_store *store, u64 end,
		   const u64 *roots, size_t nr_roots, u64 nr_data_blocks);

/* The data blocks that count more than twice, ascending, with their counts. */
int te_counts_each_many(struct te_counts *counts, struct te_store *store, u64 end,
			int (*each)(void *context, u64 block, u32 count), void *context);

void te_counts_exit(struct te_counts *counts);

/* The space maps; each fills its root for the superblock. */
int te_space_map_data(struct te_store *store, struct te_counts *counts, u64 mapping_end,
		      struct thin_disk_space_map_root *root);

/* Must be last: what is appended after it is not counted. */
int te_space_map_metadata(struct te_store *store, struct te_counts *counts,
			  struct thin_disk_space_map_root *root);

/* Blocks that a metadata device of so many blocks spends on its own map. */
u64 te_space_map_metadata_blocks(u64 nr_metadata_blocks);

/* What has come of the pool so far: build.c's, and build_state.c's. */
struct te_build_tree {
	u32 dev_id;
	u32 creation_time;
	u64 transaction_id;
	u64 mapped_blocks;
	bool dropped;
	struct te_tree_root tree;
};

struct te_build {
	struct te_build_pool pool;
	struct te_store store;
	struct te_tree tree;		/* of the volume that is arriving */
	struct te_build_tree *volumes;	/* in order of arrival; the last is the arriving one */
	size_t nr_volumes;
	size_t room;
	bool arriving;
	u64 next_virtual;		/* the next piece starts here or behind */
	u64 next_pool;			/* so do new pool blocks: none is given twice */
	u8 *ids;			/* bit map of device ids in use */
	u64 used_blocks;
	u64 used_data_blocks;
	struct thin_disk_superblock superblock;
};

/* Room for one more volume, whose device id, unless it is dropped, was not in use. */
struct te_build_tree *te_build_add_volume(struct te_build *build, u32 dev_id, bool dropped);

#endif
