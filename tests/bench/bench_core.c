// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Times the core on a pool's metadata, read as the command reads it: opened anew
 * for each run, past the page cache where the file system can.
 *
 *	bench-core walk METADATA DATA
 *		all volumes: seconds, of these on the CPU, nodes read, mappings in
 *		them, KiB resident
 *	bench-core diff METADATA DATA OLD NEW
 *		volume NEW in full, its difference to OLD: the best seconds
 *		and the mappings of each
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "core/diff.h"
#include "core/reach.h"
#include "base/say.h"
#include "source/source.h"

#define RUNS	7

static struct te_fault fault;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int err)
{
	if (!err)
		return;
	te_error_fault("bench-core", &fault);
	exit(1);
}

static struct te_source *open_source(char **argv)
{
	struct te_source *source = te_source_open_devices(argv[2], argv[3], TE_ROOT_SUPERBLOCK);

	if (!source)
		exit(1);
	return source;
}

static struct te_reach new_reach(const struct te_source *source)
{
	struct te_reach reach;

	must(te_reach_init(&reach, source->reader->nr_blocks, source->nr_data_blocks,
			   source->block_sectors));
	return reach;
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Mappings in the nodes that were reached: shared ones once. */
static u64 count_mappings(struct te_source *source, const struct te_reach *reach)
{
	const struct te_range all = { 0, ~0ULL };
	u64 block, count = 0;

	for (block = 0; block < reach->metadata.nr_bits; block++) {
		struct te_node node;
		void *cookie;

		if (!te_bitmap_test(&reach->metadata, block))
			continue;
		must(te_node_get(source->reader, block, sizeof(__le64), all, &node, &cookie,
				 &fault));
		count += node.leaf ? node.nr_entries : 0;
		te_node_put(source->reader, cookie);
	}
	return count;
}

static int walk(char **argv)
{
	double start = now(), cpu_start = cpu_seconds(), seconds, cpu;
	struct te_source *source = open_source(argv);
	struct te_reach reach = new_reach(source);
	struct rusage usage;
	size_t i;

	for (i = 0; i < source->nr_volumes; i++)
		must(te_reach_volume(&reach, source->reader, source->volumes[i].details.root,
				     &fault));
	seconds = now() - start;
	cpu = cpu_seconds() - cpu_start;
	getrusage(RUSAGE_SELF, &usage);
	printf("%.4f %.4f %" PRIu64 " %" PRIu64 " %ld\n", seconds, cpu,
	       reach.metadata.nr_set, count_mappings(source, &reach), usage.ru_maxrss);
	te_reach_exit(&reach);
	te_source_close(source);
	return 0;
}

static u64 root_of(const struct te_source *source, const char *id)
{
	size_t i;

	for (i = 0; i < source->nr_volumes; i++)
		if (source->volumes[i].details.dev_id == strtoul(id, NULL, 10))
			return source->volumes[i].details.root;
	fprintf(stderr, "bench-core: no volume %s\n", id);
	exit(1);
}

static int count_entry(void *context, u64 virtual_block, bool has_old, u64 old_value, bool has_new,
		       u64 new_value)
{
	++*(u64 *)context;
	return 0;
}

/* Volume NEW in full, with nothing of it in memory before. */
static double time_walk(char **argv, u64 *mappings)
{
	struct te_source *source = open_source(argv);
	struct te_reach reach = new_reach(source);
	double start = now();

	must(te_reach_volume(&reach, source->reader, root_of(source, argv[5]), &fault));
	start = now() - start;
	*mappings = reach.data.nr_set;
	te_reach_exit(&reach);
	te_source_close(source);
	return start;
}

static double time_diff(char **argv, u64 *entries)
{
	static const struct te_diff_ops ops = { .entry = count_entry };
	struct te_source *source = open_source(argv);
	struct te_diff *diff;
	double start = now();

	*entries = 0;
	diff = te_diff_create(source->reader, &ops, entries, &fault);
	must(diff ? te_diff_run(diff, root_of(source, argv[4]), root_of(source, argv[5])) :
		    -ENOMEM);
	te_diff_destroy(diff);
	start = now() - start;
	te_source_close(source);
	return start;
}

/* The best of several, taken in turn. */
static int diff(char **argv)
{
	double walked = 1e9, differed = 1e9, seconds;
	u64 mappings, entries;
	int run;

	for (run = 0; run < RUNS; run++) {
		seconds = time_walk(argv, &mappings);
		walked = seconds < walked ? seconds : walked;
		seconds = time_diff(argv, &entries);
		differed = seconds < differed ? seconds : differed;
	}
	printf("%.6f %" PRIu64 " %.6f %" PRIu64 "\n", walked, mappings, differed, entries);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "walk"))
		return walk(argv);
	if (argc == 6 && !strcmp(argv[1], "diff"))
		return diff(argv);
	fprintf(stderr, "Usage: bench-core walk METADATA DATA | diff METADATA DATA OLD NEW\n");
	return 2;
}
