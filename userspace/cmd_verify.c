// SPDX-License-Identifier: GPL-2.0-or-later
/* thinexport verify: reads all of a stream and says what was checked. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "listing.h"
#include "say.h"
#include "verify.h"

typedef unsigned long long ull;

/* Reads to the end: te_stream_next checks all there is to check. */
static int read_through(struct te_stream_reader *reader, struct te_verified *verified)
{
	struct te_record record;
	int result;

	while ((result = te_stream_next(reader, &record)) == 1) {
		verified->frames++;
		if (record.kind == TE_RECORD_SKIPPED)
			verified->skipped_frames++;
		if (record.kind != TE_RECORD_END)
			continue;
		verified->volumes = le32_to_cpu(record.end->nr_volumes);
		verified->nr_ops = le64_to_cpu(record.end->nr_ops);
		verified->data_sectors = le64_to_cpu(record.end->data_sectors);
		verified->zero_sectors = le64_to_cpu(record.end->zero_sectors);
	}
	verified->bytes = te_stream_read_bytes(reader);
	return result;
}

static void print(const char *name, const struct te_verified *verified)
{
	printf("%s: good\n", name);
	printf("%llu frames in %s: order, checksums, sizes, digest\n", (ull)verified->frames,
	       te_bytes(verified->bytes));
	printf("%llu volumes, %llu ops: parents, sources, offsets, totals\n",
	       (ull)verified->volumes, (ull)verified->nr_ops);
	printf("%s of data decoded, %s of zeros\n", te_bytes(verified->data_sectors * 512),
	       te_bytes(verified->zero_sectors * 512));
	if (verified->skipped_frames)
		printf("%llu optional frames of unknown kinds: checksums only\n",
		       (ull)verified->skipped_frames);
}

static enum te_exit verify(const char *path)
{
	struct te_verified verified = { 0 };
	struct te_stream_reader *reader;
	const char *name;
	int fd = te_stream_open(path, &name), result;

	if (fd < 0)
		return TE_EXIT_FAILED;
	reader = te_stream_reader_create(fd, name);
	if (!reader) {
		te_error("%s: not enough memory to read a stream", name);
		return TE_EXIT_FAILED;
	}
	result = read_through(reader, &verified);
	te_stream_reader_destroy(reader);
	close(fd);
	if (result)
		return TE_EXIT_FAILED;
	print(name, &verified);
	return te_listing_end();
}

static enum te_exit run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};

	if (getopt_long(argc, argv, "h", options, NULL) != -1 || argc - optind > 1)
		return te_usage(&te_cmd_verify);
	return verify(argv[optind]);
}

const struct te_cmd te_cmd_verify = {
	.verb = "verify",
	.synopsis = "[STREAM]",
	.summary = "checks all of a stream",
	.help = "Reads standard input without STREAM or for \"-\".\n",
	.run = run,
};
