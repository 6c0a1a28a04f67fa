// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Real metadata: what the core reads of it is what thin_dump says, for pools made
 * by thin_restore and for generated ones, which thin_check finds clean.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/details.h"
#include "core/walk.h"
#include "generate.h"
#include "unit.h"

static char folder[] = "/tmp/thinexport-real-XXXXXX";
static struct te_fault fault;

/* Runs a shell command in the folder; its exit status. */
static int shell(const char *command)
{
	char line[1024];

	snprintf(line, sizeof(line), "cd %s && { %s ; } >log 2>&1", folder, command);
	return system(line);
}

static const char *in_folder(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

/* All of a pool as text, a line a fact, whoever tells it. */
struct text {
	char *bytes;
	size_t nr;
	FILE *to;
};

static struct text *new_text(void)
{
	struct text *text = calloc(1, sizeof(*text));

	text->to = open_memstream(&text->bytes, &text->nr);
	return text;
}

static bool same_text(struct text *a, struct text *b)
{
	bool same;

	fclose(a->to);
	fclose(b->to);
	same = a->nr == b->nr && !memcmp(a->bytes, b->bytes, a->nr);
	free(a->bytes);
	free(a);
	free(b->bytes);
	free(b);
	return same;
}

typedef unsigned long long ull;

static void tell_pool(FILE *to, ull time, ull transaction, ull block_sectors, ull data_blocks)
{
	fprintf(to, "pool %llu %llu %llu %llu\n", time, transaction, block_sectors, data_blocks);
}

static void tell_device(FILE *to, ull id, ull mapped, ull transaction, ull created, ull snapped)
{
	fprintf(to, "device %llu %llu %llu %llu %llu\n", id, mapped, transaction, created, snapped);
}

static void tell_mapping(FILE *to, ull key, ull block, ull time)
{
	fprintf(to, "%llu %llu %llu\n", key, block, time);
}

/* What thin_dump prints, line by line. */
static struct text *text_of_dump(const char *name)
{
	struct text *text = new_text();
	FILE *dump = fopen(in_folder(name), "r");
	ull a, b, c, d, e;
	char line[1024];

	if (!dump)
		UNIT_FAIL("no dump");
	while (fgets(line, sizeof(line), dump)) {
		char *at = line + strspn(line, " ");

		if (sscanf(at, "<superblock uuid=\"\" time=\"%llu\" transaction=\"%llu\" version=\"2\" "
			   "data_block_size=\"%llu\" nr_data_blocks=\"%llu\">", &a, &b, &c, &d) == 4 ||
		    sscanf(at, "<superblock uuid=\"\" time=\"%llu\" transaction=\"%llu\" flags=\"0\" "
			   "version=\"2\" data_block_size=\"%llu\" nr_data_blocks=\"%llu\">",
			   &a, &b, &c, &d) == 4)
			tell_pool(text->to, a, b, c, d);
		else if (sscanf(at, "<device dev_id=\"%llu\" mapped_blocks=\"%llu\" "
				"transaction=\"%llu\" creation_time=\"%llu\" snap_time=\"%llu\">",
				&a, &b, &c, &d, &e) == 5)
			tell_device(text->to, a, b, c, d, e);
		else if (sscanf(at, "<single_mapping origin_block=\"%llu\" data_block=\"%llu\" "
				"time=\"%llu\"/>", &a, &b, &c) == 3)
			tell_mapping(text->to, a, b, c);
		else if (sscanf(at, "<range_mapping origin_begin=\"%llu\" data_begin=\"%llu\" "
				"length=\"%llu\" time=\"%llu\"/>", &a, &b, &c, &d) == 4)
			for (e = 0; e < c; e++)
				tell_mapping(text->to, a + e, b + e, d);
		else if (strncmp(at, "</", 2))
			UNIT_FAIL("thin_dump says: %s", line);
	}
	fclose(dump);
	return text;
}

/* The same of what the core reads. */
struct core_text {
	struct te_reader *reader;
	FILE *to;
};

static int tell_leaf(void *context, const struct te_node *node, struct te_range range)
{
	struct core_text *core = context;
	u32 i;

	for (i = 0; i < node->nr_entries; i++) {
		u64 value = te_node_value64(node, i);

		tell_mapping(core->to, te_node_key(node, i), te_mapping_block(value),
			     te_mapping_time(value));
	}
	return 0;
}

static int tell_volume(void *context, const struct te_details *details)
{
	static const struct te_walk_ops ops = { .leaf = tell_leaf };
	struct core_text *core = context;
	struct te_walk walk = {
		.reader = core->reader, .ops = &ops, .context = core, .value_bytes = 8,
		.fault = &fault,
	};

	tell_device(core->to, details->dev_id, details->mapped_blocks, details->transaction_id,
		    details->creation_time, details->snapshotted_time);
	return te_walk_tree(&walk, details->root, (struct te_range){ 0, ~0ULL });
}

/* Metadata in a file. */
struct image {
	struct te_reader reader;
	char *bytes;
};

static int get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	*data = container_of(reader, struct image, reader)->bytes +
		block * THIN_METADATA_BLOCK_BYTES;
	*cookie = NULL;
	return 0;
}

static void put(struct te_reader *reader, void *cookie)
{
}

static struct image open_image(const char *name)
{
	static const struct te_reader_ops ops = { .get = get, .put = put };
	struct image image = { .reader.ops = &ops };
	int fd = open(in_folder(name), O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		UNIT_FAIL("no image");
	image.reader.nr_blocks = (u64)st.st_size / THIN_METADATA_BLOCK_BYTES;
	image.bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	return image;
}

static void close_image(struct image *image)
{
	munmap(image->bytes, image->reader.nr_blocks * THIN_METADATA_BLOCK_BYTES);
}

static struct text *text_of_core(struct image *image, bool held)
{
	struct text *text = new_text();
	struct core_text core = { .reader = &image->reader, .to = text->to };
	struct te_superblock sb;

	CHECK_EQ(te_superblock_read(&image->reader, held, &sb, &fault), 0);
	/* thin_dump of a metadata snapshot shows what its superblock lacks. */
	tell_pool(text->to, sb.time, sb.transaction_id, sb.data_block_sectors,
		  held ? 0 : sb.nr_data_blocks);
	CHECK_EQ(te_details_each(&image->reader, &sb, tell_volume, &core, &fault), 0);
	return text;
}

static void check_against_dump(const char *name, bool held)
{
	char command[128];
	struct image image;
	struct text *dumped, *read;

	snprintf(command, sizeof(command), "thin_dump %s %s >dump.xml", held ? "-m" : "", name);
	CHECK_EQ(shell(command), 0);
	dumped = text_of_dump("dump.xml");
	image = open_image(name);
	read = text_of_core(&image, held);
	CHECK(same_text(dumped, read));
	close_image(&image);
}

static void generate(const char *name, u64 seed, const struct te_gen_history *history)
{
	int fd = open(in_folder(name), O_RDWR | O_CREAT, 0600);
	struct te_gen *gen = te_gen_create(fd, 0, 0, 128, seed);

	te_gen_history(gen, history);
	te_gen_finish(gen);
	te_gen_destroy(gen);
	close(fd);
}

static const struct te_gen_history ordinary = {
	.nr_mappings = 8000, .nr_volumes = 3, .nr_snapshots = 10, .change = 0.05, .run = 20,
	.scatter = 0.1, .discards = 0.7, .deletes = 0.3, .odd = true, .hold = true,
};

static void generated_pools_are_clean(void)
{
	u64 seed;

	for (seed = 1; seed <= 10; seed++) {
		generate("generated", seed, &ordinary);
		CHECK_EQ(shell("thin_check generated"), 0);
	}
}

static void generated_pools_read_as_thin_dump_says(void)
{
	u64 seed;

	for (seed = 11; seed <= 15; seed++) {
		generate("generated", seed, &ordinary);
		check_against_dump("generated", false);
	}
}

static void metadata_snapshots_read_as_thin_dump_says(void)
{
	u64 seed;

	for (seed = 16; seed <= 20; seed++) {
		generate("generated", seed, &ordinary);
		check_against_dump("generated", true);
	}
}

static void restored_pools_read_as_thin_dump_says(void)
{
	u64 seed;

	for (seed = 21; seed <= 23; seed++) {
		generate("generated", seed, &ordinary);
		CHECK_EQ(shell("thin_dump generated >all.xml && rm -f restored && "
			       "truncate -s 32M restored && "
			       "thin_restore -i all.xml -o restored && thin_check restored"), 0);
		check_against_dump("restored", false);
	}
}

static void thousands_of_devices_make_a_deep_top_level(void)
{
	struct te_gen_history many = ordinary;

	many.nr_devices = 70000;
	generate("generated", 31, &many);
	CHECK_EQ(shell("thin_check generated"), 0);
	check_against_dump("generated", false);
}

static void virtual_blocks_reach_to_the_end_of_a_device(void)
{
	struct te_gen_history far = ordinary;

	far.far = true;
	generate("generated", 32, &far);
	CHECK_EQ(shell("thin_check generated"), 0);
	check_against_dump("generated", false);
}

static void the_counts_are_those_of_the_space_maps(void)
{
	struct te_superblock sb;
	struct image image;

	CHECK_EQ(shell("printf '<superblock uuid=\"\" time=\"1\" transaction=\"9\" version=\"2\" "
		       "data_block_size=\"256\" nr_data_blocks=\"5000\">"
		       "<device dev_id=\"3\" mapped_blocks=\"10\" transaction=\"1\" "
		       "creation_time=\"0\" snap_time=\"0\">"
		       "<range_mapping origin_begin=\"5\" data_begin=\"100\" length=\"10\" "
		       "time=\"0\"/></device></superblock>' >one.xml && "
		       "rm -f one && truncate -s 4M one && thin_restore -i one.xml -o one"), 0);
	image = open_image("one");
	CHECK_EQ(te_superblock_read(&image.reader, false, &sb, &fault), 0);
	CHECK_EQ(sb.transaction_id, 9);
	CHECK_EQ(sb.time, 1);
	CHECK_EQ(sb.data_block_sectors, 256);
	CHECK_EQ(sb.nr_data_blocks, 5000);
	CHECK_EQ(sb.nr_allocated_data_blocks, 10);
	CHECK_EQ(sb.nr_metadata_blocks, 1024);
	CHECK(sb.nr_allocated_metadata_blocks > 3 && sb.nr_allocated_metadata_blocks < 30);
	CHECK(!sb.held_root && !sb.needs_check);
	close_image(&image);
}

static void an_ext4_image_is_no_pool(void)
{
	struct te_superblock sb;
	struct image image;

	CHECK_EQ(shell("rm -f ext4 && truncate -s 1M ext4 && mke2fs -q -t ext4 ext4"), 0);
	image = open_image("ext4");
	CHECK_EQ(te_superblock_read(&image.reader, false, &sb, &fault), -EINVAL);
	CHECK_EQ(fault.kind, TE_FAULT_SB_MAGIC);
	close_image(&image);
}

static void clean_up(void)
{
	shell("rm -f generated restored all.xml dump.xml one one.xml ext4 log");
	rmdir(folder);
}

static __attribute__((constructor)) void prepare(void)
{
	if (!mkdtemp(folder))
		abort();
	atexit(clean_up);
}

UNIT_MAIN(UNIT(generated_pools_are_clean),
	  UNIT(generated_pools_read_as_thin_dump_says),
	  UNIT(metadata_snapshots_read_as_thin_dump_says),
	  UNIT(restored_pools_read_as_thin_dump_says),
	  UNIT(thousands_of_devices_make_a_deep_top_level),
	  UNIT(virtual_blocks_reach_to_the_end_of_a_device),
	  UNIT(the_counts_are_those_of_the_space_maps),
	  UNIT(an_ext4_image_is_no_pool))
