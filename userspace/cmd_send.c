// SPDX-License-Identifier: GPL-2.0-or-later
/* send: a pool, live or not, becomes a stream. */
#include <getopt.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "cmd.h"
#include "interrupt.h"
#include "live.h"
#include "output.h"
#include "say.h"
#include "send.h"
#include "send_list.h"

/* A repeated option's values; they lie in argv. */
struct list {
	char **values;
	size_t nr;
};

struct options {
	struct list volumes;
	struct list sizes;
	struct list names;
	const char *pool_name;
	const char *metadata;
	const char *data;
	const char *source;
	const char *output;
	struct te_codec_choice codec;
	__u8 stream_id[16];
	bool has_stream_id;
	bool direct;
	bool dry;
	bool json;
	bool force;
	unsigned int window_limit_ms;
};

static bool parse_hex(const char *text, __u8 *bytes, size_t nr)
{
	size_t i;

	if (strspn(text, "0123456789abcdefABCDEF") != 2 * nr || text[2 * nr])
		return false;
	for (i = 0; i < nr; i++) {
		char pair[3] = { text[2 * i], text[2 * i + 1] };

		bytes[i] = (__u8)strtoul(pair, NULL, 16);
	}
	return true;
}

static enum te_exit take_option(struct options *options, int c)
{
	switch (c) {
	case 'v':
		options->volumes.values[options->volumes.nr++] = optarg;
		return TE_EXIT_DONE;
	case 's':
		options->sizes.values[options->sizes.nr++] = optarg;
		return TE_EXIT_DONE;
	case 'N':
		options->names.values[options->names.nr++] = optarg;
		return TE_EXIT_DONE;
	case 'p':
		options->pool_name = optarg;
		return TE_EXIT_DONE;
	case 'm':
		options->metadata = optarg;
		return TE_EXIT_DONE;
	case 'd':
		options->data = optarg;
		return TE_EXIT_DONE;
	case 'o':
		options->output = optarg;
		return TE_EXIT_DONE;
	case 'c':
		return te_codec_parse(optarg, &options->codec) ? TE_EXIT_USAGE : TE_EXIT_DONE;
	case 'i':
		options->has_stream_id = true;
		if (parse_hex(optarg, options->stream_id, sizeof(options->stream_id)))
			return TE_EXIT_DONE;
		te_error("--stream-id takes 32 hexadecimal digits, not '%s'", optarg);
		return TE_EXIT_USAGE;
	case 'w':
		if (sscanf(optarg, "%u", &options->window_limit_ms) == 1 &&
		    options->window_limit_ms && options->window_limit_ms <= 600000 &&
		    optarg[strspn(optarg, "0123456789")] == '\0')
			return TE_EXIT_DONE;
		te_error("--window-limit takes 1 to 600000 (milliseconds), not '%s'", optarg);
		return TE_EXIT_USAGE;
	case 'D':
		options->direct = true;
		return TE_EXIT_DONE;
	case 'n':
		options->dry = true;
		return TE_EXIT_DONE;
	case 'j':
		options->json = true;
		return TE_EXIT_DONE;
	case 'f':
		options->force = true;
		return TE_EXIT_DONE;
	default:
		return te_usage(&te_cmd_send);
	}
}

static enum te_exit parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "volume", required_argument, NULL, 'v' },
		{ "size", required_argument, NULL, 's' },
		{ "name", required_argument, NULL, 'N' },
		{ "pool-name", required_argument, NULL, 'p' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "data", required_argument, NULL, 'd' },
		{ "output", required_argument, NULL, 'o' },
		{ "codec", required_argument, NULL, 'c' },
		{ "stream-id", required_argument, NULL, 'i' },
		{ "window-limit", required_argument, NULL, 'w' },
		{ "direct", no_argument, NULL, 'D' },
		{ "json", no_argument, NULL, 'j' },
		{ "force", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL }
	};
	enum te_exit exit;
	int c;

	while ((c = getopt_long(argc, argv, "o:nh", names, NULL)) != -1) {
		exit = take_option(options, c);
		if (exit != TE_EXIT_DONE)
			return exit;
	}
	options->source = argv[optind];
	if (argc - optind > 1 || !options->metadata != !options->data ||
	    !options->source == !options->metadata)
		return te_usage(&te_cmd_send);
	if (options->json && !options->dry) {
		te_error("--json goes with -n: a stream is not JSON");
		return TE_EXIT_USAGE;
	}
	return TE_EXIT_DONE;
}

/* What is sent from: *live is set when a live pool is behind it, and then closes it. */
static struct te_source *open_source(const struct options *options, struct te_live **live)
{
	struct te_live_options frozen = {
		.pool = options->source,
		.volumes = options->volumes.values,
		.nr_volumes = options->volumes.nr,
		.reader = options->direct ? TE_LIVE_DIRECT : TE_LIVE_AUTO,
		.window_limit_ms = options->window_limit_ms,
	};
	struct te_source *source;
	struct stat st;

	if (options->metadata)
		return te_source_open_devices(options->metadata, options->data,
					      TE_ROOT_SUPERBLOCK);
	if (te_source_is_view(options->source))
		return te_source_open_view(options->source);
	if (!stat(options->source, &st) && S_ISREG(st.st_mode)) {
		te_error("%s is a file, but no image of a view; a pool's images are named by --metadata and --data",
			 options->source);
		return NULL;
	}
	*live = te_live_open(&frozen, &source);
	return *live ? source : NULL;
}

static int prepare(struct te_source *source, const struct options *options, bool live)
{
	int err = 0;

	if (options->pool_name)
		source->pool_name = options->pool_name;
	/* Names first, so that --volume may use them. */
	err = te_source_set_names(source, options->names.values, options->names.nr);
	if (!err)
		err = te_source_set_sizes(source, options->sizes.values, options->sizes.nr);
	if (!err && options->volumes.nr && !live)
		err = te_source_choose(source, options->volumes.values, options->volumes.nr);
	return err;
}

static int list(const struct te_plan *plan, bool json)
{
	if (json)
		te_send_list_json(plan);
	else
		te_send_list(plan);
	if (!fflush(stdout) && !ferror(stdout))
		return 0;
	te_error("cannot write standard output: %s", strerror(errno));
	return -EIO;
}

/* Sends into the output, which stays open: it gets its name when the source is closed. */
static int send_plan(struct te_plan *plan, const struct options *options,
		     struct te_output *output, struct te_send_totals *totals)
{
	__u8 stream_id[16];

	memcpy(stream_id, options->stream_id, sizeof(stream_id));
	if (!options->has_stream_id &&
	    getrandom(stream_id, sizeof(stream_id), 0) != sizeof(stream_id)) {
		te_error("cannot get random bytes for the stream's id: %s", strerror(errno));
		return -EIO;
	}
	return te_send(plan, output->fd, output->name, options->codec, stream_id, NULL, NULL,
		       totals);
}

/* What is left of a send when its source is closed. */
struct outcome {
	size_t nr_volumes;
	u64 resent_bytes;
	u64 window_us;
	bool live;
	struct te_send_totals totals;
	struct te_output output;	/* begun, when not dry */
};

static void say_outcome(const struct outcome *outcome)
{
	const struct te_send_totals *totals = &outcome->totals;
	char window[64] = "";
	double ratio = totals->written_bytes ?
		(double)(totals->data_bytes + totals->zero_bytes) / (double)totals->written_bytes : 0;

	if (outcome->live)
		snprintf(window, sizeof(window), "; they stood still for %.1f ms",
			 (double)outcome->window_us / 1000);
	te_note("sent %zu volume%s: %s of data and %s of zeros as %s (%.2f : 1)%s",
		outcome->nr_volumes, outcome->nr_volumes == 1 ? "" : "s",
		te_bytes(totals->data_bytes), te_bytes(totals->zero_bytes),
		te_bytes(totals->written_bytes), ratio, window);
	if (outcome->resent_bytes)
		te_note("%s went more than once: volumes share it, but not at the same place",
			te_bytes(outcome->resent_bytes));
}

static int send_source(struct te_source *source, const struct options *options,
		       struct outcome *outcome)
{
	struct te_plan *plan;
	int err;

	err = prepare(source, options, outcome->live);
	if (err)
		return err;
	plan = te_plan_create(source);
	if (!plan)
		return -EIO;
	if (options->dry) {
		err = list(plan, options->json);
	} else {
		outcome->nr_volumes = plan->nr_volumes;
		outcome->resent_bytes = plan->resent_blocks * source->block_sectors * 512;
		err = te_output_open(&outcome->output, options->output, options->force, source);
		if (!err)
			err = send_plan(plan, options, &outcome->output, &outcome->totals);
	}
	te_plan_destroy(plan);
	return err;
}

static int send(const struct options *options)
{
	struct outcome outcome = { .output.fd = -1 };
	struct te_live *live = NULL;
	struct te_source *source;
	int err, close_err = 0;

	source = open_source(options, &live);
	if (!source)
		return -EIO;
	outcome.live = live;
	err = send_source(source, options, &outcome);
	/* Before the stream is synced, which may take long: snapshots cost the pool space. */
	if (live) {
		outcome.window_us = te_live_window_us(live);
		close_err = te_live_close(live);
	} else {
		te_source_close(source);
	}
	if (!err && !options->dry)
		err = te_output_commit(&outcome.output);
	te_output_abort(&outcome.output);
	if (!err && !options->dry)
		say_outcome(&outcome);
	/* The stream is whole, and stays; but something is left in the pool. */
	return err ? err : close_err;
}

static enum te_exit run(int argc, char **argv)
{
	struct options options = { .codec = { .id = TE_CODEC_NONE } };
	/* Each list can hold all of argv. */
	char **values = calloc(3 * (size_t)argc, sizeof(*values));
	enum te_exit exit;

	if (!values) {
		te_error("not enough memory");
		return TE_EXIT_FAILED;
	}
	options.volumes.values = values;
	options.sizes.values = values + argc;
	options.names.values = values + 2 * argc;
	exit = parse(argc, argv, &options);
	if (exit == TE_EXIT_DONE) {
		te_interrupt_catch();
		if (send(&options))
			exit = TE_EXIT_FAILED;
		if (exit == TE_EXIT_FAILED && te_interrupted())
			te_error("interrupted: nothing was sent");
	}
	free(values);
	return exit;
}

const struct te_cmd te_cmd_send = {
	.verb = "send",
	.synopsis = "[OPTION]... SOURCE | --metadata PATH --data PATH",
	.summary = "writes a pool, or some of its volumes, as a stream",
	.help = "SOURCE is the name of an active thin pool, or a view or an image of one.\n\n"
		"  --volume ID|NAME      only this volume; may be repeated\n"
		"  --metadata, --data    devices or image files of a pool that is not active\n"
		"  -o FILE               instead of standard output; complete or not there at all\n"
		"  --force               replaces FILE\n"
		"  --codec none|zlib[:LEVEL]\n"
		"  --size ID=SECTORS     length of a volume that is not active\n"
		"  --name ID=NAME        name of a volume that is not active\n"
		"  --pool-name NAME      likewise of the pool\n"
		"  --stream-id HEX       32 digits; the same pool then gives the same bytes\n"
		"  --direct              reads a live pool without a view\n"
		"  --window-limit MS     longest time a live pool's volumes may stand still\n"
		"  -n [--json]           tells what would be sent\n",
	.run = run,
};
