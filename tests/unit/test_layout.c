// SPDX-License-Identifier: GPL-2.0-or-later
/* The view's layout: every byte of one, against the parts laid out one by one. */
#include "core/layout.h"
#include "unit.h"

#include <thinexport/target.h>

#define BLOCK_BYTES	(128 * 512)
#define NR_VOLUMES	3

static struct te_bitmap metadata, data;
static struct te_layout layout;

static void set(struct te_bitmap *map, const u64 *bits, size_t nr)
{
	while (nr)
		te_bitmap_set(map, bits[--nr]);
	te_bitmap_index(map);
}

static void begin(void)
{
	static const u64 nodes[] = { 3, 4, 5, 9, 99 };
	static const u64 blocks[] = { 0, 7, 8, 2047, 2048, 2049, 4999 };

	te_bitmap_exit(&metadata);
	te_bitmap_exit(&data);
	CHECK_EQ(te_bitmap_init(&metadata, 100), 0);
	CHECK_EQ(te_bitmap_init(&data, 5000), 0);
	set(&metadata, nodes, ARRAY_SIZE(nodes));
	set(&data, blocks, ARRAY_SIZE(blocks));
	CHECK_EQ(te_layout_init(&layout, NR_VOLUMES, 128, &metadata, &data), 0);
}

static void parts_follow_each_other_on_4_kib(void)
{
	begin();
	CHECK_EQ(layout.volumes_offset, 4096);
	CHECK_EQ(layout.metadata_bitmap_offset, 8192);
	CHECK_EQ(layout.metadata_offset, 12288);
	CHECK_EQ(layout.data_bitmap_offset, 12288 + 5 * 4096);
	CHECK_EQ(layout.data_offset, 12288 + 5 * 4096 + 4096);
	CHECK_EQ(layout.view_bytes, layout.data_offset + 7 * BLOCK_BYTES);
}

/* What byte `offset` is, and how far on, found the slow way. */
struct wanted {
	enum te_view_part part;
	u64 within, block, end;
};

static struct wanted plain(u64 offset, enum te_view_part part, u64 start, u64 bytes, u64 next)
{
	if (offset < start + bytes)
		return (struct wanted){ part, offset - start, 0, start + bytes };
	return (struct wanted){ TE_PART_PADDING, offset - start - bytes, 0, next };
}

static struct wanted packed(u64 offset, enum te_view_part part, u64 start,
			    const struct te_bitmap *map, u64 bytes)
{
	u64 at = start, block, end;

	for (block = 0; ; block++) {
		if (!te_bitmap_test(map, block))
			continue;
		if (offset < at + bytes)
			break;
		at += bytes;
	}
	for (end = block; end < map->nr_bits && te_bitmap_test(map, end); end++)
		;
	return (struct wanted){ part, offset - at, block, at + (end - block) * bytes };
}

static struct wanted find_slowly(u64 offset)
{
	u64 start = 0;

	if (offset < start + 4096)
		return plain(offset, TE_PART_HEADER, 0, 4096, 4096);
	start += 4096;
	if (offset < start + 4096)
		return plain(offset, TE_PART_VOLUMES, start, NR_VOLUMES * 64, start + 4096);
	start += 4096;
	if (offset < start + 4096)
		return plain(offset, TE_PART_METADATA_BITMAP, start, 16, start + 4096);
	start += 4096;
	if (offset < start + 5 * 4096)
		return packed(offset, TE_PART_METADATA, start, &metadata, 4096);
	start += 5 * 4096;
	if (offset < start + 4096)
		return plain(offset, TE_PART_DATA_BITMAP, start, 632, start + 4096);
	start += 4096;
	if (offset < start + 7 * BLOCK_BYTES)
		return packed(offset, TE_PART_DATA, start, &data, BLOCK_BYTES);
	return plain(offset, TE_PART_PADDING, start + 7 * BLOCK_BYTES, 0, ~0ULL);
}

static void check_place(u64 offset, u64 most)
{
	struct wanted wanted = find_slowly(offset);
	struct te_place place;

	te_layout_find(&layout, offset, most, &place);
	CHECK_EQ(place.part, wanted.part);
	CHECK_EQ(place.within, wanted.within);
	CHECK_EQ(place.block, wanted.block);
	CHECK_EQ(place.bytes, most < wanted.end - offset ? most : wanted.end - offset);
}

static void every_sector_and_border_is_found(void)
{
	static const u64 most[] = { 1, 511, 512, 4096, 65536, 1 << 20, ~0ULL };
	u64 sector, i;

	begin();
	for (sector = 0; sector < layout.view_bytes / 512 + 20; sector++)
		for (i = 0; i < ARRAY_SIZE(most); i++) {
			check_place(sector * 512, most[i]);
			check_place(sector * 512 + 1, most[i]);
			check_place(sector * 512 + 511, most[i]);
		}
}

static void places_of_a_view_without_volumes_end(void)
{
	struct te_place place;

	te_bitmap_exit(&metadata);
	te_bitmap_exit(&data);
	CHECK_EQ(te_bitmap_init(&metadata, 0), 0);
	CHECK_EQ(te_bitmap_init(&data, 0), 0);
	te_bitmap_index(&metadata);
	te_bitmap_index(&data);
	CHECK_EQ(te_layout_init(&layout, 0, 128, &metadata, &data), 0);
	CHECK_EQ(layout.view_bytes, 4096);
	te_layout_find(&layout, 4096, 100, &place);
	CHECK_EQ(place.part, TE_PART_PADDING);
	CHECK_EQ(place.bytes, 100);
}

static void a_view_ends_below_2_to_the_63(void)
{
	struct te_bitmap many;

	/* Only the counts are looked at. */
	begin();
	many = data;
	many.nr_bits = TE_BITMAP_MAX_BITS;
	many.nr_set = (1ULL << 33) - 10;
	CHECK_EQ(te_layout_init(&layout, 1, 2097152, &metadata, &many), 0);
	many.nr_set = 1ULL << 33;
	CHECK_EQ(te_layout_init(&layout, 1, 2097152, &metadata, &many), -EFBIG);
	many.nr_bits = TE_BITMAP_MAX_BITS + 1;
	many.nr_set = 1;
	CHECK_EQ(te_layout_init(&layout, 1, 128, &metadata, &many), -EFBIG);
}

/* The header. */

static struct te_view_header header;

static void begin_header(void)
{
	static const struct te_view_volume volumes[NR_VOLUMES];

	begin();
	te_layout_header(&layout, 77, volumes, &header);
}

static void seal(void)
{
	header.csum = 0;
	header.csum = cpu_to_le32(~crc32c(~0u, &header, sizeof(header)));
}

static void the_checksum_is_the_one_of_the_nine_digits(void)
{
	CHECK_EQ((u32)~crc32c(~0u, "123456789", 9), 0xe3069283);
}

static void the_header_it_makes_is_good(void)
{
	__le32 csum;

	begin_header();
	CHECK(!te_layout_check(&header));
	CHECK_EQ(le64_to_cpu(header.transaction_id), 77);
	CHECK_EQ(le64_to_cpu(header.nr_mapped), 7);
	CHECK_EQ(le64_to_cpu(header.nr_reached), 5);
	CHECK_EQ(le64_to_cpu(header.view_bytes), layout.view_bytes);
	csum = header.csum;
	seal();
	CHECK(csum == header.csum);
	CHECK_EQ(le32_to_cpu(header.data_bitmap_csum), (u32)~crc32c(~0u, data.words, 632));
	CHECK_EQ(le32_to_cpu(header.metadata_bitmap_csum), (u32)~crc32c(~0u, metadata.words, 16));
}

static void every_flipped_bit_of_a_header_is_found(void)
{
	u8 *bytes = (u8 *)&header;
	u32 bit;

	begin_header();
	for (bit = 0; bit < 8 * sizeof(header); bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		CHECK(te_layout_check(&header));
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	header.transaction_id = cpu_to_le64(78);
	CHECK_STR(te_layout_check(&header), "View header has a wrong checksum");
}

/* A field altered, with a right checksum, and what is said of it. */
#define CHECK_HEADER(change, words) do {					\
	const char *unit_wrong;							\
										\
	begin_header();								\
	change;									\
	seal();									\
	unit_wrong = te_layout_check(&header);					\
	CHECK(unit_wrong);							\
	CHECK_STR(unit_wrong, words);						\
} while (0)

#define MISPLACED	"View has parts where its counts do not put them"

static void each_field_of_a_header_is_checked(void)
{
	CHECK_HEADER(header.magic = cpu_to_le64(1), "Not a view (wrong magic)");
	CHECK_HEADER(header.version = cpu_to_le32(2), "View has an unknown version");
	CHECK_HEADER(header.reserved = cpu_to_le32(1),
		     "View header has reserved bytes that are not zero");
	CHECK_HEADER(header.zero[3967] = 1, "View header has reserved bytes that are not zero");
	CHECK_HEADER(header.data_block_sectors = 0, "View has an impossible data block size");
	CHECK_HEADER(header.data_block_sectors = cpu_to_le32(192),
		     "View has an impossible data block size");
	CHECK_HEADER(header.data_block_sectors = cpu_to_le32(2097152 + 128),
		     "View has an impossible data block size");
	CHECK_HEADER(header.nr_volumes = cpu_to_le32(TE_VIEW_MAX_VOLUMES + 1),
		     "View has too many volumes");
	CHECK_HEADER(header.nr_reached = cpu_to_le64(101),
		     "View has more metadata blocks than its pool");
	CHECK_HEADER(header.nr_mapped = cpu_to_le64(5001),
		     "View has more data blocks than its pool");
	CHECK_HEADER(header.nr_data_blocks = cpu_to_le64(TE_BITMAP_MAX_BITS + 1),
		     "View is larger than can be addressed");
	CHECK_HEADER(header.nr_metadata_blocks = cpu_to_le64(~0ULL),
		     "View is larger than can be addressed");
}

static void parts_lie_where_the_counts_put_them(void)
{
	CHECK_HEADER(header.view_bytes = cpu_to_le64(4096), MISPLACED);
	CHECK_HEADER(header.volumes_offset = cpu_to_le64(8192), MISPLACED);
	CHECK_HEADER(header.metadata_bitmap_offset = cpu_to_le64(4096), MISPLACED);
	CHECK_HEADER(header.metadata_offset = 0, MISPLACED);
	CHECK_HEADER(header.data_bitmap_offset = 0, MISPLACED);
	CHECK_HEADER(header.data_offset = cpu_to_le64(~0ULL), MISPLACED);
	CHECK_HEADER(header.nr_mapped = cpu_to_le64(6), MISPLACED);
	CHECK_HEADER(header.nr_volumes = cpu_to_le32(65), MISPLACED);
}

UNIT_MAIN(UNIT(parts_follow_each_other_on_4_kib),
	  UNIT(every_sector_and_border_is_found),
	  UNIT(places_of_a_view_without_volumes_end),
	  UNIT(a_view_ends_below_2_to_the_63),
	  UNIT(the_checksum_is_the_one_of_the_nine_digits),
	  UNIT(the_header_it_makes_is_good),
	  UNIT(every_flipped_bit_of_a_header_is_found),
	  UNIT(each_field_of_a_header_is_checked),
	  UNIT(parts_lie_where_the_counts_put_them))
