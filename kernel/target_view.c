// SPDX-License-Identifier: GPL-2.0-or-later
/* The dm target `thinexport`: chosen volumes of a pool as one read-only device. */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include <thinexport/target.h>
#include <thinexport/thin_disk.h>
#include "targets.h"
#include "view.h"

/* ------------------------------------------------------------------------ */
/* The way of a read. */

/* What a part holds; NULL where it holds zeros. */
static const void *part_memory(const struct te_view *view, enum te_view_part part)
{
	switch (part) {
	case TE_PART_HEADER:
		return view->header;
	case TE_PART_VOLUMES:
		return view->table;
	case TE_PART_METADATA_BITMAP:
		return view->reach.metadata.words;
	case TE_PART_DATA_BITMAP:
		return view->reach.data.words;
	default:
		return NULL;
	}
}

/* Copies from memory, or zeros when that is NULL, to where iter stands in the bio. */
static void fill(struct bio *bio, struct bvec_iter *iter, const void *memory, u64 bytes)
{
	while (bytes) {
		struct bio_vec segment = bio_iter_iovec(bio, *iter);

		segment.bv_len = min_t(u64, segment.bv_len, bytes);
		if (memory) {
			memcpy_to_bvec(&segment, memory);
			memory += segment.bv_len;
		} else {
			memzero_bvec(&segment);
		}
		bio_advance_iter_single(bio, iter, segment.bv_len);
		bytes -= segment.bv_len;
	}
}

static bool is_packed(enum te_view_part part)
{
	return part == TE_PART_METADATA || part == TE_PART_DATA;
}

/*
 * Ends a bio that starts in memory or padding.  It is served up to the next
 * packed block, over as many parts as come before: these begin at any byte,
 * packed blocks on whole sectors only, and so can a bio be cut.
 */
static int serve(const struct te_view *view, struct bio *bio, u64 offset, struct te_place *place)
{
	struct bvec_iter iter = bio->bi_iter;

	for (;;) {
		const void *memory = part_memory(view, place->part);

		fill(bio, &iter, memory ? memory + place->within : NULL, place->bytes);
		if (!iter.bi_size)
			break;
		offset += place->bytes;
		te_layout_find(&view->layout, offset, iter.bi_size, place);
		if (is_packed(place->part)) {
			dm_accept_partial_bio(bio, bio_sectors(bio) - to_sector(iter.bi_size));
			break;
		}
	}
	bio_endio(bio);
	return DM_MAPIO_SUBMITTED;
}

/* Sends a bio to the pool's own device, cut where blocks stop being neighbours there. */
static int remap(struct bio *bio, struct dm_dev *dev, sector_t block_sectors,
		 const struct te_place *place)
{
	if (place->bytes < bio->bi_iter.bi_size)
		dm_accept_partial_bio(bio, to_sector(place->bytes));
	bio_set_dev(bio, dev->bdev);
	bio->bi_iter.bi_sector = place->block * block_sectors + to_sector(place->within);
	return DM_MAPIO_REMAPPED;
}

static int thinexport_map(struct dm_target *ti, struct bio *bio)
{
	struct te_view *view = ti->private;
	/* Not by to_bytes(), whose result is of 32 bits on machines of 32 bits. */
	u64 offset = (u64)dm_target_offset(ti, bio->bi_iter.bi_sector) << SECTOR_SHIFT;
	struct te_place place;

	/*
	 * Discards and the like are not announced and end in the block layer.
	 * Writes do reach us: the read-only flag of a device only warns of them.
	 */
	if (bio_op(bio) != REQ_OP_READ)
		return DM_MAPIO_KILL;

	atomic64_inc(&view->reads);
	te_layout_find(&view->layout, offset, bio->bi_iter.bi_size, &place);

	switch (place.part) {
	case TE_PART_METADATA:
		return remap(bio, view->metadata_dev, THIN_METADATA_BLOCK_SECTORS, &place);
	case TE_PART_DATA:
		return remap(bio, view->data_dev, view->data_block_sectors, &place);
	default:
		return serve(view, bio, offset, &place);
	}
}

static int thinexport_end_io(struct dm_target *ti, struct bio *bio, blk_status_t *error)
{
	struct te_view *view = ti->private;

	/* AGAIN: the submitter would not wait, and will ask again. */
	if (*error && *error != BLK_STS_AGAIN)
		atomic64_inc(&view->errors);
	return DM_ENDIO_DONE;
}

/* ------------------------------------------------------------------------ */
/* The table. */

static int parse_device(struct dm_target *ti, struct dm_arg_set *as, struct dm_dev **dev,
			char *error)
{
	int r = dm_get_device(ti, dm_shift_arg(as), BLK_OPEN_READ, dev);

	if (r)
		ti->error = error;
	return r;
}

static int parse_features(struct dm_target *ti, struct dm_arg_set *as)
{
	static const struct dm_arg nr_features_arg = { 0, 1, "Invalid number of features" };
	struct te_view *view = ti->private;
	unsigned int nr;
	int r;

	r = dm_read_arg_group(&nr_features_arg, as, &nr, &ti->error);
	if (r)
		return r;

	while (nr--) {
		if (strcmp(dm_shift_arg(as), TE_FEATURE_SUPERBLOCK_ROOT)) {
			ti->error = "Unknown feature";
			return -EINVAL;
		}
		view->superblock_root = true;
	}
	return 0;
}

static int compare_volumes(const void *a, const void *b)
{
	u32 id_a = ((const struct te_view_source *)a)->dev_id;
	u32 id_b = ((const struct te_view_source *)b)->dev_id;

	return id_a < id_b ? -1 : id_a > id_b;
}

/* Leaves the pins it took to the caller to put, also on failure. */
static int parse_volume(struct dm_target *ti, struct dm_arg_set *as, struct te_view_source *volume)
{
	const char *pin;
	int r;

	/* dm_read_arg would take 2^32 for 0: another volume than was asked for. */
	r = kstrtou32(dm_shift_arg(as), 10, &volume->dev_id);
	if (r || volume->dev_id > THIN_DEV_ID_MAX) {
		ti->error = "Invalid device id";
		return -EINVAL;
	}

	pin = dm_shift_arg(as);
	if (!strcmp(pin, "-"))
		return 0;
	r = dm_get_device(ti, pin, BLK_OPEN_READ, &volume->pin);
	if (r)
		ti->error = "Cannot open a pin";
	return r;
}

static int parse_volumes(struct dm_target *ti, struct dm_arg_set *as)
{
	static const struct dm_arg nr_volumes_arg = {
		0, TE_VIEW_MAX_VOLUMES, "Invalid number of volumes"
	};
	struct te_view *view = ti->private;
	unsigned int nr, i;
	int r;

	r = dm_read_arg(&nr_volumes_arg, as, &nr, &ti->error);
	if (r)
		return r;
	if (as->argc != 2 * nr) {
		ti->error = "Number of volumes does not match the arguments";
		return -EINVAL;
	}

	view->volumes = kvcalloc(nr, sizeof(*view->volumes), GFP_KERNEL);
	view->table = kvcalloc(nr, sizeof(*view->table), GFP_KERNEL);
	view->header = kzalloc(sizeof(*view->header), GFP_KERNEL);
	if (!view->volumes || !view->table || !view->header) {
		ti->error = "Cannot allocate the volume table";
		return -ENOMEM;
	}

	for (view->nr_volumes = 0; view->nr_volumes < nr; view->nr_volumes++) {
		if (fatal_signal_pending(current)) {
			ti->error = "Interrupted by a signal";
			return -EINTR;
		}
		r = parse_volume(ti, as, view->volumes + view->nr_volumes);
		if (r)
			return r;
	}

	sort(view->volumes, nr, sizeof(*view->volumes), compare_volumes, NULL);
	for (i = 1; i < nr; i++) {
		if (view->volumes[i - 1].dev_id == view->volumes[i].dev_id) {
			ti->error = "Device id is named twice";
			return -EINVAL;
		}
	}
	return 0;
}

static void put_volumes(struct dm_target *ti)
{
	struct te_view *view = ti->private;
	unsigned int i;

	for (i = 0; i < view->nr_volumes; i++)
		if (view->volumes[i].pin)
			dm_put_device(ti, view->volumes[i].pin);
	kfree(view->header);
	kvfree(view->table);
	kvfree(view->volumes);
}

/*
 * <metadata dev> <data dev> <#features> [<feature>...] <#volumes> {<dev id> <pin dev|->}...
 */
static int thinexport_ctr(struct dm_target *ti, unsigned int argc, char **argv)
{
	struct dm_arg_set as = { .argc = argc, .argv = argv };
	struct te_view *view;
	int r;

	if (argc < 4) {
		ti->error = "Not enough arguments";
		return -EINVAL;
	}
	if (dm_table_get_mode(ti->table) & BLK_OPEN_WRITE) {
		ti->error = "Table must be loaded read-only";
		return -EINVAL;
	}

	view = kzalloc(sizeof(*view), GFP_KERNEL);
	if (!view) {
		ti->error = "Cannot allocate the view";
		return -ENOMEM;
	}
	ti->private = view;

	r = parse_device(ti, &as, &view->metadata_dev, "Cannot open the metadata device");
	if (r)
		goto free_view;
	r = parse_device(ti, &as, &view->data_dev, "Cannot open the data device");
	if (r)
		goto put_metadata_dev;
	r = parse_features(ti, &as);
	if (r)
		goto put_data_dev;
	r = parse_volumes(ti, &as);
	if (r)
		goto put_volumes;
	r = te_view_walk(ti);
	if (r)
		goto free_reach;
	r = te_view_lay_out(ti);
	if (r)
		goto free_reach;

	/* Flushes end in the core: there is nothing of ours to flush. */
	return 0;

free_reach:
	te_reach_exit(&view->reach);
put_volumes:
	put_volumes(ti);
put_data_dev:
	dm_put_device(ti, view->data_dev);
put_metadata_dev:
	dm_put_device(ti, view->metadata_dev);
free_view:
	kfree(view);
	return r;
}

static void thinexport_dtr(struct dm_target *ti)
{
	struct te_view *view = ti->private;

	te_reach_exit(&view->reach);
	put_volumes(ti);
	dm_put_device(ti, view->data_dev);
	dm_put_device(ti, view->metadata_dev);
	kfree(view);
}

static void thinexport_status(struct dm_target *ti, status_type_t type, unsigned int status_flags,
			      char *result, unsigned int maxlen)
{
	struct te_view *view = ti->private;
	const struct te_bitmap *metadata = &view->reach.metadata, *data = &view->reach.data;
	unsigned int sz = 0, i;

	switch (type) {
	case STATUSTYPE_INFO:
		DMEMIT("%llu %llu %llu %llu %llu %u %lld %lld",
		       (u64)to_sector(view->layout.view_bytes),
		       data->nr_set, data->nr_bits, metadata->nr_set, metadata->nr_bits,
		       view->nr_volumes, atomic64_read(&view->reads),
		       atomic64_read(&view->errors));
		break;

	case STATUSTYPE_TABLE:
		DMEMIT("%s %s ", view->metadata_dev->name, view->data_dev->name);
		if (view->superblock_root)
			DMEMIT("1 " TE_FEATURE_SUPERBLOCK_ROOT);
		else
			DMEMIT("0");
		DMEMIT(" %u", view->nr_volumes);
		for (i = 0; i < view->nr_volumes; i++)
			DMEMIT(" %u %s", view->volumes[i].dev_id,
			       view->volumes[i].pin ? view->volumes[i].pin->name : "-");
		break;

	case STATUSTYPE_IMA:
		/* The header's checksum covers those of the volume table and bitmaps. */
		DMEMIT_TARGET_NAME_VERSION(ti->type);
		DMEMIT(",metadata_device=%s,data_device=%s", view->metadata_dev->name,
		       view->data_dev->name);
		DMEMIT(",superblock_root=%c,volumes=%u,view_sectors=%llu,header_csum=%08x;",
		       view->superblock_root ? 'y' : 'n', view->nr_volumes,
		       (u64)to_sector(view->layout.view_bytes),
		       le32_to_cpu(view->header->csum));
		break;
	}
}

static int thinexport_iterate_devices(struct dm_target *ti, iterate_devices_callout_fn fn,
				      void *data)
{
	struct te_view *view = ti->private;
	sector_t metadata_sectors = view->reach.metadata.nr_bits * THIN_METADATA_BLOCK_SECTORS;
	sector_t data_sectors = view->reach.data.nr_bits * view->data_block_sectors;
	int r;

	r = fn(ti, view->metadata_dev, 0, metadata_sectors, data);
	if (!r)
		r = fn(ti, view->data_dev, 0, data_sectors, data);
	return r;
}

struct target_type te_view_target = {
	.name			= TE_TARGET_VIEW,
	.version		= { 1, 0, 0 },
	.features		= DM_TARGET_NOWAIT,
	.module			= THIS_MODULE,
	.ctr			= thinexport_ctr,
	.dtr			= thinexport_dtr,
	.map			= thinexport_map,
	.end_io			= thinexport_end_io,
	.status			= thinexport_status,
	.iterate_devices	= thinexport_iterate_devices,
};
