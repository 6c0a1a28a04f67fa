// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * view_image METADATA DATA held|superblock [ID[=SECTORS]]...: on standard output, the
 * view that the target makes of these devices and volumes.  SECTORS is the length
 * of the volume's pin.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/details.h"
#include "core/layout.h"
#include "core/reach.h"
#include "core/superblock.h"

struct file_reader {
	struct te_reader reader;
	int fd;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "view_image: %s: %s\n", what, why);
	exit(1);
}

static void read_fully(int fd, void *buffer, size_t bytes, u64 offset)
{
	char *to = buffer;

	while (bytes) {
		ssize_t n = pread(fd, to, bytes, (off_t)offset);

		if (n <= 0)
			die("read", n ? strerror(errno) : "device too short");
		to += n;
		offset += (u64)n;
		bytes -= (size_t)n;
	}
}

static int file_get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	void *copy = malloc(THIN_METADATA_BLOCK_BYTES);

	if (!copy)
		return -ENOMEM;
	read_fully(container_of(reader, struct file_reader, reader)->fd, copy,
		   THIN_METADATA_BLOCK_BYTES, block * THIN_METADATA_BLOCK_BYTES);
	*data = copy;
	*cookie = copy;
	return 0;
}

static void file_put(struct te_reader *reader, void *cookie)
{
	free(cookie);
}

static const struct te_reader_ops file_ops = { .get = file_get, .put = file_put };

static int open_device(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die(path, strerror(errno));
	return fd;
}

static int by_id(const void *a, const void *b)
{
	u32 id_a = le32_to_cpu(((const struct te_view_volume *)a)->dev_id);
	u32 id_b = le32_to_cpu(((const struct te_view_volume *)b)->dev_id);

	return id_a < id_b ? -1 : id_a > id_b;
}

static void reach_volume(struct te_reach *reach, struct te_reader *reader,
			 const struct te_superblock *sb, const char *argument,
			 struct te_view_volume *entry)
{
	struct te_fault fault = { 0 };
	struct te_details details;
	char *rest;
	u32 dev_id = (u32)strtoul(argument, &rest, 10);

	if (te_details_find(reader, sb, dev_id, &details, &fault) ||
	    te_reach_volume(reach, reader, details.root, &fault))
		die(argument, te_fault_words(fault.kind));
	entry->dev_id = cpu_to_le32(dev_id);
	entry->root = cpu_to_le64(details.root);
	entry->mapped_blocks = cpu_to_le64(details.mapped_blocks);
	entry->transaction_id = cpu_to_le64(details.transaction_id);
	entry->creation_time = cpu_to_le32(details.creation_time);
	entry->snapshotted_time = cpu_to_le32(details.snapshotted_time);
	if (*rest == '=')
		entry->virtual_sectors = cpu_to_le64(strtoull(rest + 1, NULL, 10));
}

static void write_view(const struct te_layout *layout, const struct te_view_header *header,
		       const struct te_view_volume *volumes, int metadata, int data)
{
	static char buffer[1 << 20];
	struct te_place place;
	u64 offset;

	for (offset = 0; offset < layout->view_bytes; offset += place.bytes) {
		const void *from = buffer;

		te_layout_find(layout, offset, sizeof(buffer), &place);
		switch (place.part) {
		case TE_PART_HEADER:
			from = (const char *)header + place.within;
			break;
		case TE_PART_VOLUMES:
			from = (const char *)volumes + place.within;
			break;
		case TE_PART_METADATA_BITMAP:
			from = (const char *)layout->metadata->words + place.within;
			break;
		case TE_PART_DATA_BITMAP:
			from = (const char *)layout->data->words + place.within;
			break;
		case TE_PART_METADATA:
			read_fully(metadata, buffer, place.bytes,
				   place.block * THIN_METADATA_BLOCK_BYTES + place.within);
			break;
		case TE_PART_DATA:
			read_fully(data, buffer, place.bytes,
				   place.block * layout->data_block_bytes + place.within);
			break;
		case TE_PART_PADDING:
			memset(buffer, 0, place.bytes);
			break;
		}
		if (fwrite(from, 1, place.bytes, stdout) != place.bytes)
			die("write", strerror(errno));
	}
}

int main(int argc, char **argv)
{
	struct file_reader metadata = { .reader.ops = &file_ops };
	struct te_view_volume *volumes;
	struct te_view_header header;
	struct te_fault fault = { 0 };
	struct te_superblock sb;
	struct te_layout layout;
	struct te_reach reach;
	u32 nr_volumes = (u32)(argc - 4), i;
	int data;

	if (argc < 4 || (strcmp(argv[3], "held") && strcmp(argv[3], "superblock"))) {
		fprintf(stderr, "Usage: view_image METADATA DATA held|superblock [ID[=SECTORS]]...\n");
		return 2;
	}
	metadata.fd = open_device(argv[1]);
	metadata.reader.nr_blocks = (u64)lseek(metadata.fd, 0, SEEK_END) / THIN_METADATA_BLOCK_BYTES;
	data = open_device(argv[2]);
	if (te_superblock_read(&metadata.reader, !strcmp(argv[3], "held"), &sb, &fault))
		die(argv[1], te_fault_words(fault.kind));
	metadata.reader.nr_blocks = sb.nr_metadata_blocks;

	volumes = calloc(nr_volumes + 1, sizeof(*volumes));
	if (!volumes || te_reach_init(&reach, sb.nr_metadata_blocks, sb.nr_data_blocks,
				      sb.data_block_sectors))
		die("memory", strerror(ENOMEM));
	for (i = 0; i < nr_volumes; i++)
		reach_volume(&reach, &metadata.reader, &sb, argv[4 + i], volumes + i);
	qsort(volumes, nr_volumes, sizeof(*volumes), by_id);

	if (te_bitmap_index(&reach.metadata) || te_bitmap_index(&reach.data) ||
	    te_layout_init(&layout, nr_volumes, sb.data_block_sectors, &reach.metadata,
			   &reach.data))
		die("layout", "too large, or no memory");
	te_layout_header(&layout, sb.transaction_id, volumes, &header);
	write_view(&layout, &header, volumes, metadata.fd, data);
	if (fflush(stdout))
		die("write", strerror(errno));
	return 0;
}
