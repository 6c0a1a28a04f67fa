// SPDX-License-Identifier: GPL-2.0-or-later
/* The source that is a view, or an image of one. */
#include "source/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "core/layout.h"
#include "source/image.h"
#include "source/metadata_cache.h"
#include "base/say.h"

struct view {
	struct te_source source;
	struct te_image image;
	char *path;
	struct te_bitmap metadata;	/* both indexed */
	struct te_bitmap data;
	u64 metadata_offset;		/* bytes into the view */
	u64 data_offset;
	u64 block_bytes;
};

#define BOUNCE_BYTES	(1u << 20)

/* Reads any bytes of the view, through an aligned buffer.  0 or -errno after one sentence. */
static int read_bytes(const struct view *view, u64 offset, void *to, u64 bytes)
{
	void *bounce;
	int err = 0;

	if (posix_memalign(&bounce, TE_VIEW_ALIGN, BOUNCE_BYTES)) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	/* Every part starts aligned, and the view's end is. */
	while (bytes && !err) {
		u64 part = bytes < BOUNCE_BYTES ? bytes : BOUNCE_BYTES;
		struct iovec iov = {
			.iov_base = bounce,
			.iov_len = round_up(part, (u64)TE_VIEW_ALIGN),
		};

		err = te_image_read(&view->image, offset, &iov, 1);
		if (err)
			te_error("cannot read byte %llu of %s: %s", (unsigned long long)offset,
				 view->path, strerror(-err));
		else
			memcpy(to, bounce, part);
		to = (char *)to + part;
		offset += part;
		bytes -= part;
	}
	free(bounce);
	return err;
}

static u32 csum(const void *data, u64 bytes)
{
	u32 crc = ~0u;

	/* The crc of isa-l takes an int for a length. */
	while (bytes) {
		u64 part = bytes < (1u << 30) ? bytes : 1u << 30;

		crc = crc32c(crc, data, part);
		data = (const char *)data + part;
		bytes -= part;
	}
	return ~crc;
}

static int broken(const struct view *view, const char *what)
{
	te_error("%s: %s", view->path, what);
	return -EILSEQ;
}

static int read_view_metadata(void *context, u64 block, unsigned int count,
			      const struct iovec *iov)
{
	struct view *view = context;
	u64 rank;

	if (te_bitmap_run(&view->metadata, block, count) < count)
		return -ENXIO;
	rank = te_bitmap_rank(&view->metadata, block);
	return te_image_read(&view->image, view->metadata_offset + rank * THIN_METADATA_BLOCK_BYTES,
			     iov, (int)count);
}

static int view_read(struct te_source *source, u64 offset, const struct iovec *iov, int nr)
{
	struct view *view = container_of(source, struct view, source);
	u64 block = offset / view->block_bytes;
	u64 within = offset % view->block_bytes;
	u64 bytes = te_image_bytes(iov, nr);
	u64 count = DIV_ROUND_UP(within + bytes, view->block_bytes);
	u64 at;
	int err;

	if (block >= view->data.nr_bits || count > view->data.nr_bits - block ||
	    te_bitmap_run(&view->data, block, count) < count) {
		te_error("%s does not hold data block %llu, which its metadata maps", view->path,
			 (unsigned long long)block);
		return -EILSEQ;
	}
	at = view->data_offset + te_bitmap_rank(&view->data, block) * view->block_bytes + within;
	err = te_image_read(&view->image, at, iov, nr);
	if (err)
		te_error("cannot read %llu bytes at byte %llu of %s: %s",
			 (unsigned long long)bytes, (unsigned long long)at, view->path,
			 strerror(-err));
	return err;
}

static void view_close(struct te_source *source)
{
	struct view *view = container_of(source, struct view, source);
	size_t i;

	for (i = 0; i < source->nr_volumes; i++)
		free(source->volumes[i].name);
	free(source->volumes);
	te_metadata_cache_destroy(source->reader);
	te_bitmap_exit(&view->metadata);
	te_bitmap_exit(&view->data);
	te_image_close(&view->image);
	free(view->path);
	free(view);
}

static const struct te_source_ops view_ops = {
	.kind = "view",
	.read = view_read,
	.close = view_close,
};

static int read_header(struct view *view, struct te_view_header *header)
{
	struct te_source *source = &view->source;
	const char *wrong;
	int err;

	if (view->image.bytes < sizeof(*header))
		return broken(view, "too small to be a view");
	err = read_bytes(view, 0, header, sizeof(*header));
	if (err)
		return err;
	wrong = te_layout_check(header);
	if (wrong)
		return broken(view, wrong);
	if (view->image.bytes < le64_to_cpu(header->view_bytes)) {
		te_error("%s ends at byte %llu, its view at byte %llu: the copy is not complete",
			 view->path, (unsigned long long)view->image.bytes,
			 (unsigned long long)le64_to_cpu(header->view_bytes));
		return -EILSEQ;
	}
	source->block_sectors = le32_to_cpu(header->data_block_sectors);
	source->nr_data_blocks = le64_to_cpu(header->nr_data_blocks);
	source->transaction_id = le64_to_cpu(header->transaction_id);
	view->metadata_offset = le64_to_cpu(header->metadata_offset);
	view->data_offset = le64_to_cpu(header->data_offset);
	view->block_bytes = (u64)source->block_sectors * 512;
	return 0;
}

/* A bitmap, its checksum, no bit behind its end, and as many set as the header says. */
static int read_bitmap(struct view *view, struct te_bitmap *map, u64 nr_bits, u64 offset,
		       __le32 want_csum, u64 want_set)
{
	int err;

	err = te_bitmap_init(map, nr_bits);
	if (err) {
		te_error("not enough memory for a bitmap of %llu blocks",
			 (unsigned long long)nr_bits);
		return err;
	}
	err = read_bytes(view, offset, map->words, te_bitmap_bytes(nr_bits));
	if (err)
		return err;
	if (csum(map->words, te_bitmap_bytes(nr_bits)) != le32_to_cpu(want_csum))
		return broken(view, "a bitmap of the view has a wrong checksum");
	if (nr_bits % 64 && le64_to_cpu(map->words[nr_bits / 64]) >> (nr_bits % 64))
		return broken(view, "a bitmap of the view has bits behind its end");
	err = te_bitmap_index(map);
	if (err) {
		te_error("not enough memory");
		return err;
	}
	if (map->nr_set != want_set)
		return broken(view, "a bitmap of the view has not as many bits as its header says");
	return 0;
}

/* Takes one entry of the volume table; `previous` is the id before it, or -1. */
static const char *take_volume(struct view *view, const struct te_view_volume *entry,
			       long previous)
{
	static const __u8 zero[sizeof(entry->zero)];
	struct te_source *source = &view->source;
	struct te_volume *volume = &source->volumes[source->nr_volumes];
	u32 id = le32_to_cpu(entry->dev_id);
	u64 root = le64_to_cpu(entry->root);

	if (id > THIN_DEV_ID_MAX || (long)id <= previous)
		return "the volume table does not ascend by device id";
	if (entry->reserved || memcmp(entry->zero, zero, sizeof(zero)))
		return "the volume table has reserved bytes that are not zero";
	if (root >= view->metadata.nr_bits || !te_bitmap_test(&view->metadata, root))
		return "the volume table has a root that is not in the view";
	*volume = (struct te_volume){
		.details = {
			.dev_id = id,
			.root = root,
			.mapped_blocks = le64_to_cpu(entry->mapped_blocks),
			.transaction_id = le64_to_cpu(entry->transaction_id),
			.creation_time = le32_to_cpu(entry->creation_time),
			.snapshotted_time = le32_to_cpu(entry->snapshotted_time),
		},
		.virtual_sectors = le64_to_cpu(entry->virtual_sectors),
		.size_from = entry->virtual_sectors ? TE_SIZE_FROM_TABLE : TE_SIZE_FROM_MAPPINGS,
	};
	source->nr_volumes++;
	return NULL;
}

static int read_volumes(struct view *view, const struct te_view_header *header)
{
	u32 nr = le32_to_cpu(header->nr_volumes), i;
	u64 bytes = (u64)nr * sizeof(struct te_view_volume);
	struct te_view_volume *table = malloc(bytes + 1);
	const char *wrong = NULL;
	long previous = -1;
	int err = -ENOMEM;

	view->source.volumes = calloc((size_t)nr + 1, sizeof(*view->source.volumes));
	if (!table || !view->source.volumes) {
		te_error("not enough memory");
		goto free;
	}
	err = read_bytes(view, le64_to_cpu(header->volumes_offset), table, bytes);
	if (err)
		goto free;
	if (csum(table, bytes) != le32_to_cpu(header->volumes_csum))
		wrong = "the volume table has a wrong checksum";
	for (i = 0; i < nr && !wrong; i++) {
		wrong = take_volume(view, &table[i], previous);
		previous = (long)le32_to_cpu(table[i].dev_id);
	}
	if (wrong)
		err = broken(view, wrong);
free:
	free(table);
	return err;
}

static int open_view(struct view *view)
{
	struct te_view_header header;
	int err;

	err = te_image_open(&view->image, view->path, TE_IMAGE_SHARED);
	if (!err)
		err = read_header(view, &header);
	if (!err)
		err = read_bitmap(view, &view->metadata, le64_to_cpu(header.nr_metadata_blocks),
				  le64_to_cpu(header.metadata_bitmap_offset),
				  header.metadata_bitmap_csum, le64_to_cpu(header.nr_reached));
	if (!err)
		err = read_bitmap(view, &view->data, le64_to_cpu(header.nr_data_blocks),
				  le64_to_cpu(header.data_bitmap_offset),
				  header.data_bitmap_csum, le64_to_cpu(header.nr_mapped));
	if (!err)
		err = read_volumes(view, &header);
	if (err)
		return err;
	view->source.reader = te_metadata_cache_create(view->metadata.nr_bits, read_view_metadata,
						       view);
	if (!view->source.reader) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	return 0;
}

struct te_source *te_source_open_view(const char *path)
{
	struct view *view = calloc(1, sizeof(*view));

	if (view)
		view->path = strdup(path);
	if (!view || !view->path) {
		te_error("not enough memory");
		free(view);
		return NULL;
	}
	view->source.ops = &view_ops;
	view->source.name = view->path;
	view->source.images[0] = &view->image;
	if (open_view(view)) {
		te_source_close(&view->source);
		return NULL;
	}
	return &view->source;
}

bool te_source_is_view(const char *path)
{
	struct stat st;
	__le64 magic = 0;
	bool is;
	int fd;

	/* A fifo or a terminal is not even opened. */
	if (stat(path, &st) || (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	is = pread(fd, &magic, sizeof(magic), 0) == sizeof(magic) &&
	     le64_to_cpu(magic) == TE_VIEW_MAGIC;
	close(fd);
	return is;
}
