// SPDX-License-Identifier: GPL-2.0-or-later
/* passdown: devices that give an array the space that is freed above it. */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "base/say.h"
#include "base/words.h"
#include "passdown/create.h"
#include "passdown/restripe.h"
#include "passdown/shim.h"
#include "passdown/shim_status.h"

#define MOST_STRIPE	(1u << 30)	/* what the target takes */

static enum te_exit take_stripe(const char *text, u32 *sectors)
{
	u64 bytes;

	if (te_size_option("--stripe", text, MOST_STRIPE, &bytes))
		return TE_EXIT_USAGE;
	*sectors = (u32)(bytes >> 9);
	if (bytes % 4096 == 0)
		return TE_EXIT_DONE;
	te_error("--stripe %s is not a multiple of 4096", text);
	return TE_EXIT_USAGE;
}

static enum te_exit create(const struct te_shim_wish *wish)
{
	char name[TE_DM_NAME_BYTES];
	struct te_stripe stripe;

	if (te_dm_start() || te_shim_create(wish, name, &stripe))
		return TE_EXIT_FAILED;
	te_note("/dev/mapper/%s: stripes of %s (%s)", name,
		te_bytes((u64)stripe.sectors * 512), stripe.from);
	te_note("use it in place of %s from now on; LVM must not look at that any more (global_filter in lvm.conf, also in the initramfs' copy of it: see thinexport(8))",
		wish->path);
	return TE_EXIT_DONE;
}

static enum te_exit run_create(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stripe", required_argument, NULL, 's' },
		{ "auto", no_argument, NULL, 'a' },
		{ "zero-fill", no_argument, NULL, 'z' },
		{ "once", no_argument, NULL, 'o' },
		{ NULL }
	};
	struct te_shim_wish wish = { .path = NULL };
	enum te_exit exit = TE_EXIT_DONE;
	int c;

	while (exit == TE_EXIT_DONE && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 's')
			exit = take_stripe(optarg, &wish.stripe_sectors);
		else if (c == 'a')
			wish.auto_pass = true;
		else if (c == 'z')
			wish.zero_fill = true;
		else if (c == 'o')
			wish.once = true;
		else
			exit = te_usage(&te_cmd_passdown);
	}
	if (exit != TE_EXIT_DONE)
		return exit;
	if (argc - optind < 1 || argc - optind > 2)
		return te_usage(&te_cmd_passdown);
	wish.path = argv[optind];
	wish.name = argv[optind + 1];
	return create(&wish);
}

static enum te_exit run_start(int argc, char **argv)
{
	static const struct option options[] = {
		{ "wait", required_argument, NULL, 'w' },
		{ NULL }
	};
	const char *rest;
	u64 seconds = 0;
	size_t nr;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (c != 'w' || !te_parse_number(optarg, '\0', 3600, &seconds, &rest))
			return te_usage(&te_cmd_passdown);
	if (argc - optind > 1)
		return te_usage(&te_cmd_passdown);
	te_interrupt_catch();
	if (te_dm_start() || te_shim_start(argv[optind], (unsigned int)seconds, &nr))
		return TE_EXIT_FAILED;
	te_note("%zu passdown device%s made", nr, nr == 1 ? "" : "s");
	return TE_EXIT_DONE;
}

struct listing {
	struct json_object *list;	/* NULL: for people */
	size_t nr;
};

static int show(void *context, const struct te_shim *shim)
{
	struct listing *listing = context;

	if (listing->list)
		json_object_array_add(listing->list, te_shim_json(shim));
	else
		te_shim_print(shim);
	listing->nr++;
	return 0;
}

static enum te_exit status(const char *name, bool json)
{
	struct listing listing = { .list = NULL };
	struct json_object *object = NULL;
	struct te_shim shim;
	int err = te_dm_start();

	if (json) {
		object = json_object_new_object();
		listing.list = json_object_new_array();
		json_object_object_add(object, "passdowns", listing.list);
	}
	if (!err && name) {
		err = te_shim_find(name, &shim);
		if (!err)
			show(&listing, &shim);
	} else if (!err) {
		err = te_shim_each(show, &listing);
		if (err)
			te_error("the passdown devices cannot be listed: %s", strerror(-err));
	}
	if (err) {
		json_object_put(object);
		return TE_EXIT_FAILED;
	}
	if (json)
		te_listing_json(object);
	else if (!listing.nr)
		te_note("there is no passdown device");
	return te_listing_end();
}

static enum te_exit run_status(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ NULL }
	};
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'j')
			return te_usage(&te_cmd_passdown);
		json = true;
	}
	if (argc - optind > 1)
		return te_usage(&te_cmd_passdown);
	return status(argv[optind], json);
}

static enum te_exit run_flush(int argc, char **argv)
{
	struct te_shim_flush flush = { .passed_stripes = 0 };
	struct te_shim shim;
	int err;

	if (argc != 2)
		return te_usage(&te_cmd_passdown);
	te_interrupt_catch();
	if (te_dm_start() || te_shim_find(argv[1], &shim))
		return TE_EXIT_FAILED;
	te_shim_warn_of_stripe(&shim);
	err = te_shim_flush(&shim, &flush);
	te_note("%s: %s passed down, %s still due", shim.dm.name,
		te_bytes(te_shim_stripe_bytes(&shim, flush.passed_stripes)),
		te_bytes(te_shim_stripe_bytes(&shim, flush.due_stripes)));
	if (flush.failed_passes)
		te_error("%s: %llu discards failed below (see the kernel's log); what they were for is still due",
			 shim.dm.name, (unsigned long long)flush.failed_passes);
	return err || flush.failed_passes ? TE_EXIT_FAILED : TE_EXIT_DONE;
}

static enum te_exit run_restripe(int argc, char **argv)
{
	static const struct option options[] = {
		{ "stripe", required_argument, NULL, 's' },
		{ NULL }
	};
	struct te_stripe stripe;
	enum te_exit exit;
	u32 given = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		exit = c == 's' ? take_stripe(optarg, &given) : te_usage(&te_cmd_passdown);
		if (exit != TE_EXIT_DONE)
			return exit;
	}
	if (argc - optind != 1)
		return te_usage(&te_cmd_passdown);
	if (te_dm_start() || te_shim_restripe(argv[optind], given, &stripe))
		return TE_EXIT_FAILED;
	te_note("%s: stripes of %s (%s)", argv[optind], te_bytes((u64)stripe.sectors * 512),
		stripe.from);
	return TE_EXIT_DONE;
}

static enum te_exit run_remove(int argc, char **argv)
{
	const char *name;

	if (argc != 2)
		return te_usage(&te_cmd_passdown);
	name = strncmp(argv[1], "/dev/mapper/", 12) ? argv[1] : argv[1] + 12;
	if (strchr(name, '/')) {
		te_error("%s is no name of a passdown; `thinexport passdown status` lists them", name);
		return TE_EXIT_FAILED;
	}
	return te_dm_start() || te_shim_remove(name) ? TE_EXIT_FAILED : TE_EXIT_DONE;
}

static enum te_exit run_passdown(int argc, char **argv)
{
	static const struct {
		const char *word;
		enum te_exit (*run)(int argc, char **argv);
	} acts[] = {
		{ "create", run_create }, { "start", run_start }, { "status", run_status },
		{ "flush", run_flush },	  { "restripe", run_restripe }, { "remove", run_remove },
	};
	size_t i;

	for (i = 0; argc > 1 && i < ARRAY_SIZE(acts); i++)
		if (!strcmp(argv[1], acts[i].word))
			return acts[i].run(argc - 1, argv + 1);
	return te_usage(&te_cmd_passdown);
}

const struct te_cmd te_cmd_passdown = {
	.verb = "passdown",
	.synopsis = "create [OPTION]... DEVICE [NAME] | start [NAME] |\n"
		    "                           status [--json] [NAME] | flush NAME | remove NAME |\n"
		    "                           restripe [--stripe BYTES] NAME",
	.summary = "give an array the space that is freed above it",
	.help = "\n"
		"  create          puts a passdown on DEVICE, an array or what lies on one, as\n"
		"                  /dev/mapper/NAME (DEVICE's name and -passdown): it takes every\n"
		"                  discard and passes whole stripes down; kept for each boot\n"
		"    --stripe BYTES  the stripe, where md does not tell it: 192K\n"
		"    --auto          pass stripes down as they fall due, not when flushed\n"
		"    --zero-fill     overwrite stripes with zeros where no discard is taken\n"
		"    --once          until the next boot\n"
		"  start           makes those that are kept and not there yet\n"
		"    --wait SECONDS  wait so long for the devices below\n"
		"  status          what is free, due and passed down, and what is in the way\n"
		"  flush           passes down what is due\n"
		"  restripe        takes over the stripe that the array has after a reshape\n"
		"    --stripe BYTES  this one, where md does not tell it\n"
		"  remove          takes NAME down, and what is kept of it\n",
	.run = run_passdown,
};
