// SPDX-License-Identifier: GPL-2.0-or-later
/* The superblock: each check, by a block that fails just that one. */
#include "blocks.h"
#include "unit.h"

#define NR_BLOCKS	64

static struct blocks *blocks;
static struct te_superblock sb;
static struct te_fault fault;

static struct thin_disk_superblock *begin(void)
{
	if (blocks)
		blocks_free(blocks);
	blocks = blocks_new(NR_BLOCKS);
	memset(&fault, 0, sizeof(fault));
	return blocks_superblock(blocks);
}

/* Seals what begin() gave and expects the check to fail by this. */
#define CHECK_FAULT(disk, error, expected) do {					\
	superblock_seal(disk);							\
	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), error);	\
	CHECK_STR(te_fault_words(fault.kind), te_fault_words(expected));	\
	CHECK_EQ(fault.block, 0);						\
} while (0)

static void a_good_superblock_passes(void)
{
	struct thin_disk_superblock *disk = begin();

	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), 0);
	CHECK_EQ(fault.kind, TE_FAULT_NONE);
	CHECK_EQ(sb.transaction_id, 7);
	CHECK_EQ(sb.time, 4);
	CHECK_EQ(sb.mapping_root, 1);
	CHECK_EQ(sb.details_root, 2);
	CHECK_EQ(sb.held_root, 0);
	CHECK_EQ(sb.data_block_sectors, 128);
	CHECK_EQ(sb.nr_data_blocks, 1000);
	CHECK_EQ(sb.nr_allocated_data_blocks, 10);
	CHECK_EQ(sb.nr_metadata_blocks, NR_BLOCKS);
	CHECK_EQ(sb.nr_allocated_metadata_blocks, 3);
	CHECK(!sb.needs_check);
}

static void needs_check_is_told(void)
{
	struct thin_disk_superblock *disk = begin();

	disk->flags = cpu_to_le32(THIN_FLAG_NEEDS_CHECK);
	superblock_seal(disk);
	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), 0);
	CHECK(sb.needs_check);
}

static void a_wrong_magic_is_no_pool(void)
{
	struct thin_disk_superblock *disk = begin();

	disk->magic = cpu_to_le64(THIN_SUPERBLOCK_MAGIC + 1);
	CHECK_FAULT(disk, -EINVAL, TE_FAULT_SB_MAGIC);
	CHECK_EQ(fault.found, THIN_SUPERBLOCK_MAGIC + 1);
	CHECK_EQ(fault.wanted, THIN_SUPERBLOCK_MAGIC);
}

static void another_blocks_number_is_found(void)
{
	struct thin_disk_superblock *disk = begin();

	disk->blocknr = cpu_to_le64(5);
	CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_LOCATION);
	CHECK_EQ(fault.found, 5);
	CHECK_EQ(fault.wanted, 0);
}

static void every_flipped_bit_is_found(void)
{
	struct thin_disk_superblock *disk = begin();
	u8 *bytes = (u8 *)disk;
	u32 bit;

	for (bit = 0; bit < 8 * THIN_METADATA_BLOCK_BYTES; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		CHECK(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	disk->csum ^= cpu_to_le32(1);
	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_SB_CSUM);
}

static void unknown_versions_are_refused(void)
{
	struct thin_disk_superblock *disk = begin();

	disk->version = cpu_to_le32(THIN_VERSION + 1);
	CHECK_FAULT(disk, -EOPNOTSUPP, TE_FAULT_SB_VERSION);
	disk->version = cpu_to_le32(0);
	CHECK_FAULT(disk, -EOPNOTSUPP, TE_FAULT_SB_VERSION);
	disk->version = cpu_to_le32(1);
	superblock_seal(disk);
	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), 0);
}

static void only_incompatible_features_are_refused(void)
{
	struct thin_disk_superblock *disk = begin();

	disk->compat_flags = cpu_to_le32(~0u);
	disk->compat_ro_flags = cpu_to_le32(~0u);
	superblock_seal(disk);
	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), 0);
	disk->incompat_flags = cpu_to_le32(0x80000000);
	CHECK_FAULT(disk, -EOPNOTSUPP, TE_FAULT_SB_FEATURES);
	CHECK_EQ(fault.found, 0x80000000);
}

static void data_block_sizes_have_bounds_and_a_unit(void)
{
	static const u32 good[] = { 128, 256, 384, 2097152 };
	static const u32 bad[] = { 0, 1, 64, 127, 129, 192, 2097152 + 128, ~0u };
	struct thin_disk_superblock *disk = begin();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		disk->data_block_size = cpu_to_le32(good[i]);
		superblock_seal(disk);
		CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), 0);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		disk->data_block_size = cpu_to_le32(bad[i]);
		CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_BLOCK_SIZE);
		CHECK_EQ(fault.found, bad[i]);
	}
}

static void a_metadata_block_has_eight_sectors(void)
{
	struct thin_disk_superblock *disk = begin();

	disk->metadata_block_size = cpu_to_le32(16);
	CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_METADATA_BLOCK_SIZE);
}

static void roots_lie_on_the_device(void)
{
	struct thin_disk_superblock *disk;

	disk = begin();
	disk->data_mapping_root = cpu_to_le64(NR_BLOCKS);
	CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_ROOT);
	CHECK_EQ(fault.found, NR_BLOCKS);
	disk = begin();
	disk->device_details_root = cpu_to_le64(~0ULL);
	CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_ROOT);
	disk = begin();
	disk->held_root = cpu_to_le64(NR_BLOCKS);
	CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_ROOT);
}

static void set_data_blocks(struct thin_disk_superblock *disk, u64 nr)
{
	const struct thin_disk_space_map_root root = { .nr_blocks = cpu_to_le64(nr) };

	memcpy(disk->data_space_map_root, &root, sizeof(root));
	superblock_seal(disk);
}

static void data_blocks_can_all_be_addressed(void)
{
	struct thin_disk_superblock *disk = begin();

	/* A mapping has 40 bits for its block. */
	set_data_blocks(disk, 1ULL << 40);
	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), 0);
	set_data_blocks(disk, (1ULL << 40) + 1);
	CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_DATA_BLOCKS);

	/* 2^33 blocks of 1 GiB would end at 2^63. */
	disk->data_block_size = cpu_to_le32(THIN_DATA_BLOCK_MAX_SECTORS);
	set_data_blocks(disk, (1ULL << 33) - 1);
	CHECK_EQ(te_superblock_check(disk, 0, NR_BLOCKS, &sb, &fault), 0);
	set_data_blocks(disk, 1ULL << 33);
	CHECK_FAULT(disk, -EILSEQ, TE_FAULT_SB_DATA_BLOCKS);
}

static void no_held_root_is_no_data(void)
{
	begin();
	CHECK_EQ(te_superblock_read(&blocks->reader, true, &sb, &fault), -ENODATA);
	CHECK_EQ(fault.kind, TE_FAULT_NO_HELD_ROOT);
	CHECK_EQ(blocks->nr_held, 0);
}

/* A metadata snapshot in block 9, as the kernel leaves it: space maps wiped. */
static struct thin_disk_superblock *begin_held(void)
{
	struct thin_disk_superblock *live = begin(), *held = blocks_at(blocks, 9);

	memcpy(held, live, THIN_METADATA_BLOCK_BYTES);
	held->blocknr = cpu_to_le64(9);
	held->data_mapping_root = cpu_to_le64(11);
	held->device_details_root = cpu_to_le64(12);
	held->trans_id = cpu_to_le64(6);
	memset(held->data_space_map_root, 0, THIN_SPACE_MAP_ROOT_BYTES);
	memset(held->metadata_space_map_root, 0, THIN_SPACE_MAP_ROOT_BYTES);
	superblock_seal(held);
	live->held_root = cpu_to_le64(9);
	superblock_seal(live);
	return held;
}

static void a_held_root_gets_the_counts_it_lacks(void)
{
	begin_held();
	CHECK_EQ(te_superblock_read(&blocks->reader, true, &sb, &fault), 0);
	CHECK_EQ(sb.mapping_root, 11);
	CHECK_EQ(sb.details_root, 12);
	CHECK_EQ(sb.transaction_id, 6);
	CHECK_EQ(sb.held_root, 9);
	CHECK_EQ(sb.nr_data_blocks, 1000);
	CHECK_EQ(sb.nr_allocated_data_blocks, 10);
	CHECK_EQ(sb.nr_metadata_blocks, NR_BLOCKS);
	CHECK_EQ(te_superblock_read(&blocks->reader, false, &sb, &fault), 0);
	CHECK_EQ(sb.mapping_root, 1);
	CHECK_EQ(blocks->nr_held, 0);
}

static void a_damaged_held_root_is_damage(void)
{
	struct thin_disk_superblock *held = begin_held();

	held->magic = cpu_to_le64(1);
	superblock_seal(held);
	CHECK_EQ(te_superblock_read(&blocks->reader, true, &sb, &fault), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_SB_MAGIC);
	CHECK_EQ(fault.block, 9);

	held = begin_held();
	held->csum ^= cpu_to_le32(1);
	CHECK_EQ(te_superblock_read(&blocks->reader, true, &sb, &fault), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_SB_CSUM);
	CHECK_EQ(blocks->nr_held, 0);
}

static void a_held_root_has_the_pools_block_size(void)
{
	struct thin_disk_superblock *held = begin_held();

	held->data_block_size = cpu_to_le32(256);
	superblock_seal(held);
	CHECK_EQ(te_superblock_read(&blocks->reader, true, &sb, &fault), -EILSEQ);
	CHECK_EQ(fault.kind, TE_FAULT_SB_BLOCK_SIZE);
}

static void an_unreadable_superblock_says_why(void)
{
	begin();
	blocks->unreadable = 0;
	CHECK_EQ(te_superblock_read(&blocks->reader, false, &sb, &fault), -EIO);
	CHECK_EQ(fault.kind, TE_FAULT_IO);
	CHECK_EQ((long long)fault.found, -EIO);
	CHECK_EQ(blocks->nr_held, 0);
}

static void a_device_without_blocks_is_refused(void)
{
	begin();
	blocks->reader.nr_blocks = 0;
	CHECK_EQ(te_superblock_read(&blocks->reader, false, &sb, &fault), -EINVAL);
}

UNIT_MAIN(UNIT(a_good_superblock_passes),
	  UNIT(needs_check_is_told),
	  UNIT(a_wrong_magic_is_no_pool),
	  UNIT(another_blocks_number_is_found),
	  UNIT(every_flipped_bit_is_found),
	  UNIT(unknown_versions_are_refused),
	  UNIT(only_incompatible_features_are_refused),
	  UNIT(data_block_sizes_have_bounds_and_a_unit),
	  UNIT(a_metadata_block_has_eight_sectors),
	  UNIT(roots_lie_on_the_device),
	  UNIT(data_blocks_can_all_be_addressed),
	  UNIT(no_held_root_is_no_data),
	  UNIT(a_held_root_gets_the_counts_it_lacks),
	  UNIT(a_damaged_held_root_is_damage),
	  UNIT(a_held_root_has_the_pools_block_size),
	  UNIT(an_unreadable_superblock_says_why),
	  UNIT(a_device_without_blocks_is_refused))
