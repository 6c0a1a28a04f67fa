// SPDX-License-Identifier: GPL-2.0-or-later
/* What a new pool of a volume group is to be, from hostile catalogs too. */
#include "lvm/lvm_shape.h"
#include "streams.h"
#include "unit.h"

#define NR_VOLUMES	2

static struct te_lvm_lv thick = { .name = (char *)"thick", .segtype = (char *)"linear" };

static const struct te_lvm_group group = {
	.name = "new",
	.extent_sectors = 8192,
	.free_extents = 100,
	.free_text_sectors = 1000,
	.lvs = &thick,
	.nr_lvs = 1,
};

static const struct te_lvm_new_options options = { .path = "new/pool" };

/* A stream's beginning, as it came; a test spoils one thing of it. */
struct stream {
	struct te_begin begin;
	struct te_catalog_lvm_pool pool;
	struct te_lvm_lv lvs[NR_VOLUMES];
	struct te_catalog_volume volumes[NR_VOLUMES];
	struct te_catalog catalog;
	struct te_choice_volume settled[NR_VOLUMES];
	struct te_choice choice;
};

static void begin(struct stream *stream)
{
	static const char *const names[] = { "web", "web-snap" };
	size_t i;

	*stream = (struct stream) {
		.begin = { .transaction_id = cpu_to_le64(7),
			   .provisioned_sectors = cpu_to_le64(1024) },
		.pool.lv = { .metadata_sectors = 8192, .zero = true },
		.catalog = { .block_sectors = 128, .nr_data_blocks = 1024,
			     .lvm = &stream->pool, .volumes = stream->volumes,
			     .nr_volumes = NR_VOLUMES },
		.choice = { .settled = stream->settled, .nr_volumes = NR_VOLUMES,
			    .nr_wanted = NR_VOLUMES },
	};
	stream->lvs[1].origin = (char *)"web";
	for (i = 0; i < NR_VOLUMES; i++) {
		stream->volumes[i] = (struct te_catalog_volume) {
			.dev_id = (u32)i + 1, .name = (char *)names[i], .sectors = 65536,
			.lvm = &stream->lvs[i],
		};
		stream->settled[i] = (struct te_choice_volume) {
			.dev_id = (u32)i + 1, .name = (char *)names[i], .sectors = 65536,
		};
	}
}

static int shape_of(const struct stream *stream, struct te_lvm_shape *shape)
{
	int err;

	memset(shape, 0, sizeof(*shape));
	err = te_lvm_shape_begin(shape, &options, &group);
	if (!err)
		err = te_lvm_shape_fill(shape, &stream->begin, &stream->catalog, &stream->choice);
	return err ? err : te_lvm_shape_check_room(shape);
}

static void a_pool_is_as_its_stream_tells(void)
{
	struct te_lvm_shape shape;
	struct stream stream;

	begin(&stream);
	stream.settled[0].dev_id = 40;
	stream.lvs[0].transaction_id = 3;
	/* LVM knew of one that the pool has not. */
	stream.lvs[1].transaction_id = 9;
	CHECK_EQ(shape_of(&stream, &shape), 0);
	CHECK_EQ(shape.nr_volumes, 2);
	CHECK_EQ(shape.extents[TE_LVM_DATA], 16);
	CHECK_EQ(shape.extents[TE_LVM_METADATA], 1);
	CHECK_EQ(shape.pool.transaction_id, 7);
	CHECK_EQ(shape.volumes[0].dev_id, 40);
	CHECK_EQ(shape.volumes[1].dev_id, 2);
	CHECK_EQ(shape.volumes[0].transaction_id, 3);
	CHECK_EQ(shape.volumes[1].transaction_id, 7);
	CHECK_STR(shape.volumes[1].origin, "web");
	te_lvm_shape_exit(&shape);
}

static void refused(const struct stream *stream, const char *why)
{
	struct te_lvm_shape shape;
	const char *said;
	int err;

	hear();
	err = shape_of(stream, &shape);
	said = heard();
	te_lvm_shape_exit(&shape);
	if (!err || !strstr(said, why))
		UNIT_FAIL("%d \"%s\" does not say \"%s\"", err, said, why);
}

static void what_lvm_could_not_read_again_is_refused_before_anything_is_made(void)
{
	char *bad[] = { (char *)"a\"]" };
	struct stream stream;

	begin(&stream);
	stream.lvs[0].tags = (struct te_lvm_strings){ bad, 1 };
	refused(&stream, "web has the tag 'a\"]' in the stream, which LVM does not take");
	begin(&stream);
	stream.pool.lv.tags = (struct te_lvm_strings){ bad, 1 };
	refused(&stream, "pool has the tag");
	begin(&stream);
	stream.lvs[1].host = (char *)"a\"\n}";
	refused(&stream, "web-snap was made on a host called");
	begin(&stream);
	stream.begin.transaction_id = cpu_to_le64(1ULL << 63);
	refused(&stream, "has the transaction id 9223372036854775808");
	begin(&stream);
	stream.pool.lv.discards = (char *)"often";
	refused(&stream, "deals with discards by 'often'");
	begin(&stream);
	stream.pool.lv.profile = (char *)"../../tmp/mine";
	refused(&stream, "has the profile '../../tmp/mine', which is no name of one");
	begin(&stream);
	stream.settled[0].sectors = 1ULL << 54;
	refused(&stream, "web would have more extents than LVM counts");
}

static void a_name_that_lvm_could_not_have_is_refused(void)
{
	static const char *const bad[] = {
		"", "-x", ".", "..", "a/b", "a b", "a\"", "a_tdata", "lvol0_pmspare", "snapshot1",
		"pvmove0", "pool", "thick",
	};
	struct stream stream;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		begin(&stream);
		stream.settled[0].name = (char *)bad[i];
		refused(&stream, "--rename gives");
	}
	begin(&stream);
	stream.settled[0].name = (char *)"web-snap";
	refused(&stream, "volumes 1 and 2 would both be called web-snap");
}

static void volumes_that_are_origins_of_each_other_are_refused(void)
{
	struct stream stream;

	begin(&stream);
	stream.lvs[0].origin = (char *)"web-snap";
	refused(&stream, "origins of each other");
	begin(&stream);
	stream.lvs[0].origin = (char *)"web";
	refused(&stream, "origins of each other");
}

static void what_is_too_large_for_the_group_is_told(void)
{
	struct te_lvm_shape shape;
	struct stream stream;

	begin(&stream);
	stream.catalog.nr_data_blocks = 200 * 64;
	refused(&stream, "need 408 MiB more than the 400 MiB that are free");
	/* As large as a stream may say. */
	begin(&stream);
	stream.catalog.nr_data_blocks = (1ULL << 54) / 128;
	refused(&stream, "more extents than LVM counts");
	begin(&stream);
	stream.pool.lv.metadata_sectors = 1ULL << 54;
	refused(&stream, "that are free");
	/* Our own tag is of a pool that was sent half received. */
	begin(&stream);
	stream.pool.lv.tags.nr = 1;
	stream.pool.lv.tags.strings = (char *[]){ (char *)TE_LVM_NEW_TAG };
	CHECK_EQ(shape_of(&stream, &shape), 0);
	CHECK_EQ(shape.pool.tags.nr, 1);
	te_lvm_shape_exit(&shape);
}

UNIT_MAIN(UNIT(a_pool_is_as_its_stream_tells),
	  UNIT(what_lvm_could_not_read_again_is_refused_before_anything_is_made),
	  UNIT(a_name_that_lvm_could_not_have_is_refused),
	  UNIT(volumes_that_are_origins_of_each_other_are_refused),
	  UNIT(what_is_too_large_for_the_group_is_told))
