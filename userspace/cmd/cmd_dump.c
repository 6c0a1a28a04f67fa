// SPDX-License-Identifier: GPL-2.0-or-later
/* thinexport dump: every record of a stream. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "show/dump.h"
#include "base/listing.h"
#include "base/say.h"

static enum te_exit dump(const char *path, bool json)
{
	struct te_stream_reader *reader;
	struct te_record record;
	const char *name;
	int fd = te_stream_open(path, &name), result;

	if (fd < 0)
		return TE_EXIT_FAILED;
	reader = te_stream_reader_create(fd, name);
	if (!reader) {
		te_error("%s: not enough memory to read a stream", name);
		return TE_EXIT_FAILED;
	}
	while ((result = te_stream_next(reader, &record)) == 1) {
		if (json)
			te_dump_json(&record);
		else
			te_dump_text(&record, te_stream_catalog(reader));
	}
	te_stream_reader_destroy(reader);
	close(fd);
	/* What was good before the damage is on stdout, and told apart by the status. */
	return te_listing_end() == TE_EXIT_DONE && !result ? TE_EXIT_DONE : TE_EXIT_FAILED;
}

static enum te_exit run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j')
			return te_usage(&te_cmd_dump);
		json = true;
	}
	if (argc - optind > 1)
		return te_usage(&te_cmd_dump);
	return dump(argv[optind], json);
}

const struct te_cmd te_cmd_dump = {
	.verb = "dump",
	.synopsis = "[--json] [STREAM]",
	.summary = "print every record of a stream",
	.help = "Reads standard input without STREAM or for \"-\".\n\n"
		"  --json    one JSON object a line\n",
	.run = run,
};
