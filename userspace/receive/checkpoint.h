/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A receive's place, kept in its target.
 *
 * The metadata builder writes blocks from 1 up.  So the last blocks of the metadata
 * device are free until it comes there, and hold
 *
 *	beginning	what never changes: BEGIN, CATALOG, what was chosen
 *	two slots	the place, and the state of those who build; each write goes
 *			to the slot that is not the newest
 *
 * and block 0, where the superblock will be, says where they are.  It is no thin
 * pool's superblock, nor zeros: a pool activated by mistake is refused, where zeros
 * would be formatted.
 *
 * Order.  Data on disk, then the nodes, then the slot, each flushed before the next is
 * written; nothing that a slot tells of is written again but with the same bytes.  So
 * a power cut at any time leaves the older slot good, or both.  Block 0 is written once,
 * when the first slot is on disk: a target without a checkpoint has zeros there.
 *
 * Room.  The size of all this follows from the number of volumes and the depth of a
 * tree, not from what the stream says in them.  When the builder comes to need the
 * blocks it takes them, and block 0 becomes zeros before that (te_store_append): the
 * pool may be as large as it ever could, only the end of such a receive is not kept.
 *
 * When the superblock replaces block 0 the pool is there, and the rest is free blocks.
 */
#ifndef TE_CHECKPOINT_H
#define TE_CHECKPOINT_H

#include "base/pack.h"

struct te_checkpoint {
	int fd;				/* of the metadata device */
	const char *name;
	u64 first;			/* block where the beginning starts; 0: there is no room */
	u64 beginning_blocks;
	u64 slot_blocks;
	u64 nonce;			/* tells records from those of an earlier receive */
	u64 counter;			/* of the newest slot; 0: none is written */
};

/*
 * Plans the blocks for contents of at most so many bytes, on a device of nr_blocks
 * of which the pool needs `least`.  `first` is 0 when they do not fit.
 */
void te_checkpoint_plan(struct te_checkpoint *checkpoint, int fd, const char *name, u64 nr_blocks,
			u64 least, size_t beginning_bytes, size_t slot_bytes);

/* What the slot tells of is on disk.  0, and then so is the slot; or -errno after one sentence. */
int te_checkpoint_write(struct te_checkpoint *checkpoint, const struct te_pack *beginning,
			const struct te_pack *slot);

/* Does block 0 say that there is one? */
bool te_checkpoint_is_there(int fd);

/*
 * Reads the beginning and the newest good slot of a device of nr_blocks; both packs'
 * bytes are the caller's to free.  0, or -errno after one sentence.
 */
int te_checkpoint_read(struct te_checkpoint *checkpoint, int fd, const char *name, u64 nr_blocks,
		       struct te_pack *beginning, struct te_pack *slot);

/* Zeros over all of it but block 0, when the pool is there: old names lie nowhere. */
void te_checkpoint_wipe(const struct te_checkpoint *checkpoint);

#endif
