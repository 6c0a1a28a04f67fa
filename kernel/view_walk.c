// SPDX-License-Identifier: GPL-2.0-or-later
/* The walk: what the chosen volumes reach, by the pool's metadata. */
#include <linux/blkdev.h>

#include <thinexport/thin_disk.h>
#include "core/details.h"
#include "core/superblock.h"
#include "metadata_reader.h"
#include "view.h"

/*
 * One line of the kernel log says where and what; ti->error says which kind.
 * `subject` is what was looked for: "superblock", "volume 3".
 */
static void report_fault(struct dm_target *ti, const char *subject, const struct te_fault *fault)
{
	if (fault->kind == TE_FAULT_NONE) {
		ti->error = "Cannot read the pool's metadata";
		return;
	}
	ti->error = (char *)te_fault_words(fault->kind);
	DMERR("%s: %s: metadata block %llu: %s (found %lld, wanted %lld)",
	      dm_table_device_name(ti->table), subject, fault->block, ti->error,
	      (long long)fault->found, (long long)fault->wanted);
}

/*
 * The devices must hold all that the space maps count, before a bitmap is sized
 * by these numbers: nobody gets us to allocate more than his devices are long.
 */
static int check_lengths(struct dm_target *ti, const struct te_superblock *sb,
			 const struct te_metadata_reader *metadata)
{
	struct te_view *view = ti->private;
	u64 data_blocks = div_u64(bdev_nr_sectors(view->data_dev->bdev), sb->data_block_sectors);

	if (sb->nr_metadata_blocks > metadata->reader.nr_blocks) {
		ti->error = "Metadata device is shorter than the pool's metadata";
		DMERR("%s: %s has %llu metadata blocks, the pool %llu",
		      dm_table_device_name(ti->table), view->metadata_dev->name,
		      metadata->reader.nr_blocks, sb->nr_metadata_blocks);
		return -ENOSPC;
	}
	if (sb->nr_data_blocks > data_blocks) {
		ti->error = "Data device is shorter than the pool's data";
		DMERR("%s: %s has %llu data blocks, the pool %llu",
		      dm_table_device_name(ti->table), view->data_dev->name,
		      data_blocks, sb->nr_data_blocks);
		return -ENOSPC;
	}
	return 0;
}

static int walk_superblock(struct dm_target *ti, struct te_metadata_reader *metadata,
			   struct te_superblock *sb)
{
	struct te_view *view = ti->private;
	struct te_fault fault = {};
	int r;

	r = te_superblock_read(&metadata->reader, !view->superblock_root, sb, &fault);
	if (r) {
		report_fault(ti, "superblock", &fault);
		return r;
	}

	r = check_lengths(ti, sb, metadata);
	if (r)
		return r;
	metadata->reader.nr_blocks = sb->nr_metadata_blocks;
	view->data_block_sectors = sb->data_block_sectors;
	view->transaction_id = sb->transaction_id;

	r = te_reach_init(&view->reach, sb->nr_metadata_blocks, sb->nr_data_blocks,
			  sb->data_block_sectors);
	if (r)
		ti->error = r == -EFBIG ? "Pool has more blocks than a view can hold" :
					  "Cannot allocate the bitmaps";
	return r;
}

/* Marks what one volume reaches, and fills its entry of the table. */
static int walk_volume(struct dm_target *ti, struct te_metadata_reader *metadata,
		       const struct te_superblock *sb, unsigned int i)
{
	struct te_view *view = ti->private;
	const struct te_view_source *volume = view->volumes + i;
	struct te_view_volume *entry = view->table + i;
	struct te_details details;
	struct te_fault fault = {};
	char subject[32];
	int r;

	r = te_details_find(&metadata->reader, sb, volume->dev_id, &details, &fault);
	if (!r)
		r = te_reach_volume(&view->reach, &metadata->reader, details.root, &fault);
	if (r) {
		snprintf(subject, sizeof(subject), "volume %u", volume->dev_id);
		report_fault(ti, subject, &fault);
		return r;
	}

	entry->dev_id = cpu_to_le32(volume->dev_id);
	entry->root = cpu_to_le64(details.root);
	entry->mapped_blocks = cpu_to_le64(details.mapped_blocks);
	entry->transaction_id = cpu_to_le64(details.transaction_id);
	entry->creation_time = cpu_to_le32(details.creation_time);
	entry->snapshotted_time = cpu_to_le32(details.snapshotted_time);
	if (volume->pin)
		entry->virtual_sectors = cpu_to_le64(bdev_nr_sectors(volume->pin->bdev));
	return 0;
}

int te_view_walk(struct dm_target *ti)
{
	struct te_view *view = ti->private;
	struct te_metadata_reader metadata;
	struct te_superblock sb;
	unsigned int i;
	int r;

	r = te_metadata_reader_open(&metadata, view->metadata_dev->bdev);
	if (r) {
		ti->error = "Cannot create the metadata's dm-bufio client";
		return r;
	}

	r = walk_superblock(ti, &metadata, &sb);
	for (i = 0; !r && i < view->nr_volumes; i++)
		r = walk_volume(ti, &metadata, &sb, i);

	te_metadata_reader_close(&metadata);
	return r;
}

int te_view_lay_out(struct dm_target *ti)
{
	struct te_view *view = ti->private;
	int r;

	r = te_bitmap_index(&view->reach.metadata);
	if (!r)
		r = te_bitmap_index(&view->reach.data);
	if (r) {
		ti->error = "Cannot allocate the bitmaps' directories";
		return r;
	}

	r = te_layout_init(&view->layout, view->nr_volumes, view->data_block_sectors,
			   &view->reach.metadata, &view->reach.data);
	if (r) {
		ti->error = "View is too large";
		return r;
	}
	te_layout_header(&view->layout, view->transaction_id, view->table, view->header);

	if (ti->len < to_sector(view->layout.view_bytes)) {
		ti->error = "Table is shorter than the view";
		DMERR("%s: view has %llu sectors, table %llu", dm_table_device_name(ti->table),
		      (u64)to_sector(view->layout.view_bytes), (u64)ti->len);
		return -ENOSPC;
	}
	return 0;
}
