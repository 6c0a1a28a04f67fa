/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Metadata made block by block in memory: good blocks to begin with, so that a
 * test alters the one thing it is about.
 */
#ifndef TE_TEST_BLOCKS_H
#define TE_TEST_BLOCKS_H

#include <thinexport/thin_disk.h>
#include "core/btree.h"
#include "core/superblock.h"

/* A reader of an array.  It counts, and does what its fields ask for. */
struct blocks {
	struct te_reader reader;
	char *bytes;
	u64 nr_gets;
	long nr_held;			/* got and not yet put; 0 after every call */
	u64 unreadable;			/* this block: -EIO; ~0 none */
	u64 interrupt_after;		/* this many gets; ~0 never */
	u64 prefetched;			/* blocks hinted */
	u64 nr_hints;
	u32 *read;			/* how often each was got */
};

struct blocks *blocks_new(u64 nr);
void blocks_free(struct blocks *blocks);
void *blocks_at(struct blocks *blocks, u64 block);

/* Makes an empty node; its entries are added in order. */
struct thin_disk_node *blocks_node(struct blocks *blocks, u64 block, bool leaf,
				   u32 value_bytes);
void node_add(struct thin_disk_node *node, u64 key, u64 value);		/* 8 bytes */
void node_add_bytes(struct thin_disk_node *node, u64 key, const void *value);

/* Checksums made right. */
void node_seal(struct thin_disk_node *node);
void superblock_seal(struct thin_disk_superblock *sb);

/*
 * A good superblock in block 0: 1000 data blocks of 64 KiB, mapping tree at 1,
 * details at 2.
 */
struct thin_disk_superblock *blocks_superblock(struct blocks *blocks);

/* An internal node of these children at these keys, sealed. */
struct thin_disk_node *blocks_parent(struct blocks *blocks, u64 block, u32 nr,
				     const u64 *keys, const u64 *children);

/* A leaf with keys first, first + 1, ... mapped to 1000 + key, sealed. */
struct thin_disk_node *blocks_leaf(struct blocks *blocks, u64 block, u64 first, u32 nr);

#endif
