// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams that no sender of ours would write: received, or refused without a pool. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "receive/sink_pool.h"
#include "streams.h"
#include "unit.h"

#define SHARED	TE_OP_SHARED
#define BLOCK	128			/* sectors of a data block */

struct told_op {
	u16 kind;			/* 0: no more */
	u16 flags;
	u64 offset, length;		/* sectors */
};

/* A stream of two volumes, 1 and 5; the second's SHAREs are with the first. */
struct told {
	struct told_op ops[2][8];
	u64 provisioned[2];		/* sectors that each claims to map */
	u32 parent_kind;		/* of the second */
	const char *wanted;		/* only this volume; NULL: both */
};

static char metadata[64], data[64];

static void __attribute__((constructor)) name_files(void)
{
	snprintf(metadata, sizeof(metadata), "/tmp/test_receive.%d.metadata", (int)getpid());
	snprintf(data, sizeof(data), "/tmp/test_receive.%d.data", (int)getpid());
}

static void __attribute__((destructor)) remove_files(void)
{
	unlink(metadata);
	unlink(data);
}

static void write_catalog(struct te_stream_writer *writer, const struct told *told)
{
	struct te_catalog *catalog = te_catalog_create(2);
	char *json;
	u32 v;

	CHECK(catalog);
	catalog->block_sectors = BLOCK;
	catalog->nr_data_blocks = 1000;
	catalog->volumes[0].dev_id = 1;
	catalog->volumes[1].dev_id = 5;
	catalog->volumes[0].sectors = catalog->volumes[1].sectors = 64 * BLOCK;
	catalog->volumes[0].size_from = catalog->volumes[1].size_from = TE_SIZE_FROM_TABLE;
	for (v = 0; v < 2; v++)
		catalog->volumes[v].mapped_blocks = told->provisioned[v] / BLOCK;
	json = te_catalog_write(catalog);
	CHECK(json);
	CHECK_EQ(te_stream_write_catalog(writer, json), 0);
	free(json);
	te_catalog_destroy(catalog);
}

static void write_op(struct te_stream_writer *writer, const struct told_op *told)
{
	struct te_op op = {
		.offset = cpu_to_le64(told->offset),
		.length = cpu_to_le64(told->length),
		.kind = cpu_to_le16(told->kind),
		.flags = cpu_to_le16(told->flags),
	};
	u8 sector[512];
	u64 i;

	CHECK_EQ(writer_op(writer, &op), 0);
	for (i = 0; told->kind == TE_OP_DATA && i < told->length; i++) {
		memset(sector, (int)(1 + (told->offset + i) % 255), sizeof(sector));
		CHECK_EQ(writer_data(writer, sector, sizeof(sector)), 0);
	}
}

static void write_volume(struct te_stream_writer *writer, const struct told *told, u32 index)
{
	struct te_volume_begin volume = {
		.index = cpu_to_le32(index),
		.dev_id = cpu_to_le32(index ? 5 : 1),
		.flags = cpu_to_le32(TE_VOLUME_SIZE_KNOWN),
		.parent_kind = cpu_to_le32(index ? told->parent_kind : TE_PARENT_NONE),
		.virtual_sectors = cpu_to_le64(64 * BLOCK),
		.provisioned_sectors = cpu_to_le64(told->provisioned[index]),
	};
	u32 i;

	if (index && told->parent_kind == TE_PARENT_BASE) {
		memset(volume.base_stream_id, 7, sizeof(volume.base_stream_id));
		volume.base_dev_id = cpu_to_le32(1);
	}
	CHECK_EQ(te_stream_write_volume(writer, &volume), 0);
	for (i = 0; told->ops[index][i].kind; i++)
		write_op(writer, &told->ops[index][i]);
	CHECK_EQ(writer_volume_end(writer), 0);
}

static u64 provisioned_in(const struct told *told)
{
	u64 sum = 0;
	u32 v, i;

	for (v = 0; v < 2; v++)
		for (i = 0; told->ops[v][i].kind; i++)
			if (told->ops[v][i].kind == TE_OP_DATA || told->ops[v][i].kind == TE_OP_ZERO)
				sum += told->ops[v][i].length;
	return sum;
}

static int write_stream(const struct told *told)
{
	struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(BLOCK),
		.stream_id = "sixteen bytes id",
		.nr_data_blocks = cpu_to_le64(1000),
		.provisioned_sectors = cpu_to_le64(provisioned_in(told)),
		.nr_volumes = cpu_to_le32(2),
	};
	struct te_codec_choice none = { TE_CODEC_NONE, 0 };
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct te_stream_writer *writer = writer_create(fd, "it", none);

	CHECK(writer);
	CHECK_EQ(te_stream_write_begin(writer, &begin), 0);
	write_catalog(writer, told);
	write_volume(writer, told, 0);
	write_volume(writer, told, 1);
	CHECK_EQ(te_stream_write_end(writer), 0);
	writer_destroy(writer);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static bool is_pool(void)
{
	char command[128];

	snprintf(command, sizeof(command), "thin_check -q %s", metadata);
	return system(command) == 0;
}

static void make_file(const char *path, off_t bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, bytes), 0);
	close(fd);
}

/* Onto a fresh target of 32 blocks. */
static int receive(const struct told *told)
{
	const struct te_receive_options options = { .threads = 3 };
	struct te_choice choice = { .settled = NULL };
	struct te_receive_totals totals;
	struct te_sink *sink;
	struct te_target target;
	int fd = write_stream(told), err;

	if (told->wanted)
		CHECK_EQ(te_words_add(&choice.volumes, (char *)told->wanted), 0);
	make_file(metadata, 1 << 20);
	make_file(data, 32 * 65536);
	CHECK_EQ(te_target_open(&target, metadata, data, false), 0);
	sink = te_sink_pool_create(&target, &options);
	CHECK(sink);
	err = te_receive(fd, "it", sink, &choice, &options, &totals);
	te_sink_pool_destroy(sink);
	te_choice_exit(&choice);
	te_target_close(&target);
	close(fd);
	CHECK_EQ(is_pool(), err == 0);
	return err;
}

static void refused(const struct told *told, int err, const char *words)
{
	const char *said;
	int got;

	hear();
	got = receive(told);
	said = heard();
	if (got != err || !strstr(said, words))
		UNIT_FAIL("returned %d, said: %s", got, said);
}

static void ops_may_be_cut_inside_a_block(void)
{
	const struct told told = {
		.ops = { { { TE_OP_DATA, 0, BLOCK, 5 }, { TE_OP_ZERO, 0, BLOCK + 5, 200 },
			   { TE_OP_DATA, 0, BLOCK + 205, 51 }, { 0 } },
			 { { TE_OP_ZERO, 0, 0, 1 }, { TE_OP_DATA, 0, 1, 127 }, { 0 } } },
		.provisioned = { 2 * BLOCK, BLOCK },
	};
	u8 sectors[3 * BLOCK][512], one[512];
	int fd, i;

	CHECK_EQ(receive(&told), 0);
	fd = open(data, O_RDONLY);
	CHECK_EQ(read(fd, sectors, sizeof(sectors)), (long long)sizeof(sectors));
	close(fd);
	for (i = 0; i < 3 * BLOCK; i++) {
		/* The second volume's block lies behind the first's two. */
		int at = i < 2 * BLOCK ? BLOCK + i : i - 2 * BLOCK;
		bool zero = i < 2 * BLOCK ? i >= 5 && i < 205 : at < 1;

		memset(one, zero ? 0 : 1 + at % 255, sizeof(one));
		CHECK_EQ(memcmp(sectors[i], one, sizeof(one)), 0);
	}
}

static void what_begins_or_ends_inside_a_block_is_refused(void)
{
	static const struct told_op first[][3] = {
		{ { TE_OP_DATA, 0, 0, 100 } },				/* ends */
		{ { TE_OP_DATA, 0, 28, 100 } },				/* begins */
		{ { TE_OP_DATA, 0, 0, 100 }, { TE_OP_ZERO, 0, 200, 56 } },
		{ { TE_OP_DATA, 0, 0, 100 }, { TE_OP_DATA, SHARED, 100, 28 } },
		{ { TE_OP_DATA, 0, 0, 100 }, { TE_OP_ZERO, 0, BLOCK, BLOCK } },
	};
	static const struct told_op second[] = {
		{ TE_OP_SHARE, 0, 1, BLOCK }, { TE_OP_SHARE, 0, BLOCK, 64 },
		{ TE_OP_UNMAP, 0, 64, 64 }, { TE_OP_UNMAP, 0, 0, 1 },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(first); i++) {
		struct told told = { .provisioned = { 2 * BLOCK, 0 } };

		memcpy(told.ops[0], first[i], sizeof(first[i]));
		refused(&told, -EBADMSG, "inside a block");
	}
	for (i = 0; i < ARRAY_SIZE(second); i++) {
		struct told told = {
			.ops = { { { TE_OP_DATA, SHARED, 0, 4 * BLOCK } }, { second[i] } },
			.provisioned = { 4 * BLOCK, 4 * BLOCK },
			.parent_kind = TE_PARENT_VOLUME,
		};

		refused(&told, -EBADMSG, "inside a block");
	}
}

static void a_block_not_announced_as_shared_is_not_shared(void)
{
	struct told by_share = {
		.ops = { { { TE_OP_DATA, 0, 0, 4 * BLOCK } }, { { TE_OP_SHARE, 0, BLOCK, BLOCK } } },
		.provisioned = { 4 * BLOCK, BLOCK },
	};
	struct told by_parent = {
		.ops = { { { TE_OP_DATA, SHARED, 0, BLOCK }, { TE_OP_DATA, 0, BLOCK, BLOCK } } },
		.provisioned = { 2 * BLOCK, 2 * BLOCK },
		.parent_kind = TE_PARENT_VOLUME,
	};

	refused(&by_share, -EBADMSG, "not announced as shared");
	refused(&by_parent, -EBADMSG, "not announced as shared");
}

/* What a dropped volume had alone is not written, so nobody can take it over. */
static void a_chosen_volume_shares_nothing_else_either(void)
{
	struct told told = {
		.ops = { { { TE_OP_DATA, SHARED, 0, BLOCK }, { TE_OP_DATA, 0, BLOCK, BLOCK } },
			 { { TE_OP_SHARE, 0, 0, 2 * BLOCK } } },
		.provisioned = { 2 * BLOCK, 2 * BLOCK },
		.wanted = "5",
	};

	refused(&told, -EBADMSG, "volume 5 maps 64 KiB, not the 128 KiB it announced");
	told.ops[0][1].flags = SHARED;
	CHECK_EQ(receive(&told), 0);
	/* Of a volume that is needed, too, all is looked at. */
	told.provisioned[0] = 3 * BLOCK;
	refused(&told, -EBADMSG, "volume 1 maps 128 KiB, not the 192 KiB it announced");
	told.wanted = "6";
	refused(&told, -ENOENT, "has no volume 6; it has 1, 5");
}

static void a_volume_that_maps_less_or_more_than_it_said_is_refused(void)
{
	struct told told = {
		.ops = { { { TE_OP_DATA, SHARED, 0, 4 * BLOCK } }, { { TE_OP_UNMAP, 0, 0, BLOCK } } },
		.provisioned = { 4 * BLOCK, 3 * BLOCK },
		.parent_kind = TE_PARENT_VOLUME,
	};

	CHECK_EQ(receive(&told), 0);
	told.provisioned[1] = 4 * BLOCK;
	refused(&told, -EBADMSG, "volume 5 maps 192 KiB, not the 256 KiB it announced");
	told.provisioned[1] = 2 * BLOCK;
	refused(&told, -EBADMSG, "volume 5 maps 192 KiB, not the 128 KiB it announced");
}

static void a_stream_from_a_base_is_refused_in_words(void)
{
	struct told told = {
		.ops = { { { TE_OP_DATA, 0, 0, BLOCK } }, { { TE_OP_DATA, 0, 0, BLOCK } } },
		.provisioned = { BLOCK, BLOCK },
		.parent_kind = TE_PARENT_BASE,
	};

	refused(&told, -EOPNOTSUPP, "since a base");
}

static void a_target_one_block_too_small_is_refused(void)
{
	struct told told = {
		.ops = { { { TE_OP_DATA, 0, 0, 32 * BLOCK } } },
		.provisioned = { 32 * BLOCK, 0 },
	};

	CHECK_EQ(receive(&told), 0);
	told.ops[0][0].length = told.provisioned[0] = 33 * BLOCK;
	refused(&told, -ENOSPC, "65536 bytes more are needed");
}

UNIT_MAIN(UNIT(ops_may_be_cut_inside_a_block),
	  UNIT(what_begins_or_ends_inside_a_block_is_refused),
	  UNIT(a_block_not_announced_as_shared_is_not_shared),
	  UNIT(a_chosen_volume_shares_nothing_else_either),
	  UNIT(a_volume_that_maps_less_or_more_than_it_said_is_refused),
	  UNIT(a_stream_from_a_base_is_refused_in_words),
	  UNIT(a_target_one_block_too_small_is_refused))
