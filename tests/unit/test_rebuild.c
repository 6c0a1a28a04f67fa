// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pools with random histories, as dm-thin would have left them, are planned and
 * built anew: thin_dump must tell the same of both but for where blocks lie.
 */
#include <fcntl.h>
#include <unistd.h>

#include "generate.h"
#include "rebuild.h"
#include "unit.h"

static char metadata[64], data[64], built[64];

static void __attribute__((constructor)) name_files(void)
{
	snprintf(metadata, sizeof(metadata), "/tmp/test_rebuild.%d.metadata", (int)getpid());
	snprintf(data, sizeof(data), "/tmp/test_rebuild.%d.data", (int)getpid());
	snprintf(built, sizeof(built), "/tmp/test_rebuild.%d.built", (int)getpid());
}

static void __attribute__((destructor)) remove_files(void)
{
	unlink(metadata);
	unlink(data);
	unlink(built);
}

static void generate(const struct te_gen_history *history, u64 seed)
{
	int fd = open(metadata, O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct te_gen *gen;

	CHECK(fd >= 0);
	gen = te_gen_create(fd, 0, 0, 128, seed);
	te_gen_history(gen, history);
	te_gen_finish(gen);
	fd = open(data, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)(gen->nr_data_blocks * 65536)), 0);
	close(fd);
	te_gen_destroy(gen);
}

/* One line of a dump: a device, or a range of mappings. */
struct line {
	bool is_device;
	u64 a, b, c, d;			/* id, mapped, transaction, creation; or
					 * virtual, block, length, time */
};

static bool next_line(FILE *dump, struct line *line)
{
	unsigned long long a, b, c, d;
	char text[512];

	while (fgets(text, sizeof(text), dump)) {
		if (sscanf(text, " <device dev_id=\"%llu\" mapped_blocks=\"%llu\" transaction=\"%llu\" creation_time=\"%llu\"",
			   &a, &b, &c, &d) == 4) {
			*line = (struct line) { true, a, b, c, d };
			return true;
		}
		if (sscanf(text, " <range_mapping origin_begin=\"%llu\" data_begin=\"%llu\" length=\"%llu\" time=\"%llu\"",
			   &a, &b, &c, &d) == 4) {
			*line = (struct line) { false, a, b, c, d };
			return true;
		}
		if (sscanf(text, " <single_mapping origin_block=\"%llu\" data_block=\"%llu\" time=\"%llu\"",
			   &a, &b, &d) == 3) {
			*line = (struct line) { false, a, b, 1, d };
			return true;
		}
	}
	return false;
}

/* A dump, one mapping or device at a time: ranges may be cut elsewhere in the other. */
struct cursor {
	FILE *dump;
	struct line line;
	bool more;
};

static void start(struct cursor *cursor, const char *image)
{
	char command[128];

	snprintf(command, sizeof(command), "thin_dump %s", image);
	cursor->dump = popen(command, "r");
	CHECK(cursor->dump);
	cursor->more = next_line(cursor->dump, &cursor->line);
}

static void step(struct cursor *cursor)
{
	if (!cursor->line.is_device && --cursor->line.c) {
		cursor->line.a++;
		cursor->line.b++;
		return;
	}
	cursor->more = next_line(cursor->dump, &cursor->line);
}

/* The two dumps agree, one pool's blocks standing for the other's one to one. */
static void compare_dumps(u64 nr_blocks)
{
	u64 *new_of = malloc(nr_blocks * sizeof(u64)), *old_of = malloc(nr_blocks * sizeof(u64));
	struct cursor old, new;

	memset(new_of, 0xff, nr_blocks * sizeof(u64));
	memset(old_of, 0xff, nr_blocks * sizeof(u64));
	for (start(&old, metadata), start(&new, built); old.more && new.more;
	     step(&old), step(&new)) {
		CHECK_EQ(old.line.is_device, new.line.is_device);
		CHECK_EQ(old.line.a, new.line.a);
		if (old.line.is_device) {
			CHECK_EQ(old.line.b, new.line.b);
			CHECK_EQ(old.line.c, new.line.c);
			CHECK_EQ(old.line.d, new.line.d);
			continue;
		}
		CHECK(old.line.b < nr_blocks && new.line.b < nr_blocks);
		if (new_of[old.line.b] == ~0ULL && old_of[new.line.b] == ~0ULL) {
			new_of[old.line.b] = new.line.b;
			old_of[new.line.b] = old.line.b;
		}
		CHECK_EQ(new_of[old.line.b], new.line.b);
		CHECK_EQ(old_of[new.line.b], old.line.b);
	}
	CHECK(!old.more && !new.more);
	CHECK_EQ(pclose(old.dump), 0);
	CHECK_EQ(pclose(new.dump), 0);
	free(new_of);
	free(old_of);
}

static void rebuild_and_judge(const struct te_gen_history *history, u64 seed,
			      struct te_rebuilt *rebuilt)
{
	char command[128];

	generate(history, seed);
	CHECK_EQ(te_rebuild(metadata, data, built, rebuilt), 0);
	snprintf(command, sizeof(command), "thin_check -q %s", built);
	CHECK_EQ(system(command), 0);
	compare_dumps(2000000);
	CHECK(te_data_counts_are_true(built));
}

static void random_histories_are_rebuilt(void)
{
	struct te_rebuilt rebuilt;
	u64 seed;

	for (seed = 1; seed <= 24; seed++) {
		struct te_gen_history history = {
			.nr_mappings = seed % 3 == 0 ? 60000 : seed % 3 == 1 ? 3000 : 300,
			.nr_volumes = 1 + seed % 5,
			.nr_snapshots = (u32)(seed % 4 * 5),
			.nr_devices = seed % 7 == 0 ? 300 : 0,
			.change = seed % 2 ? 0.02 : 0.3,
			.run = seed % 5 ? 16 : 1,
			.scatter = seed % 2 ? 0.5 : 0.1,
			.discards = 0.4,
			.deletes = 0.2,
			.odd = true,
			.far = seed % 6 == 0,
			.hold = seed % 8 == 0,
		};

		rebuild_and_judge(&history, seed, &rebuilt);
		printf("# seed %llu: %zu volumes, %llu mappings, metadata blocks %llu -> %llu\n",
		       (unsigned long long)seed, rebuilt.nr_volumes,
		       (unsigned long long)rebuilt.nr_mappings,
		       (unsigned long long)rebuilt.source_blocks,
		       (unsigned long long)rebuilt.used_blocks);
	}
}

/* Sharing is kept: not more metadata than the source, whatever the changes are like. */
static void a_hundred_snapshots_take_no_more_metadata(void)
{
	static const struct { double change, scatter; u32 run; } kinds[] = {
		{ 0.01, 1, 1 }, { 0.01, 0.1, 32 }, { 0.001, 0.5, 8 }, { 0.1, 0.1, 32 },
	};
	struct te_rebuilt rebuilt;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct te_gen_history history = {
			.nr_mappings = 100000,
			.nr_volumes = 2,
			.nr_snapshots = 100,
			.change = kinds[i].change,
			.scatter = kinds[i].scatter,
			.run = kinds[i].run,
			.discards = 0.1,
		};

		rebuild_and_judge(&history, 100 + i, &rebuilt);
		printf("# metadata blocks %llu -> %llu (%.3f)\n",
		       (unsigned long long)rebuilt.source_blocks,
		       (unsigned long long)rebuilt.used_blocks,
		       (double)rebuilt.used_blocks / (double)rebuilt.source_blocks);
		CHECK(rebuilt.used_blocks * 100 <= rebuilt.source_blocks * 105);
	}
}

UNIT_MAIN(UNIT(random_histories_are_rebuilt),
	  UNIT(a_hundred_snapshots_take_no_more_metadata))
