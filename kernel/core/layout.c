// SPDX-License-Identifier: GPL-2.0-or-later
/* Layout of a view: where its parts lie, and what a byte of it is. */
#include "layout.h"

#include <thinexport/target.h>
#include <thinexport/thin_disk.h>

#define SECTOR_BYTES	512u

/* What the size of every part follows from. */
struct counts {
	u32 nr_volumes;
	u32 data_block_sectors;
	u64 nr_metadata_blocks;
	u64 nr_reached;
	u64 nr_data_blocks;
	u64 nr_mapped;
};

static u64 align_up(u64 bytes)
{
	return round_up(bytes, (u64)TE_VIEW_ALIGN);
}

/*
 * One part behind the other.  The bitmaps are at most 2^31 bytes each and the
 * packed metadata 2^46, so only the data can pass the end of what is addressed.
 */
static int place_parts(struct te_layout *layout, const struct counts *counts)
{
	u64 data_bytes_most;

	if (counts->nr_metadata_blocks > TE_BITMAP_MAX_BITS ||
	    counts->nr_data_blocks > TE_BITMAP_MAX_BITS)
		return -EFBIG;
	layout->nr_volumes = counts->nr_volumes;
	layout->data_block_bytes = counts->data_block_sectors * SECTOR_BYTES;

	layout->volumes_offset = sizeof(struct te_view_header);
	layout->metadata_bitmap_offset = layout->volumes_offset +
		align_up((u64)counts->nr_volumes * sizeof(struct te_view_volume));
	layout->metadata_offset = layout->metadata_bitmap_offset +
		align_up(te_bitmap_bytes(counts->nr_metadata_blocks));
	layout->data_bitmap_offset = layout->metadata_offset +
		counts->nr_reached * THIN_METADATA_BLOCK_BYTES;
	layout->data_offset = layout->data_bitmap_offset +
		align_up(te_bitmap_bytes(counts->nr_data_blocks));

	data_bytes_most = THIN_MAX_SECTORS * SECTOR_BYTES - 1 - layout->data_offset;
	if (counts->nr_mapped > div64_u64(data_bytes_most, layout->data_block_bytes))
		return -EFBIG;
	layout->view_bytes = layout->data_offset + counts->nr_mapped * layout->data_block_bytes;
	return 0;
}

int te_layout_init(struct te_layout *layout, u32 nr_volumes, u32 data_block_sectors,
		   const struct te_bitmap *metadata, const struct te_bitmap *data)
{
	const struct counts counts = {
		.nr_volumes = nr_volumes,
		.data_block_sectors = data_block_sectors,
		.nr_metadata_blocks = metadata->nr_bits,
		.nr_reached = metadata->nr_set,
		.nr_data_blocks = data->nr_bits,
		.nr_mapped = data->nr_set,
	};

	memset(layout, 0, sizeof(*layout));
	layout->metadata = metadata;
	layout->data = data;
	return place_parts(layout, &counts);
}

static u64 smaller(u64 a, u64 b)
{
	return a < b ? a : b;
}

/* A part that lies in memory: `bytes` of it, then zeros up to the next part. */
static void find_plain(struct te_place *place, enum te_view_part part, u64 start, u64 bytes,
		       u64 next, u64 offset, u64 most)
{
	bool inside = offset - start < bytes;

	place->part = inside ? part : TE_PART_PADDING;
	place->within = inside ? offset - start : offset - start - bytes;
	place->block = 0;
	place->bytes = smaller(most, inside ? start + bytes - offset : next - offset);
}

static void find_packed(struct te_place *place, enum te_view_part part, u64 start,
			const struct te_bitmap *map, u32 block_bytes, u64 offset, u64 most)
{
	u64 index, run;

	place->part = part;
	index = div64_u64_rem(offset - start, block_bytes, &place->within);
	place->block = te_bitmap_select(map, index);
	/* Blocks that `most` bytes touch; no more need be looked at. */
	most = smaller(most, THIN_MAX_SECTORS * SECTOR_BYTES);
	run = te_bitmap_run(map, place->block,
			    div64_u64(place->within + most + block_bytes - 1, block_bytes));
	place->bytes = smaller(most, run * block_bytes - place->within);
}

void te_layout_find(const struct te_layout *layout, u64 offset, u64 most,
		    struct te_place *place)
{
	if (offset < layout->volumes_offset)
		find_plain(place, TE_PART_HEADER, 0, sizeof(struct te_view_header),
			   layout->volumes_offset, offset, most);
	else if (offset < layout->metadata_bitmap_offset)
		find_plain(place, TE_PART_VOLUMES, layout->volumes_offset,
			   (u64)layout->nr_volumes * sizeof(struct te_view_volume),
			   layout->metadata_bitmap_offset, offset, most);
	else if (offset < layout->metadata_offset)
		find_plain(place, TE_PART_METADATA_BITMAP, layout->metadata_bitmap_offset,
			   te_bitmap_bytes(layout->metadata->nr_bits),
			   layout->metadata_offset, offset, most);
	else if (offset < layout->data_bitmap_offset)
		find_packed(place, TE_PART_METADATA, layout->metadata_offset,
			    layout->metadata, THIN_METADATA_BLOCK_BYTES, offset, most);
	else if (offset < layout->data_offset)
		find_plain(place, TE_PART_DATA_BITMAP, layout->data_bitmap_offset,
			   te_bitmap_bytes(layout->data->nr_bits),
			   layout->data_offset, offset, most);
	else if (offset < layout->view_bytes)
		find_packed(place, TE_PART_DATA, layout->data_offset,
			    layout->data, layout->data_block_bytes, offset, most);
	else
		find_plain(place, TE_PART_PADDING, layout->view_bytes, 0, ~0ULL, offset, most);
}

/* A bitmap can have GiB, and some kernels are not preempted in a checksum. */
#define CSUM_BYTES	(64u << 10)

/* As view.h has it: the result inverted. */
static __le32 csum(const void *data, size_t bytes)
{
	u32 crc = ~0u;

	while (bytes) {
		size_t part = bytes < CSUM_BYTES ? bytes : CSUM_BYTES;

		crc = crc32c(crc, data, part);
		data = (const u8 *)data + part;
		bytes -= part;
		cond_resched();
	}
	return cpu_to_le32(~crc);
}

/* Of the header with its own field as zero: in three pieces, so that it stays const. */
static __le32 header_csum(const struct te_view_header *header)
{
	const __le32 zero = 0;
	const char *bytes = (const char *)header;
	const size_t at = offsetof(struct te_view_header, csum);
	u32 crc;

	crc = crc32c(~0u, bytes, at);
	crc = crc32c(crc, &zero, sizeof(zero));
	crc = crc32c(crc, bytes + at + sizeof(zero), sizeof(*header) - at - sizeof(zero));
	return cpu_to_le32(~crc);
}

void te_layout_header(const struct te_layout *layout, u64 transaction_id,
		      const struct te_view_volume *volumes, struct te_view_header *header)
{
	const struct te_bitmap *metadata = layout->metadata;
	const struct te_bitmap *data = layout->data;

	memset(header, 0, sizeof(*header));
	header->magic = cpu_to_le64(TE_VIEW_MAGIC);
	header->version = cpu_to_le32(TE_VIEW_VERSION);
	header->view_bytes = cpu_to_le64(layout->view_bytes);
	header->data_block_sectors = cpu_to_le32(layout->data_block_bytes / SECTOR_BYTES);
	header->nr_volumes = cpu_to_le32(layout->nr_volumes);
	header->nr_data_blocks = cpu_to_le64(data->nr_bits);
	header->nr_metadata_blocks = cpu_to_le64(metadata->nr_bits);
	header->nr_mapped = cpu_to_le64(data->nr_set);
	header->nr_reached = cpu_to_le64(metadata->nr_set);
	header->transaction_id = cpu_to_le64(transaction_id);
	header->volumes_offset = cpu_to_le64(layout->volumes_offset);
	header->metadata_bitmap_offset = cpu_to_le64(layout->metadata_bitmap_offset);
	header->metadata_offset = cpu_to_le64(layout->metadata_offset);
	header->data_bitmap_offset = cpu_to_le64(layout->data_bitmap_offset);
	header->data_offset = cpu_to_le64(layout->data_offset);
	header->volumes_csum = csum(volumes, (size_t)layout->nr_volumes * sizeof(*volumes));
	header->metadata_bitmap_csum = csum(metadata->words, te_bitmap_bytes(metadata->nr_bits));
	header->data_bitmap_csum = csum(data->words, te_bitmap_bytes(data->nr_bits));
	header->csum = header_csum(header);
}

static const char *check_counts(const struct counts *counts)
{
	if (counts->data_block_sectors < THIN_DATA_BLOCK_MIN_SECTORS ||
	    counts->data_block_sectors > THIN_DATA_BLOCK_MAX_SECTORS ||
	    counts->data_block_sectors % THIN_DATA_BLOCK_MIN_SECTORS)
		return "View has an impossible data block size";
	if (counts->nr_volumes > TE_VIEW_MAX_VOLUMES)
		return "View has too many volumes";
	if (counts->nr_reached > counts->nr_metadata_blocks)
		return "View has more metadata blocks than its pool";
	if (counts->nr_mapped > counts->nr_data_blocks)
		return "View has more data blocks than its pool";
	return NULL;
}

static const char *check_offsets(const struct te_layout *layout,
				 const struct te_view_header *header)
{
	if (le64_to_cpu(header->volumes_offset) != layout->volumes_offset ||
	    le64_to_cpu(header->metadata_bitmap_offset) != layout->metadata_bitmap_offset ||
	    le64_to_cpu(header->metadata_offset) != layout->metadata_offset ||
	    le64_to_cpu(header->data_bitmap_offset) != layout->data_bitmap_offset ||
	    le64_to_cpu(header->data_offset) != layout->data_offset ||
	    le64_to_cpu(header->view_bytes) != layout->view_bytes)
		return "View has parts where its counts do not put them";
	return NULL;
}

static bool is_zero(const __u8 *bytes, size_t count)
{
	while (count)
		if (bytes[--count])
			return false;
	return true;
}

const char *te_layout_check(const struct te_view_header *header)
{
	const struct counts counts = {
		.nr_volumes = le32_to_cpu(header->nr_volumes),
		.data_block_sectors = le32_to_cpu(header->data_block_sectors),
		.nr_metadata_blocks = le64_to_cpu(header->nr_metadata_blocks),
		.nr_reached = le64_to_cpu(header->nr_reached),
		.nr_data_blocks = le64_to_cpu(header->nr_data_blocks),
		.nr_mapped = le64_to_cpu(header->nr_mapped),
	};
	struct te_layout layout;
	const char *wrong;

	if (le64_to_cpu(header->magic) != TE_VIEW_MAGIC)
		return "Not a view (wrong magic)";
	if (le32_to_cpu(header->version) != TE_VIEW_VERSION)
		return "View has an unknown version";
	if (header->csum != header_csum(header))
		return "View header has a wrong checksum";
	if (header->reserved || !is_zero(header->zero, sizeof(header->zero)))
		return "View header has reserved bytes that are not zero";
	wrong = check_counts(&counts);
	if (wrong)
		return wrong;
	if (place_parts(&layout, &counts))
		return "View is larger than can be addressed";
	return check_offsets(&layout, header);
}
