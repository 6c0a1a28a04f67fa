// SPDX-License-Identifier: GPL-2.0-or-later
/* view: a moment of a live pool as a block device, for other tools. */
#include <json-c/json.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "live/record.h"
#include "base/say.h"
#include "source/source_options.h"

static enum te_exit open_named(const struct te_live_options *live, const char *view)
{
	u64 window_us = 0, bytes = 0;

	te_interrupt_catch();
	if (te_live_open_view(live, view, &window_us, &bytes))
		return TE_EXIT_FAILED;
	te_note("/dev/mapper/%s holds %s; the volumes stood still for %.1f ms", view,
		te_bytes(bytes), (double)window_us / 1000);
	return TE_EXIT_DONE;
}

static enum te_exit open_view(int argc, char **argv)
{
	static const struct option options[] = {
		TE_SOURCE_MOMENT_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct te_source_options source = { .named.live.reader = TE_LIVE_VIEW };
	enum te_exit exit = TE_EXIT_DONE;
	int c;

	while (exit == TE_EXIT_DONE && (c = getopt_long(argc, argv, "", options, NULL)) != -1)
		exit = te_source_take_option(&source, c, &te_cmd_view);
	if (exit == TE_EXIT_DONE && argc - optind != 2)
		exit = te_usage(&te_cmd_view);
	if (exit == TE_EXIT_DONE) {
		te_source_options_count(&source, argv[optind]);
		source.named.live.pool = argv[optind];
		exit = open_named(&source.named.live, argv[optind + 1]);
	}
	te_source_options_exit(&source);
	return exit;
}

static enum te_exit close_view(int argc, char **argv)
{
	if (argc != 2)
		return te_usage(&te_cmd_view);
	te_interrupt_catch();
	return te_live_close_view(argv[1]) ? TE_EXIT_FAILED : TE_EXIT_DONE;
}

/* A view as list shows it. */
struct shown {
	const struct te_run *run;
	bool open;			/* else interrupted: for cleanup, or close */
	u64 bytes;
	char started[TE_LISTING_TIME_BYTES];
};

static int show(const struct te_run *run, struct shown *shown)
{
	char uuid[TE_DM_UUID_BYTES], path[64];
	struct te_dm_device device;

	*shown = (struct shown){ .run = run };
	te_listing_time(run->started, shown->started);
	te_run_view_uuid(run, uuid);
	if (te_dm_find_uuid(uuid, &device))
		return 0;
	shown->open = run->phase == TE_RUN_OPEN;
	if (te_block_path(device.major, device.minor, path, sizeof(path)))
		return 0;
	return te_block_bytes(path, &shown->bytes);
}

static int show_line(void *context, const struct te_run *run)
{
	struct shown shown;
	int err;

	if (!run->view[0])
		return 0;
	err = show(run, &shown);
	if (!err)
		printf("%-22.22s %-22.22s %7zu %9s %s\n", run->view, run->pool_name,
		       run->nr_volumes, te_bytes(shown.bytes),
		       shown.open ? shown.started : "interrupted");
	return err;
}

static int show_json(void *context, const struct te_run *run)
{
	struct json_object *list = context, *view, *volumes;
	struct shown shown;
	size_t i;
	int err;

	if (!run->view[0])
		return 0;
	err = show(run, &shown);
	if (err)
		return err;
	view = json_object_new_object();
	volumes = json_object_new_array();
	for (i = 0; i < run->nr_volumes; i++) {
		struct json_object *volume = json_object_new_object();

		te_listing_number(volume, "id", run->volumes[i].dev_id);
		if (run->volumes[i].name[0])
			te_listing_text(volume, "name", run->volumes[i].name);
		json_object_array_add(volumes, volume);
	}
	te_listing_text(view, "name", run->view);
	te_listing_text(view, "pool", run->pool_name);
	json_object_object_add(view, "open", json_object_new_boolean(shown.open));
	te_listing_number(view, "bytes", shown.bytes);
	te_listing_number(view, "started", run->started);
	json_object_object_add(view, "volumes", volumes);
	json_object_array_add(list, view);
	return 0;
}

static enum te_exit list_json(void)
{
	struct json_object *list = json_object_new_array();
	int err = te_run_each(show_json, list);

	if (!err)
		printf("%s\n", json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
	return err ? TE_EXIT_FAILED : TE_EXIT_DONE;
}

static enum te_exit list_views(int argc, char **argv)
{
	bool json = argc == 2 && !strcmp(argv[1], "--json");

	if (argc != 1 && !json)
		return te_usage(&te_cmd_view);
	if (te_dm_start())
		return TE_EXIT_FAILED;
	if (json)
		return list_json();
	printf("%-22s %-22s %7s %9s %s\n", "VIEW", "POOL", "VOLUMES", "SIZE", "OPENED");
	return te_run_each(show_line, NULL) ? TE_EXIT_FAILED : TE_EXIT_DONE;
}

static enum te_exit run_view(int argc, char **argv)
{
	enum te_exit result = TE_EXIT_USAGE;

	if (argc > 1 && !strcmp(argv[1], "open"))
		result = open_view(argc - 1, argv + 1);
	else if (argc > 1 && !strcmp(argv[1], "close"))
		result = close_view(argc - 1, argv + 1);
	else if (argc > 1 && !strcmp(argv[1], "list"))
		result = list_views(argc - 1, argv + 1);
	else
		return te_usage(&te_cmd_view);
	if (fflush(stdout) || ferror(stdout)) {
		te_error("cannot write the listing: %s", strerror(errno));
		result = TE_EXIT_FAILED;
	}
	return result;
}

const struct te_cmd te_cmd_view = {
	.verb = "view",
	.synopsis = "open [OPTION]... POOL VIEW | close VIEW | list [--json]",
	.summary = "keep a moment of a live pool as a device for other tools",
	.help = "\n"
		"  open            freezes all volumes of POOL for a moment and leaves that\n"
		"                  moment as /dev/mapper/VIEW, read-only, until it is closed\n"
		"    --volume NAME   only this volume (its name or id); may be repeated\n"
		"    --window-limit MS  resume everything after so long, and fail (10000)\n"
		"  close           takes VIEW down, and the snapshots behind it\n"
		"  list            the views there are; --json for programs\n",
	.run = run_view,
};
