// SPDX-License-Identifier: GPL-2.0-or-later
/* thinexport info: the volumes of a stream or a source, their sizes and what they share. */
#include <unistd.h>

#include "cmd/cmd.h"
#include "show/info.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "base/say.h"
#include "source/source_options.h"
#include "stream/stream_read.h"

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

/* A live pool is frozen for it as for a send: only so do its numbers belong together. */
static struct te_info *gather_source(const struct te_source_named *named)
{
	struct te_source_opened opened;
	struct te_info *info;

	te_interrupt_catch();
	if (te_source_open_any(named, &opened))
		return NULL;
	info = te_info_of_source(opened.source);
	if (te_source_close_any(&opened)) {
		te_info_destroy(info);
		return NULL;
	}
	return info;
}

static enum te_exit run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		TE_SOURCE_DEVICE_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct te_source_options source = { .named.live.reader = TE_LIVE_DIRECT };
	const struct te_source_named *named = &source.named;
	enum te_exit exit = TE_EXIT_DONE;
	struct te_info *info;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else
			exit = te_source_take_option(&source, c, &te_cmd_info);
		if (exit != TE_EXIT_DONE)
			return exit;
	}
	if (argc - optind > 1 || te_source_options_count(&source, argv[optind]) < 0)
		return te_usage(&te_cmd_info);
	if (named->metadata || (named->what && te_source_is_named(named->what)))
		info = gather_source(named);
	else
		info = gather_stream(named->what);
	if (!info && te_interrupted())
		te_error("interrupted");
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
	.synopsis = "[--json] [STREAM|SOURCE | --metadata PATH --data PATH]",
	.summary = "list the volumes of a stream or a pool, and what they share",
	.help = "SOURCE is as for send.  Without it, or for \"-\", reads standard input.\n\n"
		"  --json                one JSON object\n"
		"  --metadata, --data    devices or image files of a pool that is not active\n",
	.run = run,
};
