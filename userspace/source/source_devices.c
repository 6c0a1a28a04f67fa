// SPDX-License-Identifier: GPL-2.0-or-later
/* The source that is a pool's metadata and data device, or image files of them. */
#include "source/source.h"

#include <stdio.h>
#include <unistd.h>

#include "source/image.h"
#include "source/metadata_cache.h"
#include "base/say.h"

/*
 * A live pool rewrites its superblock while we read it, and the device may give
 * us half of each: then its checksum is wrong, and a moment later it is not.
 */
#define SUPERBLOCK_TRIES	5
#define SUPERBLOCK_WAIT_US	20000

struct devices {
	struct te_source source;
	struct te_image metadata;
	struct te_image data;
	char *metadata_path;
	char *data_path;
};

static int read_metadata(void *context, u64 block, unsigned int count, const struct iovec *iov)
{
	struct devices *devices = context;

	return te_image_read(&devices->metadata, block * THIN_METADATA_BLOCK_BYTES, iov,
			     (int)count);
}

static int devices_read(struct te_source *source, u64 offset, const struct iovec *iov, int nr)
{
	struct devices *devices = container_of(source, struct devices, source);
	int err;

	err = te_image_read(&devices->data, offset, iov, nr);
	if (err)
		te_error("cannot read %llu bytes at byte %llu of %s: %s",
			 (unsigned long long)te_image_bytes(iov, nr), (unsigned long long)offset,
			 devices->data.path, strerror(-err));
	return err;
}

static void devices_close(struct te_source *source)
{
	struct devices *devices = container_of(source, struct devices, source);
	size_t i;

	for (i = 0; i < source->nr_volumes; i++)
		free(source->volumes[i].name);
	free(source->volumes);
	te_metadata_cache_destroy(source->reader);
	te_image_close(&devices->data);
	te_image_close(&devices->metadata);
	free(devices->metadata_path);
	free(devices->data_path);
	free(devices);
}

static const struct te_source_ops devices_ops = {
	.kind = "devices",
	.read = devices_read,
	.close = devices_close,
};

static int open_images(struct devices *devices, enum te_source_root root)
{
	enum te_image_use use = root == TE_ROOT_HELD ? TE_IMAGE_SHARED : TE_IMAGE_ALONE;
	struct stat st;
	u64 nr_blocks;
	int err;

	err = te_image_open(&devices->metadata, devices->metadata_path, use);
	if (err)
		return err;
	/* Asked before the second is opened, which would only be called busy. */
	if (!stat(devices->data_path, &st) && te_image_is(&devices->metadata, &st)) {
		te_error("%s and %s are the same: a pool's metadata and data lie on two devices",
			 devices->metadata_path, devices->data_path);
		return -EINVAL;
	}
	err = te_image_open(&devices->data, devices->data_path, use);
	if (err)
		return err;
	nr_blocks = devices->metadata.bytes / THIN_METADATA_BLOCK_BYTES;
	if (!nr_blocks) {
		te_error("%s is too small to be a pool's metadata", devices->metadata_path);
		return -EINVAL;
	}
	if (nr_blocks > THIN_METADATA_MAX_BLOCKS)
		nr_blocks = THIN_METADATA_MAX_BLOCKS;
	devices->source.reader = te_metadata_cache_create(nr_blocks, read_metadata, devices);
	if (!devices->source.reader) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	return 0;
}

static int read_superblock(struct devices *devices, enum te_source_root root,
			   struct te_superblock *sb)
{
	struct te_source *source = &devices->source;
	bool held = root == TE_ROOT_HELD;
	struct te_fault fault;
	unsigned int tries;
	int err;

	for (tries = 1;; tries++) {
		memset(&fault, 0, sizeof(fault));
		err = te_superblock_read(source->reader, held, sb, &fault);
		if (err != -EILSEQ || !held || tries == SUPERBLOCK_TRIES)
			break;
		usleep(SUPERBLOCK_WAIT_US);
		te_metadata_cache_forget(source->reader);
	}
	if (err) {
		te_error_fault(devices->metadata_path, &fault);
		return err;
	}
	source->block_sectors = sb->data_block_sectors;
	source->nr_data_blocks = sb->nr_data_blocks;
	source->transaction_id = sb->transaction_id;
	source->metadata_used_blocks = held ? 0 : sb->nr_allocated_metadata_blocks;
	source->needs_check = sb->needs_check;
	if (sb->needs_check)
		te_warn("%s: the pool wants thin_check to be run; what it holds is read as it is, "
			"every block of it checked", devices->metadata_path);
	return 0;
}

static int check_data_size(const struct devices *devices)
{
	const struct te_source *source = &devices->source;
	u64 has_blocks = devices->data.bytes / ((u64)source->block_sectors * 512);

	if (has_blocks >= source->nr_data_blocks)
		return 0;
	te_error("%s holds %llu blocks of %s, but the metadata says %llu: is it the pool's data?",
		 devices->data_path, (unsigned long long)has_blocks,
		 te_bytes((u64)source->block_sectors * 512),
		 (unsigned long long)source->nr_data_blocks);
	return -EINVAL;
}

static int add_volume(void *context, const struct te_details *details)
{
	struct te_source *source = context;
	struct te_volume *grown;

	/* Grown by doubling: room is left except at a power of two. */
	if (!(source->nr_volumes & (source->nr_volumes - 1))) {
		size_t room = source->nr_volumes ? 2 * source->nr_volumes : 1;

		grown = realloc(source->volumes, room * sizeof(*grown));
		if (!grown) {
			te_error("not enough memory");
			return -ENOMEM;
		}
		source->volumes = grown;
	}
	source->volumes[source->nr_volumes++] = (struct te_volume){
		.details = *details,
		.size_from = TE_SIZE_FROM_MAPPINGS,
	};
	return 0;
}

static int read_volumes(struct devices *devices, const struct te_superblock *sb)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	int err;

	err = te_details_each(devices->source.reader, sb, add_volume, &devices->source, &fault);
	if (err && fault.kind != TE_FAULT_NONE)
		te_error_fault(devices->metadata_path, &fault);
	return err;
}

/* NULL after one sentence. */
static struct devices *create(const char *metadata, const char *data)
{
	struct devices *devices = calloc(1, sizeof(*devices));

	if (!devices) {
		te_error("not enough memory");
		return NULL;
	}
	devices->source.ops = &devices_ops;
	devices->metadata_path = strdup(metadata);
	devices->data_path = strdup(data);
	devices->source.name = devices->metadata_path;
	devices->source.images[0] = &devices->metadata;
	devices->source.images[1] = &devices->data;
	if (devices->metadata_path && devices->data_path)
		return devices;
	te_error("not enough memory");
	te_source_close(&devices->source);
	return NULL;
}

struct te_source *te_source_open_devices(const char *metadata, const char *data,
					 enum te_source_root root)
{
	struct devices *devices = create(metadata, data);
	struct te_superblock sb;

	if (!devices)
		return NULL;
	if (!open_images(devices, root) && !read_superblock(devices, root, &sb) &&
	    !check_data_size(devices) && !read_volumes(devices, &sb))
		return &devices->source;
	te_source_close(&devices->source);
	return NULL;
}

static int take_given(struct devices *devices, const struct te_source_given *given)
{
	struct te_source *source = &devices->source;
	size_t i;
	int err = 0;

	source->block_sectors = given->block_sectors;
	source->nr_data_blocks = given->nr_data_blocks;
	source->transaction_id = given->transaction_id;
	for (i = 0; i < given->nr_volumes && !err; i++)
		err = add_volume(source, &given->volumes[i]);
	return err ? err : check_data_size(devices);
}

struct te_source *te_source_open_given(const char *metadata, const char *data,
				       const struct te_source_given *given)
{
	struct devices *devices = create(metadata, data);

	if (!devices)
		return NULL;
	if (!open_images(devices, TE_ROOT_HELD) && !take_given(devices, given))
		return &devices->source;
	te_source_close(&devices->source);
	return NULL;
}
