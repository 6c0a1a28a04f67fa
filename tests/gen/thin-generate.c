// SPDX-License-Identifier: GPL-2.0-or-later
/* thin-generate: makes up the metadata of a pool, and its data, for the tests. */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "generate.h"

static const char usage[] =
"Usage: thin-generate [OPTION]... METADATA-IMAGE\n"
"\n"
"Writes the metadata of a pool with a random history.  The same options make\n"
"the same image.  thin_check is clean on it.\n"
"\n"
"  --data FILE             also a data image: half noise, half repetition\n"
"  --zeros PERCENT         of its blocks are zero, holes in the file (0)\n"
"  --seed N                of everything random (1)\n"
"  --block-sectors N       of a data block (128)\n"
"  --metadata-blocks N     of 4 KiB, size of the metadata device (as needed)\n"
"  --data-blocks N         size of the data device (as needed)\n"
"  --mappings N            blocks first written, over all volumes (10000)\n"
"  --volumes N             thin volumes to begin with (3)\n"
"  --snapshots N           snapshots, also of snapshots (6)\n"
"  --devices N             further snapshots of one empty volume (0)\n"
"  --change PERCENT        of a volume, after each snapshot (5)\n"
"  --run N                 mean length of a write, blocks (32)\n"
"  --scatter PERCENT       of the changes hit single blocks (10)\n"
"  --discards PERCENT      chance of a discard after each snapshot (30)\n"
"  --deletes PERCENT       chance that a volume is deleted, likewise (10)\n"
"  --plain                 no discards, no deletes, no empty or one-block volumes\n"
"  --far                   virtual blocks from all of what a device can have\n"
"  --hold                  with a metadata snapshot, of some moment\n"
"  --list                  says what volumes there are: id, mapped blocks\n";

struct options {
	struct te_gen_history history;
	const char *metadata;
	const char *data;
	u32 zeros;
	u32 block_sectors;
	u64 seed;
	u64 metadata_blocks;
	u64 data_blocks;
	bool list;
};

static int wrong_usage(void)
{
	fputs(usage, stderr);
	exit(2);
}

static u64 number(const char *text, u64 most)
{
	char *end;
	u64 n = strtoull(text, &end, 0);

	if (end == text || *end || n > most)
		wrong_usage();
	return n;
}

static double percent(const char *text)
{
	char *end;
	double p = strtod(text, &end);

	if (end == text || *end || !(p >= 0 && p <= 100))
		wrong_usage();
	return p / 100;
}

enum {
	OPT_DATA = 1, OPT_ZEROS, OPT_SEED, OPT_BLOCK_SECTORS, OPT_METADATA_BLOCKS,
	OPT_DATA_BLOCKS, OPT_MAPPINGS, OPT_VOLUMES, OPT_SNAPSHOTS, OPT_DEVICES, OPT_CHANGE,
	OPT_RUN, OPT_SCATTER, OPT_DISCARDS, OPT_DELETES, OPT_PLAIN, OPT_FAR, OPT_HOLD, OPT_LIST,
	OPT_HELP,
};

static const struct option long_options[] = {
	{ "data", required_argument, NULL, OPT_DATA },
	{ "zeros", required_argument, NULL, OPT_ZEROS },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "block-sectors", required_argument, NULL, OPT_BLOCK_SECTORS },
	{ "metadata-blocks", required_argument, NULL, OPT_METADATA_BLOCKS },
	{ "data-blocks", required_argument, NULL, OPT_DATA_BLOCKS },
	{ "mappings", required_argument, NULL, OPT_MAPPINGS },
	{ "volumes", required_argument, NULL, OPT_VOLUMES },
	{ "snapshots", required_argument, NULL, OPT_SNAPSHOTS },
	{ "devices", required_argument, NULL, OPT_DEVICES },
	{ "change", required_argument, NULL, OPT_CHANGE },
	{ "run", required_argument, NULL, OPT_RUN },
	{ "scatter", required_argument, NULL, OPT_SCATTER },
	{ "discards", required_argument, NULL, OPT_DISCARDS },
	{ "deletes", required_argument, NULL, OPT_DELETES },
	{ "plain", no_argument, NULL, OPT_PLAIN },
	{ "far", no_argument, NULL, OPT_FAR },
	{ "hold", no_argument, NULL, OPT_HOLD },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 }
};

static void set_option(struct options *o, int option)
{
	switch (option) {
	case OPT_DATA: o->data = optarg; break;
	case OPT_ZEROS: o->zeros = (u32)number(optarg, 100); break;
	case OPT_SEED: o->seed = number(optarg, ~0ULL); break;
	case OPT_BLOCK_SECTORS:
		o->block_sectors = (u32)number(optarg, THIN_DATA_BLOCK_MAX_SECTORS);
		break;
	case OPT_METADATA_BLOCKS:
		o->metadata_blocks = number(optarg, THIN_METADATA_MAX_BLOCKS);
		break;
	case OPT_DATA_BLOCKS: o->data_blocks = number(optarg, 1ULL << 30); break;
	case OPT_MAPPINGS: o->history.nr_mappings = number(optarg, 1ULL << 30); break;
	case OPT_VOLUMES: o->history.nr_volumes = (u32)number(optarg, 100000); break;
	case OPT_SNAPSHOTS: o->history.nr_snapshots = (u32)number(optarg, 1000000); break;
	case OPT_DEVICES: o->history.nr_devices = (u32)number(optarg, 12000000); break;
	case OPT_CHANGE: o->history.change = percent(optarg); break;
	case OPT_RUN: o->history.run = (u32)number(optarg, 1u << 30); break;
	case OPT_SCATTER: o->history.scatter = percent(optarg); break;
	case OPT_DISCARDS: o->history.discards = percent(optarg); break;
	case OPT_DELETES: o->history.deletes = percent(optarg); break;
	case OPT_PLAIN:
		o->history.discards = 0;
		o->history.deletes = 0;
		o->history.odd = false;
		break;
	case OPT_FAR: o->history.far = true; break;
	case OPT_HOLD: o->history.hold = true; break;
	case OPT_LIST: o->list = true; break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		wrong_usage();
	}
}

static struct options parse(int argc, char **argv)
{
	struct options o = {
		.seed = 1,
		.block_sectors = THIN_DATA_BLOCK_MIN_SECTORS,
		.history = {
			.nr_mappings = 10000, .nr_volumes = 3, .nr_snapshots = 6,
			.change = 0.05, .run = 32, .scatter = 0.1, .discards = 0.3,
			.deletes = 0.1, .odd = true,
		},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(&o, option);
	if (optind + 1 != argc || !o.history.nr_volumes || !o.history.run || !o.block_sectors ||
	    o.block_sectors % THIN_DATA_BLOCK_MIN_SECTORS || o.history.deletes > 0.9)
		wrong_usage();
	o.metadata = argv[optind];
	return o;
}

static int create_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0644);

	if (fd < 0) {
		fprintf(stderr, "thin-generate: %s: %s\n", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static void write_data(const struct te_gen *gen, const struct options *o)
{
	size_t bytes = (size_t)gen->block_sectors * 512;
	int fd = create_file(o->data);
	char *buf = malloc(bytes);
	u64 block;

	if (!buf || ftruncate(fd, 0) || ftruncate(fd, (off_t)(gen->nr_data_blocks * bytes)))
		goto bad;
	for (block = 0; block < gen->end_data_block; block++) {
		if (!gen->data_refs[block] ||
		    !te_gen_content(o->seed, block, o->zeros, buf, bytes))
			continue;
		if (pwrite(fd, buf, bytes, (off_t)(block * bytes)) != (ssize_t)bytes)
			goto bad;
	}
	free(buf);
	if (!close(fd))
		return;
bad:
	fprintf(stderr, "thin-generate: %s: %s\n", o->data, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	int fd = create_file(o.metadata);
	struct te_gen *gen;
	size_t i;

	gen = te_gen_create(fd, o.metadata_blocks, o.data_blocks, o.block_sectors, o.seed);
	te_gen_history(gen, &o.history);
	te_gen_finish(gen);
	for (i = 0; o.list && i < gen->nr_volumes; i++)
		printf("%" PRIu32 " %" PRIu64 "\n", gen->volumes[i].id,
		       gen->volumes[i].mapped_blocks);
	if (o.data)
		write_data(gen, &o);
	te_gen_destroy(gen);
	if (close(fd)) {
		fprintf(stderr, "thin-generate: %s: %s\n", o.metadata, strerror(errno));
		return 1;
	}
	return 0;
}
