// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan, on pools with a random history.
 *
 * What comes out when its ops are replayed is compared with what thin_dump says
 * of the source.
 */
#include "send/plan.h"

#include <fcntl.h>
#include <thinexport/thin_disk.h>
#include <unistd.h>

#include "dumped.h"
#include "generate.h"
#include "replay.h"
#include "unit.h"

/* A pool in two files; the data is a hole as long as it has to be. */
struct files {
	int fd;
	char metadata[64];
	char data[64];
};

static void make_files(struct files *files)
{
	strcpy(files->metadata, "/tmp/te-plan-metadata-XXXXXX");
	strcpy(files->data, "/tmp/te-plan-data-XXXXXX");
	files->fd = mkstemp(files->metadata);
	close(mkstemp(files->data));
}

static void set_data_size(const struct files *files, u64 nr_blocks, u32 block_sectors)
{
	CHECK(!truncate(files->data, (off_t)(nr_blocks * block_sectors * 512)));
}

static void remove_files(struct files *files)
{
	close(files->fd);
	unlink(files->metadata);
	unlink(files->data);
}

static const struct te_gen_history histories[] = {
	{ .nr_mappings = 3000, .nr_volumes = 2, .nr_snapshots = 6, .change = 0.02, .run = 8,
	  .scatter = 0.3 },
	{ .nr_mappings = 6000, .nr_volumes = 1, .nr_snapshots = 25, .change = 0.05, .run = 3,
	  .scatter = 0.8, .discards = 0.5, .deletes = 0.4 },
	{ .nr_mappings = 2000, .nr_volumes = 3, .nr_snapshots = 8, .change = 0.1, .run = 20,
	  .discards = 0.8, .far = true, .odd = true, .hold = true },
	{ .nr_mappings = 500, .nr_volumes = 2, .nr_snapshots = 40, .change = 0.3, .run = 2,
	  .scatter = 0.9, .discards = 0.3, .deletes = 0.7, .odd = true },
	{ .nr_mappings = 20000, .nr_volumes = 2, .nr_snapshots = 4, .change = 0.01, .run = 50,
	  .discards = 0.2 },
};

#define NR_HISTORIES	ARRAY_SIZE(histories)

/* Writes a pool of history and seed into the files; `shift` moves all its blocks. */
static void make_pool(const struct files *files, size_t history, u64 seed, u64 shift)
{
	struct te_gen *gen = te_gen_create(files->fd, 0, 400000, 128, seed);

	gen->next_metadata_block += shift;
	gen->next_data_block += shift;
	te_gen_history(gen, &histories[history]);
	te_gen_finish(gen);
	set_data_size(files, 400000, 128);
	te_gen_destroy(gen);
}

static const struct dumped_volume *find_dumped(const struct dumped *dumped, u32 id)
{
	size_t i;

	for (i = 0; i < dumped->nr_volumes; i++)
		if (dumped->volumes[i].id == id)
			return &dumped->volumes[i];
	UNIT_FAIL("thin_dump knows no volume %u", id);
}

/* How many mappings of the plan's volumes each pool block has. */
static u32 *count_mappings(const struct te_plan *plan, const struct dumped *dumped)
{
	u32 *counts = calloc(dumped->nr_data_blocks, sizeof(*counts));
	size_t i, j;

	for (i = 0; i < plan->nr_volumes; i++) {
		const struct dumped_volume *volume =
			find_dumped(dumped, plan->volumes[i].volume->details.dev_id);

		for (j = 0; j < volume->nr; j++)
			counts[volume->mappings[j].pool_block]++;
	}
	return counts;
}

static void check_volume(const struct model *model, size_t index,
			 const struct dumped_volume *wanted, const u32 *counts)
{
	const struct te_plan_volume *planned = &model->plan->volumes[index];
	const struct model_volume *got = &model->volumes[index];
	u64 shared = 0;
	size_t i;

	CHECK_EQ(got->nr, wanted->nr);
	for (i = 0; i < wanted->nr; i++) {
		CHECK_EQ(got->mappings[i].virtual_block, wanted->mappings[i].virtual_block);
		CHECK_EQ(model->blocks[got->mappings[i].block].pool_block,
			 wanted->mappings[i].pool_block);
		shared += counts[wanted->mappings[i].pool_block] > 1;
	}
	CHECK_EQ(planned->mapped_blocks, wanted->nr);
	CHECK_EQ(planned->shared_blocks, shared);
	CHECK_EQ(planned->end_block,
		 wanted->nr ? wanted->mappings[wanted->nr - 1].virtual_block + 1 : 0);
}

/* Mappings, marks and counts, against thin_dump. */
static void check_plan(struct te_plan *plan, const struct dumped *dumped)
{
	struct model *model = replay_plan(plan);
	u32 *counts = count_mappings(plan, dumped);
	u64 provisioned = 0, shared = 0;
	size_t i;

	if (model->wrong)
		UNIT_FAIL("%s", model->wrong);
	for (i = 0; i < plan->nr_volumes; i++) {
		CHECK(plan->volumes[i].parent < (long)i);
		check_volume(model, i, find_dumped(dumped, plan->volumes[i].volume->details.dev_id),
			     counts);
	}
	for (i = 0; i < dumped->nr_data_blocks; i++) {
		provisioned += counts[i] > 0;
		shared += counts[i] > 1;
	}
	CHECK_EQ(plan->provisioned_blocks, provisioned);
	CHECK_EQ(plan->shared_blocks, shared);
	CHECK_EQ(plan->sent_blocks, model->nr_blocks);
	CHECK_EQ(plan->sent_blocks, plan->provisioned_blocks + plan->resent_blocks);
	for (i = 0; i < model->nr_blocks; i++)
		CHECK_EQ(model->blocks[i].shared, counts[model->blocks[i].pool_block] > 1);
	free(counts);
	free_model(model);
}

static struct te_source *open_files(const struct files *files)
{
	struct te_source *source = te_source_open_devices(files->metadata, files->data,
							  TE_ROOT_SUPERBLOCK);

	CHECK(source);
	return source;
}

static void every_volume_arrives_as_thin_dump_shows_it(void)
{
	u64 seed;

	for (seed = 0; seed < 6 * NR_HISTORIES; seed++) {
		struct te_source *source;
		struct dumped *dumped;
		struct te_plan *plan;
		struct files files;

		make_files(&files);
		make_pool(&files, seed % NR_HISTORIES, seed, 0);
		source = open_files(&files);
		dumped = dumped_read(files.metadata);
		CHECK_EQ(source->nr_volumes, dumped->nr_volumes);
		plan = te_plan_create(source);
		CHECK(plan);
		CHECK_EQ(plan->resent_blocks, 0);
		check_plan(plan, dumped);
		te_plan_destroy(plan);
		te_source_close(source);
		dumped_free(dumped);
		remove_files(&files);
	}
}

/* Chooses about half of the volumes. */
static void choose_some(struct te_source *source, u64 seed)
{
	char **wanted = calloc(source->nr_volumes + 1, sizeof(*wanted));
	size_t i, nr = 0;

	for (i = 0; i < source->nr_volumes; i++)
		if ((seed * 0x9e3779b97f4a7c15ULL >> (i % 60)) & 1)
			CHECK(asprintf(&wanted[nr++], "%u", source->volumes[i].details.dev_id) > 0);
	CHECK(!te_source_choose(source, wanted, nr));
	CHECK_EQ(source->nr_volumes, nr);
	while (nr)
		free(wanted[--nr]);
	free(wanted);
}

static void some_volumes_alone_share_only_among_themselves(void)
{
	u64 seed;

	for (seed = 100; seed < 100 + 4 * NR_HISTORIES; seed++) {
		struct te_source *source;
		struct dumped *dumped;
		struct te_plan *plan;
		struct files files;

		make_files(&files);
		make_pool(&files, seed % NR_HISTORIES, seed, 0);
		source = open_files(&files);
		choose_some(source, seed);
		dumped = dumped_read(files.metadata);
		plan = te_plan_create(source);
		CHECK(plan);
		check_plan(plan, dumped);
		te_plan_destroy(plan);
		te_source_close(source);
		dumped_free(dumped);
		remove_files(&files);
	}
}

/* A plan's ops cut into single blocks, without where the blocks lie. */
struct shape {
	u64 *words;
	size_t nr, room;
};

static void add_word(struct shape *shape, u64 word)
{
	if (shape->nr == shape->room) {
		shape->room = shape->room ? 2 * shape->room : 1024;
		shape->words = realloc(shape->words, shape->room * sizeof(*shape->words));
	}
	shape->words[shape->nr++] = word;
}

static int add_shape(void *context, const struct te_plan_op *op)
{
	u64 i;

	for (i = 0; i < op->count; i++) {
		add_word(context, op->virtual_block + i);
		add_word(context, (u64)op->kind << 40 | (u64)op->shared << 36 | op->source);
	}
	return 0;
}

static struct shape shape_of(const struct files *files)
{
	struct te_source *source = open_files(files);
	struct te_plan *plan = te_plan_create(source);
	struct shape shape = { 0 };
	size_t i;

	CHECK(plan);
	for (i = 0; i < plan->nr_volumes; i++) {
		add_word(&shape, plan->volumes[i].volume->details.dev_id);
		add_word(&shape, (u64)plan->volumes[i].parent);
		CHECK(!te_plan_ops(plan, i, add_shape, &shape));
	}
	te_plan_destroy(plan);
	te_source_close(source);
	return shape;
}

static void where_blocks_lie_changes_no_op(void)
{
	u64 seed;

	for (seed = 200; seed < 200 + 2 * NR_HISTORIES; seed++) {
		struct shape here, there;
		struct files files;

		make_files(&files);
		make_pool(&files, seed % NR_HISTORIES, seed, 0);
		here = shape_of(&files);
		make_pool(&files, seed % NR_HISTORIES, seed, 5000);
		there = shape_of(&files);
		CHECK_EQ(here.nr, there.nr);
		CHECK(!memcmp(here.words, there.words, here.nr * sizeof(*here.words)));
		free(here.words);
		free(there.words);
		remove_files(&files);
	}
}

/* Metadata that was written by hand. */
static struct te_source *open_xml(struct files *files, const char *xml)
{
	make_files(files);
	CHECK(!truncate(files->metadata, 4 << 20));
	dumped_restore(xml, files->metadata);
	set_data_size(files, 1000, 128);
	return open_files(files);
}

static struct te_plan *plan_of_xml(struct files *files, const char *xml, struct te_source **source)
{
	struct te_plan *plan;

	*source = open_xml(files, xml);
	plan = te_plan_create(*source);
	CHECK(plan);
	return plan;
}

static void check_xml(const char *xml, u64 resent)
{
	struct te_source *source;
	struct dumped *dumped;
	struct te_plan *plan;
	struct files files;

	plan = plan_of_xml(&files, xml, &source);
	dumped = dumped_read(files.metadata);
	check_plan(plan, dumped);
	CHECK_EQ(plan->resent_blocks, resent);
	dumped_free(dumped);
	te_plan_destroy(plan);
	te_source_close(source);
	remove_files(&files);
}

static void a_block_shared_at_another_place_is_sent_again(void)
{
	check_xml("<superblock uuid=\"\" time=\"1\" transaction=\"1\" data_block_size=\"128\" nr_data_blocks=\"1000\">"
		  "<device dev_id=\"1\" mapped_blocks=\"31\" transaction=\"0\" creation_time=\"0\" snap_time=\"1\">"
		  "<range_mapping origin_begin=\"0\" data_begin=\"100\" length=\"30\" time=\"0\"/>"
		  "<single_mapping origin_block=\"500\" data_block=\"400\" time=\"0\"/></device>"
		  "<device dev_id=\"2\" mapped_blocks=\"30\" transaction=\"0\" creation_time=\"0\" snap_time=\"1\">"
		  "<range_mapping origin_begin=\"10\" data_begin=\"100\" length=\"30\" time=\"0\"/></device>"
		  "<device dev_id=\"3\" mapped_blocks=\"60\" transaction=\"0\" creation_time=\"1\" snap_time=\"1\">"
		  "<range_mapping origin_begin=\"10\" data_begin=\"100\" length=\"30\" time=\"0\"/>"
		  "<range_mapping origin_begin=\"100\" data_begin=\"200\" length=\"30\" time=\"0\"/></device>"
		  "</superblock>", 30);
}

static void a_block_mapped_twice_by_one_volume_is_sent_twice(void)
{
	check_xml("<superblock uuid=\"\" time=\"1\" transaction=\"1\" data_block_size=\"128\" nr_data_blocks=\"1000\">"
		  "<device dev_id=\"1\" mapped_blocks=\"3\" transaction=\"0\" creation_time=\"0\" snap_time=\"1\">"
		  "<single_mapping origin_block=\"0\" data_block=\"5\" time=\"0\"/>"
		  "<single_mapping origin_block=\"7\" data_block=\"5\" time=\"0\"/>"
		  "<single_mapping origin_block=\"9\" data_block=\"6\" time=\"0\"/></device>"
		  "<device dev_id=\"2\" mapped_blocks=\"1\" transaction=\"0\" creation_time=\"0\" snap_time=\"1\">"
		  "<single_mapping origin_block=\"7\" data_block=\"5\" time=\"0\"/></device>"
		  "</superblock>", 1);
}

static void a_pool_without_volumes_is_an_empty_plan(void)
{
	check_xml("<superblock uuid=\"\" time=\"1\" transaction=\"1\" data_block_size=\"128\" nr_data_blocks=\"1000\">"
		  "</superblock>", 0);
}

static void a_length_that_nobody_knows_is_that_of_the_mappings(void)
{
	struct te_source *source;
	struct te_plan *plan;
	struct files files;

	plan = plan_of_xml(&files,
		"<superblock uuid=\"\" time=\"1\" transaction=\"1\" data_block_size=\"256\" nr_data_blocks=\"100\">"
		"<device dev_id=\"1\" mapped_blocks=\"1\" transaction=\"0\" creation_time=\"0\" snap_time=\"1\">"
		"<single_mapping origin_block=\"41\" data_block=\"6\" time=\"0\"/></device>"
		"<device dev_id=\"2\" mapped_blocks=\"0\" transaction=\"0\" creation_time=\"0\" snap_time=\"1\">"
		"</device></superblock>", &source);
	CHECK_EQ(source->volumes[0].virtual_sectors, 42 * 256);
	CHECK_EQ(source->volumes[0].size_from, TE_SIZE_FROM_MAPPINGS);
	CHECK_EQ(source->volumes[1].virtual_sectors, 0);
	te_plan_destroy(plan);
	te_source_close(source);
	remove_files(&files);
}

/* Told in the opposite order, so that a sort which changes nothing is seen. */
static void of_volumes_of_one_age_the_smaller_id_goes_first(void)
{
	char xml[8192], *to = xml;
	struct te_source *source;
	struct te_plan *plan;
	struct files files;
	unsigned int i;

	to += sprintf(to, "<superblock uuid=\"\" time=\"1\" transaction=\"1\" data_block_size=\"128\" nr_data_blocks=\"1000\">");
	for (i = 0; i < 20; i++)
		to += sprintf(to, "<device dev_id=\"%u\" mapped_blocks=\"1\" transaction=\"0\" creation_time=\"1\" snap_time=\"1\">"
			      "<single_mapping origin_block=\"%u\" data_block=\"%u\" time=\"1\"/></device>",
			      3 * i + 1, i, 500 - i);
	strcpy(to, "</superblock>");
	source = open_xml(&files, xml);
	CHECK_EQ(source->nr_volumes, 20);
	for (i = 0; i < 10; i++) {
		struct te_volume volume = source->volumes[i];

		source->volumes[i] = source->volumes[19 - i];
		source->volumes[19 - i] = volume;
	}
	plan = te_plan_create(source);
	CHECK(plan);
	for (i = 0; i < 20; i++)
		CHECK_EQ(plan->volumes[i].volume->details.dev_id, 3 * i + 1);
	te_plan_destroy(plan);
	te_source_close(source);
	remove_files(&files);
}

static int ignore_op(void *context, const struct te_plan_op *op)
{
	return 0;
}

/* True when the files still make a plan, and all its ops come. */
static bool can_be_planned(const struct files *files)
{
	struct te_source *source = te_source_open_devices(files->metadata, files->data,
							  TE_ROOT_SUPERBLOCK);
	struct te_plan *plan = source ? te_plan_create(source) : NULL;
	bool can = plan;
	size_t i;

	for (i = 0; can && i < plan->nr_volumes; i++)
		can = !te_plan_ops(plan, i, ignore_op, NULL);
	te_plan_destroy(plan);
	te_source_close(source);
	return can;
}

/* One word of one node changed, to what might stand there, and the checksum mended. */
static void damage_node(struct thin_disk_node *node, u64 nr_blocks)
{
	__le64 *words = (__le64 *)node;
	size_t at = 2 + (size_t)rand() % (rand() % 2 ? 60 : 500);

	switch (rand() % 4) {
	case 0:
		words[at] = cpu_to_le64((u64)rand() % nr_blocks);
		break;
	case 1:
		words[at] = cpu_to_le64((u64)rand() << 33 ^ (u64)rand());
		break;
	case 2:
		words[at] = words[2 + (size_t)rand() % 500];
		break;
	default:
		words[at] = cpu_to_le64(le64_to_cpu(words[at]) ^ 1ULL << rand() % 64);
	}
	node->csum = cpu_to_le32(crc32c(~0u, &node->flags, THIN_METADATA_BLOCK_BYTES - 4) ^
				 THIN_NODE_CSUM_XOR);
}

static void damaged_nodes_with_good_checksums_are_survived(void)
{
	union {
		struct thin_disk_node node;
		u8 bytes[THIN_METADATA_BLOCK_BYTES];
	} block, damaged;
	int said = dup(STDERR_FILENO), quiet = open("/dev/null", O_WRONLY);
	unsigned int tries, refused = 0, done = 0;
	struct files files;
	u64 nr_blocks;

	srand(1);
	make_files(&files);
	make_pool(&files, 1, 7, 0);
	nr_blocks = (u64)lseek(files.fd, 0, SEEK_END) / sizeof(block);
	dup2(quiet, STDERR_FILENO);
	for (tries = 0; tries < 20000 && done < 600; tries++) {
		u64 at = 1 + (u64)rand() % (nr_blocks - 1);

		CHECK(pread(files.fd, &block, sizeof(block), (off_t)(at * sizeof(block))) ==
		      sizeof(block));
		if (le64_to_cpu(block.node.blocknr) != at || le32_to_cpu(block.node.flags) > 2)
			continue;
		damaged = block;
		damage_node(&damaged.node, nr_blocks);
		CHECK(pwrite(files.fd, &damaged, sizeof(block), (off_t)(at * sizeof(block))) > 0);
		refused += !can_be_planned(&files);
		done++;
		CHECK(pwrite(files.fd, &block, sizeof(block), (off_t)(at * sizeof(block))) > 0);
	}
	dup2(said, STDERR_FILENO);
	close(quiet);
	close(said);
	CHECK_EQ(done, 600);
	CHECK(refused > 50);
	CHECK(can_be_planned(&files));
	remove_files(&files);
}

UNIT_MAIN(UNIT(every_volume_arrives_as_thin_dump_shows_it),
	  UNIT(some_volumes_alone_share_only_among_themselves),
	  UNIT(where_blocks_lie_changes_no_op),
	  UNIT(a_block_shared_at_another_place_is_sent_again),
	  UNIT(a_block_mapped_twice_by_one_volume_is_sent_twice),
	  UNIT(a_pool_without_volumes_is_an_empty_plan),
	  UNIT(a_length_that_nobody_knows_is_that_of_the_mappings),
	  UNIT(of_volumes_of_one_age_the_smaller_id_goes_first),
	  UNIT(damaged_nodes_with_good_checksums_are_survived))
