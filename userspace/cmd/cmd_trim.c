// SPDX-License-Identifier: GPL-2.0-or-later
/* trim: gives back what no volume of a pool has. */
#include <getopt.h>

#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "base/say.h"
#include "base/words.h"
#include "live/dm.h"
#include "passdown/trim.h"
#include "passdown/trim_each.h"
#include "passdown/trim_report.h"

static enum te_exit trim(const struct te_trim_options *options, bool json)
{
	struct te_trim_report report;
	int err;

	err = te_trim(options, &report);
	/* Before the walk was done there is nothing to be told. */
	if (report.size && json)
		te_trim_json(&report, options->dry);
	else if (report.size)
		te_trim_print(&report, options->dry);
	if (err == -EINTR)
		te_error("%s: interrupted", report.pool);
	if (report.failed_passes)
		te_error("%s: %llu discards failed below (see the kernel's log); what they were for is still due",
			 report.pool, (unsigned long long)report.failed_passes);
	if (te_listing_end() != TE_EXIT_DONE || err)
		return TE_EXIT_FAILED;
	return options->dry || te_trim_is_done(&report) ? TE_EXIT_DONE : TE_EXIT_FAILED;
}

struct all {
	struct te_trim_options options;
	bool json;
	size_t nr;
	enum te_exit exit;
};

/* One that fails does not keep the others from it. */
static int trim_one(void *context, const char *pool)
{
	struct all *all = context;

	if (te_interrupted())
		return -EINTR;
	all->options.pool = pool;
	all->nr++;
	if (trim(&all->options, all->json) != TE_EXIT_DONE)
		all->exit = TE_EXIT_FAILED;
	return 0;
}

static enum te_exit trim_all(const struct te_trim_options *options, bool json)
{
	struct all all = { .options = *options, .json = json };

	if (te_dm_start() || te_trim_each_pool(trim_one, &all))
		return TE_EXIT_FAILED;
	if (!all.nr)
		te_note("no active pool lies on a passdown");
	return all.exit;
}

static enum te_exit run_trim(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "rate", required_argument, NULL, 'r' },
		{ "all", no_argument, NULL, 'a' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "data", required_argument, NULL, 'd' },
		{ NULL }
	};
	struct te_trim_options trimming = { .pool = NULL };
	bool json = false, all = false;
	int c;

	while ((c = getopt_long(argc, argv, "n", options, NULL)) != -1) {
		if (c == 'n')
			trimming.dry = true;
		else if (c == 'j')
			json = true;
		else if (c == 'a')
			all = true;
		else if (c == 'm')
			trimming.metadata = optarg;
		else if (c == 'd')
			trimming.data = optarg;
		else if (c != 'r')
			return te_usage(&te_cmd_trim);
		else if (te_size_option("--rate", optarg, INT64_MAX, &trimming.most_rate))
			return TE_EXIT_USAGE;
	}
	if (!trimming.metadata != !trimming.data ||
	    argc - optind + all + (trimming.metadata != NULL) != 1)
		return te_usage(&te_cmd_trim);
	te_interrupt_catch();
	if (all)
		return trim_all(&trimming, json);
	trimming.pool = argv[optind];
	return trim(&trimming, json);
}

const struct te_cmd te_cmd_trim = {
	.verb = "trim",
	.synopsis = "[-n] [--json] [--rate BYTES] POOL | --all |\n"
		    "                       --metadata PATH --data PATH",
	.summary = "give back what no volume of a live pool has, deleted volumes' too",
	.help = "\n"
		"  -n, --dry-run   tell what is free, and discard nothing\n"
		"  --json          tell it as one JSON object\n"
		"  --rate BYTES    so many a second go down at most: 200M\n"
		"  --all           every active pool that lies on a passdown\n"
		"  --metadata PATH, --data PATH  the devices of a pool that is not active\n"
		"\n"
		"The pool's data must lie on passdown devices (see `thinexport passdown`), also\n"
		"through LVM's linear volumes.\n",
	.run = run_trim,
};
