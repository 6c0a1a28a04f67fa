// SPDX-License-Identifier: GPL-2.0-or-later
/* thinexport info: the volumes of a stream, their sizes and what they share. */
#include <getopt.h>
#include <unistd.h>

#include "cmd.h"
#include "info.h"
#include "listing.h"
#include "stream_read.h"

static struct te_info *gather_stream(const char *path)
{
	struct te_info *info;
	const char *name;
	int fd = te_stream_open(path, &name);

	if (fd < 0)
		return NULL;
	info = te_info_of_stream(fd, name);
	close(fd);
	return info;
}

static enum te_exit run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct te_info *info;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c != 'j')
			return te_usage(&te_cmd_info);
		json = true;
	}
	if (argc - optind > 1)
		return te_usage(&te_cmd_info);
	info = gather_stream(argv[optind]);
	if (!info)
		return TE_EXIT_FAILED;
	if (json)
		te_info_print_json(info);
	else
		te_info_print(info);
	te_info_destroy(info);
	return te_listing_end();
}

const struct te_cmd te_cmd_info = {
	.verb = "info",
	.synopsis = "[--json] [STREAM]",
	.summary = "lists a stream's volumes and what they share",
	.help = "Reads standard input without STREAM or for \"-\".\n\n"
		"  --json    one JSON object\n",
	.run = run,
};
