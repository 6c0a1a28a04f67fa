// SPDX-License-Identifier: GPL-2.0-or-later
/* The superblock, checked, and the held root behind it. */
#include "superblock.h"

#include <thinexport/thin_disk.h>

/* A mapping has 64 - THIN_TIME_BITS bits for the number of its block. */
#define MAX_DATA_BLOCKS		(1ULL << (64 - THIN_TIME_BITS))

static u32 superblock_csum(const struct thin_disk_superblock *disk)
{
	return crc32c(~0u, &disk->flags, THIN_METADATA_BLOCK_BYTES - sizeof(disk->csum)) ^
	       THIN_SUPERBLOCK_CSUM_XOR;
}

/* The right block, undamaged, and of a kind we know. */
static int check_identity(const struct thin_disk_superblock *disk, u64 location,
			  struct te_fault *fault)
{
	u64 magic = le64_to_cpu(disk->magic);
	u64 blocknr = le64_to_cpu(disk->blocknr);
	u32 version = le32_to_cpu(disk->version);
	u32 incompat = le32_to_cpu(disk->incompat_flags);
	u32 csum;

	if (magic != THIN_SUPERBLOCK_MAGIC)
		return te_fail(fault, -EINVAL, TE_FAULT_SB_MAGIC, location,
			       magic, THIN_SUPERBLOCK_MAGIC);
	if (blocknr != location)
		return te_fail(fault, -EILSEQ, TE_FAULT_SB_LOCATION, location,
			       blocknr, location);
	csum = superblock_csum(disk);
	if (le32_to_cpu(disk->csum) != csum)
		return te_fail(fault, -EILSEQ, TE_FAULT_SB_CSUM, location,
			       le32_to_cpu(disk->csum), csum);
	if (version < THIN_VERSION_MIN || version > THIN_VERSION)
		return te_fail(fault, -EOPNOTSUPP, TE_FAULT_SB_VERSION, location,
			       version, THIN_VERSION);
	if (incompat)
		return te_fail(fault, -EOPNOTSUPP, TE_FAULT_SB_FEATURES, location,
			       incompat, 0);
	return 0;
}

static int check_sizes(const struct te_superblock *sb, u32 metadata_block_sectors,
		       u64 location, struct te_fault *fault)
{
	u32 sectors = sb->data_block_sectors;
	u64 most;

	if (sectors < THIN_DATA_BLOCK_MIN_SECTORS || sectors > THIN_DATA_BLOCK_MAX_SECTORS ||
	    sectors % THIN_DATA_BLOCK_MIN_SECTORS)
		return te_fail(fault, -EILSEQ, TE_FAULT_SB_BLOCK_SIZE, location,
			       sectors, THIN_DATA_BLOCK_MIN_SECTORS);
	if (metadata_block_sectors != THIN_METADATA_BLOCK_SECTORS)
		return te_fail(fault, -EILSEQ, TE_FAULT_SB_METADATA_BLOCK_SIZE, location,
			       metadata_block_sectors, THIN_METADATA_BLOCK_SECTORS);
	most = div64_u64(THIN_MAX_SECTORS - 1, sectors);
	if (most > MAX_DATA_BLOCKS)
		most = MAX_DATA_BLOCKS;
	if (sb->nr_data_blocks > most)
		return te_fail(fault, -EILSEQ, TE_FAULT_SB_DATA_BLOCKS, location,
			       sb->nr_data_blocks, most);
	return 0;
}

static int check_roots(const struct te_superblock *sb, u64 nr_blocks, u64 location,
		       struct te_fault *fault)
{
	const u64 roots[] = { sb->mapping_root, sb->details_root, sb->held_root };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(roots); i++)
		if (roots[i] >= nr_blocks)
			return te_fail(fault, -EILSEQ, TE_FAULT_SB_ROOT, location,
				       roots[i], nr_blocks);
	return 0;
}

int te_superblock_check(const void *data, u64 location, u64 nr_blocks,
			struct te_superblock *sb, struct te_fault *fault)
{
	const struct thin_disk_superblock *disk = data;
	struct thin_disk_space_map_root root;
	int r;

	r = check_identity(disk, location, fault);
	if (r)
		return r;

	sb->transaction_id = le64_to_cpu(disk->trans_id);
	sb->held_root = le64_to_cpu(disk->held_root);
	sb->mapping_root = le64_to_cpu(disk->data_mapping_root);
	sb->details_root = le64_to_cpu(disk->device_details_root);
	sb->data_block_sectors = le32_to_cpu(disk->data_block_size);
	sb->time = le32_to_cpu(disk->time);
	sb->needs_check = le32_to_cpu(disk->flags) & THIN_FLAG_NEEDS_CHECK;

	memcpy(&root, disk->data_space_map_root, sizeof(root));
	sb->nr_data_blocks = le64_to_cpu(root.nr_blocks);
	sb->nr_allocated_data_blocks = le64_to_cpu(root.nr_allocated);
	memcpy(&root, disk->metadata_space_map_root, sizeof(root));
	sb->nr_metadata_blocks = le64_to_cpu(root.nr_blocks);
	sb->nr_allocated_metadata_blocks = le64_to_cpu(root.nr_allocated);

	r = check_sizes(sb, le32_to_cpu(disk->metadata_block_size), location, fault);
	if (r)
		return r;
	return check_roots(sb, nr_blocks, location, fault);
}

static int read_one(struct te_reader *reader, u64 location, struct te_superblock *sb,
		    struct te_fault *fault)
{
	const void *data;
	void *cookie;
	int r;

	if (location >= reader->nr_blocks)
		return te_fail(fault, -EINVAL, TE_FAULT_SB_ROOT, location,
			       location, reader->nr_blocks);
	r = reader->ops->get(reader, location, &data, &cookie);
	if (r)
		return te_fail(fault, r, TE_FAULT_IO, location, (u64)(long long)r, 0);
	r = te_superblock_check(data, location, reader->nr_blocks, sb, fault);
	reader->ops->put(reader, cookie);
	return r;
}

int te_superblock_read(struct te_reader *reader, bool held, struct te_superblock *sb,
		       struct te_fault *fault)
{
	struct te_superblock live;
	int r;

	r = read_one(reader, THIN_SUPERBLOCK_LOCATION, &live, fault);
	if (r)
		return r;
	if (!held) {
		*sb = live;
		return 0;
	}
	if (!live.held_root)
		return te_fail(fault, -ENODATA, TE_FAULT_NO_HELD_ROOT,
			       THIN_SUPERBLOCK_LOCATION, 0, 0);

	r = read_one(reader, live.held_root, sb, fault);
	if (r == -EINVAL)
		r = -EILSEQ;	/* a pool it is, but its metadata snapshot is none */
	if (r)
		return r;
	if (sb->data_block_sectors != live.data_block_sectors)
		return te_fail(fault, -EILSEQ, TE_FAULT_SB_BLOCK_SIZE, live.held_root,
			       sb->data_block_sectors, live.data_block_sectors);
	sb->held_root = live.held_root;
	sb->needs_check = live.needs_check;
	sb->nr_data_blocks = live.nr_data_blocks;
	sb->nr_allocated_data_blocks = live.nr_allocated_data_blocks;
	sb->nr_metadata_blocks = live.nr_metadata_blocks;
	sb->nr_allocated_metadata_blocks = live.nr_allocated_metadata_blocks;
	return 0;
}
