// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan, on pools with a random history.
 *
 * Its ops are replayed in a model that knows no trees: each volume a sorted array
 * of mappings, each DATA block a new number.  What comes out is compared with
 * what thin_dump says of the source.
 */
#include "plan.h"

#include <fcntl.h>
#include <thinexport/thin_disk.h>
#include <unistd.h>

#include "dumped.h"
#include "generate.h"
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

/* The receiving side as simply as can be. */
struct block {
	u64 pool_block;			/* it was a copy of */
	bool shared;			/* as its DATA said */
};

struct mapping {
	u64 virtual_block;
	size_t block;			/* index of a struct block */
};

struct model_volume {
	struct mapping *mappings;	/* ascending */
	size_t nr;
};

struct model {
	struct te_plan *plan;
	struct block *blocks;
	size_t nr_blocks, room_blocks;
	struct model_volume *volumes;	/* in the plan's order */
	size_t index;			/* being replayed */
	struct mapping *next;		/* its mappings so far, ascending */
	size_t nr, room;
	size_t parent_at;		/* the parent's mappings before this one are dealt with */
	u64 position;			/* where the last op ended */
	u64 nr_ops;
	const char *wrong;		/* what was found first, or NULL */
};

static void append(struct model *model, u64 virtual_block, size_t block)
{
	if (model->nr == model->room) {
		model->room = model->room ? 2 * model->room : 64;
		model->next = realloc(model->next, model->room * sizeof(*model->next));
	}
	model->next[model->nr++] = (struct mapping){ virtual_block, block };
}

/* Takes over a mapping of an earlier volume, which a receiver does for shared blocks only. */
static void take_over(struct model *model, const struct mapping *mapping)
{
	if (!model->blocks[mapping->block].shared)
		model->wrong = "a block is taken over that was not marked shared";
	append(model, mapping->virtual_block, mapping->block);
}

static const struct model_volume *parent_of(const struct model *model)
{
	static const struct model_volume nothing;
	long parent = model->plan->volumes[model->index].parent;

	return parent < 0 ? &nothing : &model->volumes[parent];
}

/* What no op mentions, up to `end`, is the parent's. */
static void inherit(struct model *model, u64 end)
{
	const struct model_volume *parent = parent_of(model);

	while (model->parent_at < parent->nr &&
	       parent->mappings[model->parent_at].virtual_block < end)
		take_over(model, &parent->mappings[model->parent_at++]);
}

/* What the parent has in the op's range is replaced; how many mappings that are. */
static u64 replace(struct model *model, u64 end)
{
	const struct model_volume *parent = parent_of(model);
	u64 count = 0;

	while (model->parent_at < parent->nr &&
	       parent->mappings[model->parent_at].virtual_block < end) {
		model->parent_at++;
		count++;
	}
	return count;
}

static void replay_data(struct model *model, const struct te_plan_op *op)
{
	u64 i;

	for (i = 0; i < op->count; i++) {
		if (model->nr_blocks == model->room_blocks) {
			model->room_blocks = model->room_blocks ? 2 * model->room_blocks : 1024;
			model->blocks = realloc(model->blocks,
						model->room_blocks * sizeof(*model->blocks));
		}
		model->blocks[model->nr_blocks] =
			(struct block){ op->pool_block + i, op->shared };
		append(model, op->virtual_block + i, model->nr_blocks++);
	}
}

static void replay_share(struct model *model, const struct te_plan_op *op)
{
	const struct model_volume *source = &model->volumes[op->source];
	size_t i;

	if (op->source >= model->index) {
		model->wrong = "a SHARE names a volume that does not come before";
		return;
	}
	for (i = 0; i < source->nr; i++)
		if (source->mappings[i].virtual_block >= op->virtual_block &&
		    source->mappings[i].virtual_block < op->virtual_block + op->count)
			take_over(model, &source->mappings[i]);
}

static int replay(void *context, const struct te_plan_op *op)
{
	struct model *model = context;
	u64 end = op->virtual_block + op->count, replaced;

	if (!op->count || op->virtual_block < model->position)
		model->wrong = "ops do not ascend";
	model->position = end;
	model->nr_ops++;
	inherit(model, op->virtual_block);
	replaced = replace(model, end);
	switch (op->kind) {
	case TE_OP_DATA:
		replay_data(model, op);
		break;
	case TE_OP_SHARE:
		replay_share(model, op);
		break;
	default:
		if (replaced != op->count)
			model->wrong = "an UNMAP of what the parent has not";
	}
	return 0;
}

static void replay_volume(struct model *model, size_t index)
{
	model->index = index;
	model->next = NULL;
	model->nr = model->room = model->parent_at = 0;
	model->position = model->nr_ops = 0;
	CHECK(!te_plan_ops(model->plan, index, replay, model));
	inherit(model, ~0ULL);
	model->volumes[index] = (struct model_volume){ model->next, model->nr };
}

static struct model *replay_plan(struct te_plan *plan)
{
	struct model *model = calloc(1, sizeof(*model));
	size_t i;

	model->plan = plan;
	model->volumes = calloc(plan->nr_volumes + 1, sizeof(*model->volumes));
	for (i = 0; i < plan->nr_volumes; i++) {
		replay_volume(model, i);
		CHECK_EQ(model->nr_ops, plan->volumes[i].nr_ops);
	}
	if (model->wrong)
		UNIT_FAIL("%s", model->wrong);
	return model;
}

static void free_model(struct model *model)
{
	size_t i;

	for (i = 0; i < model->plan->nr_volumes; i++)
		free(model->volumes[i].mappings);
	free(model->volumes);
	free(model->blocks);
	free(model);
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

/* A plan of metadata that was written by hand. */
static struct te_plan *plan_of_xml(struct files *files, const char *xml, struct te_source **source)
{
	struct te_plan *plan;

	make_files(files);
	CHECK(!truncate(files->metadata, 4 << 20));
	dumped_restore(xml, files->metadata);
	set_data_size(files, 1000, 128);
	*source = open_files(files);
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
	  UNIT(damaged_nodes_with_good_checksums_are_survived))
