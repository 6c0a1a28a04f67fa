// SPDX-License-Identifier: GPL-2.0-or-later
/* What is wrong with the metadata, and where: the words. */
#include "fault.h"

static const char *const words[TE_FAULT_NR] = {
	[TE_FAULT_NONE] = "No fault",
	[TE_FAULT_IO] = "Metadata block cannot be read",
	[TE_FAULT_MEMORY] = "Not enough memory",
	[TE_FAULT_INTERRUPTED] = "Interrupted by a signal",
	[TE_FAULT_SB_LOCATION] = "Superblock has a wrong block number",
	[TE_FAULT_SB_MAGIC] = "Not a thin pool's metadata (superblock has a wrong magic)",
	[TE_FAULT_SB_CSUM] = "Superblock has a wrong checksum",
	[TE_FAULT_SB_VERSION] = "Superblock has an unknown version",
	[TE_FAULT_SB_FEATURES] = "Superblock has unknown incompatible features",
	[TE_FAULT_SB_BLOCK_SIZE] = "Superblock has an impossible data block size",
	[TE_FAULT_SB_METADATA_BLOCK_SIZE] = "Superblock has a wrong metadata block size",
	[TE_FAULT_SB_ROOT] = "Superblock has a root beyond the metadata device",
	[TE_FAULT_SB_DATA_BLOCKS] = "Superblock has an impossible number of data blocks",
	[TE_FAULT_NO_HELD_ROOT] = "Pool has no metadata snapshot",
	[TE_FAULT_NODE_LOCATION] = "Metadata block has a wrong block number",
	[TE_FAULT_NODE_CSUM] = "Metadata block has a wrong checksum",
	[TE_FAULT_NODE_FLAGS] = "Metadata block is neither internal node nor leaf",
	[TE_FAULT_NODE_VALUE_SIZE] = "Metadata block has a wrong value size",
	[TE_FAULT_NODE_MAX_ENTRIES] = "Metadata block has an impossible max_entries",
	[TE_FAULT_NODE_NR_ENTRIES] = "Metadata block has an impossible nr_entries",
	[TE_FAULT_NODE_KEY_ORDER] = "Metadata block has keys out of order",
	[TE_FAULT_NODE_KEY_RANGE] = "Metadata block has a key that its parent does not allow",
	[TE_FAULT_NODE_CHILD] = "Metadata block has a child beyond the metadata device",
	[TE_FAULT_NODE_DEPTH] = "Metadata tree is too deep or has leaves at unequal depths",
	[TE_FAULT_NODE_LOOP] = "Metadata tree has a loop",
	[TE_FAULT_DEV_ID] = "Device id is beyond 24 bits",
	[TE_FAULT_DATA_BLOCK] = "Mapping is beyond the data device",
	[TE_FAULT_VIRTUAL_BLOCK] = "Mapping is beyond what a device can be long",
	[TE_FAULT_NO_VOLUME] = "Volume is not in the mapping tree",
	[TE_FAULT_NO_DETAILS] = "Volume has no device details",
};

const char *te_fault_words(enum te_fault_kind kind)
{
	if ((unsigned int)kind >= TE_FAULT_NR || !words[kind])
		return "Unknown fault";
	return words[kind];
}

int te_fail(struct te_fault *fault, int err, enum te_fault_kind kind,
	    u64 block, u64 found, u64 wanted)
{
	if (fault) {
		fault->kind = kind;
		fault->block = block;
		fault->found = found;
		fault->wanted = wanted;
	}
	return err;
}
