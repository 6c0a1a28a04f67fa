/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with the metadata, and where.
 *
 * Every check of the core that fails fills one of these and returns -errno; the
 * core prints nothing.  The module makes ti->error and one log line of it, the
 * command one sentence.
 */
#ifndef TE_FAULT_H
#define TE_FAULT_H

#include "seam.h"

enum te_fault_kind {
	TE_FAULT_NONE = 0,
	TE_FAULT_IO,			/* a block could not be read: found = -errno */
	TE_FAULT_MEMORY,		/* no memory */
	TE_FAULT_INTERRUPTED,		/* a fatal signal, or the caller stopped it */

	TE_FAULT_SB_LOCATION,		/* superblock: block number in it */
	TE_FAULT_SB_MAGIC,
	TE_FAULT_SB_CSUM,
	TE_FAULT_SB_VERSION,
	TE_FAULT_SB_FEATURES,		/* incompat flags not known */
	TE_FAULT_SB_BLOCK_SIZE,		/* data block size out of its range */
	TE_FAULT_SB_METADATA_BLOCK_SIZE,
	TE_FAULT_SB_ROOT,		/* a root outside the metadata device */
	TE_FAULT_SB_DATA_BLOCKS,	/* more data blocks than can be addressed */
	TE_FAULT_NO_HELD_ROOT,		/* no metadata snapshot */

	TE_FAULT_NODE_LOCATION,		/* btree node: block number in it */
	TE_FAULT_NODE_CSUM,
	TE_FAULT_NODE_FLAGS,		/* neither internal nor leaf, or both */
	TE_FAULT_NODE_VALUE_SIZE,
	TE_FAULT_NODE_MAX_ENTRIES,
	TE_FAULT_NODE_NR_ENTRIES,	/* more than max_entries, or an empty internal node */
	TE_FAULT_NODE_KEY_ORDER,	/* keys do not ascend */
	TE_FAULT_NODE_KEY_RANGE,	/* a key outside what the parent allows */
	TE_FAULT_NODE_CHILD,		/* child outside the metadata device */
	TE_FAULT_NODE_DEPTH,		/* too deep, or leaves at unequal depths */
	TE_FAULT_NODE_LOOP,		/* a node that is its own ancestor */

	TE_FAULT_DEV_ID,		/* device id beyond 24 bits */
	TE_FAULT_DATA_BLOCK,		/* mapping beyond the data device */
	TE_FAULT_VIRTUAL_BLOCK,		/* virtual block beyond 2^63 bytes */
	TE_FAULT_NO_VOLUME,		/* volume not in the mapping tree */
	TE_FAULT_NO_DETAILS,		/* volume without device details */
	TE_FAULT_NR,
};

struct te_fault {
	enum te_fault_kind kind;
	u64 block;			/* metadata block it was found in */
	u64 found;
	u64 wanted;			/* or the bound that found passes */
};

/*
 * A capitalised constant sentence without full stop, fit for ti->error, as
 * "Metadata block has a wrong checksum"; never NULL.
 */
const char *te_fault_words(enum te_fault_kind kind);

/* Fills *fault (may be NULL) and returns err, so that `return te_fail(...)`. */
int te_fail(struct te_fault *fault, int err, enum te_fault_kind kind,
	    u64 block, u64 found, u64 wanted);

#endif
