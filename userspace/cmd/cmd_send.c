// SPDX-License-Identifier: GPL-2.0-or-later
/* send: a pool, live or not, becomes a stream. */
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "send/output.h"
#include "base/progress.h"
#include "stream/resume.h"
#include "base/say.h"
#include "send/send.h"
#include "send/send_list.h"
#include "source/source_options.h"
#include "base/threads.h"

struct options {
	struct te_source_options source;
	const char *output;
	struct te_send_options send;
	bool has_stream_id;
	const char *token;
	bool resumable;
	struct te_resume place;		/* where to go on: the token's, or FILE.part's */
	bool dry;
	bool json;
	bool force;
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
	case 'o':
		options->output = optarg;
		return TE_EXIT_DONE;
	case 'c':
		return te_codec_parse(optarg, &options->send.codec) ? TE_EXIT_USAGE : TE_EXIT_DONE;
	case 't':
		return te_threads_parse(optarg, &options->send.threads) ? TE_EXIT_USAGE :
									 TE_EXIT_DONE;
	case 'i':
		options->has_stream_id = true;
		if (parse_hex(optarg, options->send.stream_id, sizeof(options->send.stream_id)))
			return TE_EXIT_DONE;
		te_error("--stream-id takes 32 hexadecimal digits, not '%s'", optarg);
		return TE_EXIT_USAGE;
	case 'r':
		options->token = optarg;
		return TE_EXIT_DONE;
	case 'R':
		options->resumable = true;
		return TE_EXIT_DONE;
	case 'p':
		return te_progress_option(optarg) ? TE_EXIT_DONE : TE_EXIT_USAGE;
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
		return te_source_take_option(&options->source, c, &te_cmd_send);
	}
}

static enum te_exit parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		TE_SOURCE_DEVICE_OPTIONS,
		TE_SOURCE_MOMENT_OPTIONS,
		TE_SOURCE_TELLING_OPTIONS,
		{ "output", required_argument, NULL, 'o' },
		{ "codec", required_argument, NULL, 'c' },
		{ "threads", required_argument, NULL, 't' },
		{ "stream-id", required_argument, NULL, 'i' },
		{ "resume", required_argument, NULL, 'r' },
		{ "resumable", no_argument, NULL, 'R' },
		{ "progress", required_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ "force", no_argument, NULL, 'f' },
		{ NULL }
	};
	enum te_exit exit;
	int c;

	while ((c = getopt_long(argc, argv, "o:n", names, NULL)) != -1) {
		exit = take_option(options, c);
		if (exit != TE_EXIT_DONE)
			return exit;
	}
	if (te_source_options_count(&options->source, argv[optind]) != 1 ||
	    te_source_options_more(&options->source, argv + optind + 1, argc - optind - 1))
		return te_usage(&te_cmd_send);
	options->source.named.live.strict = !options->force;
	if (options->token && options->resumable && options->output) {
		te_error("--resume writes a continuation, and --resumable goes on with FILE.part: give one of them");
		return TE_EXIT_USAGE;
	}
	return TE_EXIT_DONE;
}

static int list(const struct te_plan *plan, bool json)
{
	if (json)
		te_send_list_json(plan);
	else
		te_send_list(plan);
	return te_listing_end() == TE_EXIT_DONE ? 0 : -EIO;
}

/* What a live pool's moment is kept for. */
struct kept {
	struct te_live *live;
	const struct te_plan *plan;
};

static int keep(void *context, const __u8 stream_id[16], const char *catalog)
{
	const struct kept *kept = context;

	return te_live_keep(kept->live, stream_id, catalog,
			    kept->plan->provisioned_blocks * kept->plan->source->block_sectors * 512);
}

/* Sends into the output, which stays open: it gets its name when the source is closed. */
static int send_plan(struct te_plan *plan, const struct options *options, struct te_live *live,
		     struct te_output *output, struct te_send_totals *totals)
{
	struct te_send_options send = options->send;
	struct kept kept = { live, plan };

	if (live && options->resumable) {
		send.keep = keep;
		send.keep_context = &kept;
	}
	if (!options->has_stream_id && !send.resume &&
	    getrandom(send.stream_id, sizeof(send.stream_id), 0) != sizeof(send.stream_id)) {
		te_error("cannot get random bytes for the stream's id: %s", strerror(errno));
		return -EIO;
	}
	return te_send(plan, output->fd, output->name, &send, totals);
}

/* What is left of a send when its source is closed. */
struct outcome {
	size_t nr_volumes;
	u64 resent_bytes;
	u64 window_us;
	double seconds;			/* that sending took */
	struct te_live *live;		/* NULL: it is none */
	struct te_send_totals totals;
	struct te_part part;		/* until it is the output's */
	struct te_output output;	/* begun, when not dry */
};

static void say_outcome(const struct outcome *outcome)
{
	const struct te_send_totals *totals = &outcome->totals;
	char window[64] = "";
	double ratio = totals->written_bytes ?
		(double)(totals->data_bytes + totals->zero_bytes) / (double)totals->written_bytes : 0;

	if (outcome->live && outcome->window_us)
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

/* On stderr, since standard output may be the stream. */
static void say_outcome_json(const struct outcome *outcome)
{
	const struct te_send_totals *totals = &outcome->totals;
	char window[48] = "";

	if (outcome->live)
		snprintf(window, sizeof(window), ",\"stood_still_us\":%llu",
			 (unsigned long long)outcome->window_us);
	fprintf(stderr, "{\"volumes\":%zu,\"data_bytes\":%llu,\"zero_bytes\":%llu,\"resent_bytes\":%llu,\"stream_bytes\":%llu,\"seconds\":%.3f%s}\n",
		outcome->nr_volumes, (unsigned long long)totals->data_bytes,
		(unsigned long long)totals->zero_bytes, (unsigned long long)outcome->resent_bytes,
		(unsigned long long)totals->written_bytes, outcome->seconds, window);
}

static int send_source(struct te_source *source, const struct options *options,
		       struct outcome *outcome)
{
	struct te_plan *plan;
	int err;

	/* A new moment is of the chosen volumes already. */
	err = te_source_apply_options(source, &options->source,
				      outcome->live && !options->source.named.live.stream_id);
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
		err = te_output_open(&outcome->output, options->output, options->force, source,
				     outcome->part.fd >= 0 ? &outcome->part : NULL);
		if (!err)
			err = send_plan(plan, options, outcome->live, &outcome->output,
					&outcome->totals);
		outcome->seconds = te_progress_seconds();
	}
	te_plan_destroy(plan);
	return err;
}

/* A part is of a file: what is written in place, or to a pipe, has none. */
static bool has_part(const struct options *options)
{
	struct stat st;

	if (!options->resumable || options->dry || !options->output ||
	    !strcmp(options->output, "-"))
		return false;
	return stat(options->output, &st) || S_ISREG(st.st_mode);
}

static int go_on_at(struct options *options, const struct te_resume *place, bool append)
{
	struct te_send_options *send = &options->send;

	if (options->has_stream_id &&
	    memcmp(send->stream_id, place->stream_id, sizeof(send->stream_id))) {
		te_error("--stream-id: what was interrupted is a stream of another id; leave the option out%s",
			 append ? ", or take FILE.part away" : "");
		return -EINVAL;
	}
	options->place = *place;
	memcpy(send->stream_id, place->stream_id, sizeof(send->stream_id));
	send->resume = &options->place;
	send->append = append;
	return 0;
}

/* Before the source is opened: which moment of a live pool is meant depends on it. */
static int find_place(struct options *options, struct te_part *part)
{
	struct te_resume place;
	int err;

	if (options->token) {
		err = te_resume_from_token(options->token, &place);
		return err ? err : go_on_at(options, &place, false);
	}
	if (!has_part(options))
		return 0;
	err = te_part_open(part, options->output);
	if (err || !part->begun)
		return err;
	te_note("%s holds %s of it: going on from there", part->path, te_bytes(part->bytes));
	return go_on_at(options, &part->place, true);
}

static int open_source(struct options *options, struct te_part *part,
		       struct te_source_opened *opened)
{
	struct te_source_named *named = &options->source.named;
	int err = find_place(options, part);

	if (err)
		return err;
	/* Of a live pool that one moment is meant. */
	if (options->send.resume)
		named->live.stream_id = options->send.stream_id;
	return te_source_open_any(named, opened);
}

/*
 * A file that has its name and is on disk ends a pending send.  Of what went
 * elsewhere nobody here knows whether it has arrived.
 */
static int settle(struct outcome *outcome)
{
	bool file = outcome->output.path != NULL;
	int err = te_output_commit(&outcome->output);

	return err || !file ? err : te_live_let_go(outcome->live);
}

/* Of which nobody can have a part: there is nothing to go on with. */
static void forget_unwritten(const struct outcome *outcome)
{
	if (!outcome->totals.written_bytes)
		te_live_let_go(outcome->live);
}

static int send(struct options *options)
{
	struct outcome outcome = { .part.fd = -1, .output.fd = -1 };
	struct te_source_opened opened;
	int err, close_err;

	err = open_source(options, &outcome.part, &opened);
	if (err) {
		te_part_close(&outcome.part);
		return err;
	}
	outcome.live = opened.live;
	if (outcome.live)
		outcome.window_us = te_live_window_us(opened.live);
	err = send_source(opened.source, options, &outcome);
	if (outcome.live && te_live_is_kept(outcome.live) && !options->dry) {
		if (!err)
			err = settle(&outcome);
		else if (!options->send.resume)
			forget_unwritten(&outcome);
	}
	/* Before the stream is synced, which may take long: snapshots cost the pool space. */
	close_err = te_source_close_any(&opened);
	if (!err && !options->dry && outcome.output.fd >= 0)
		err = te_output_commit(&outcome.output);
	te_output_abort(&outcome.output);
	te_part_close(&outcome.part);
	if (!err && !options->dry && options->json)
		say_outcome_json(&outcome);
	else if (!err && !options->dry)
		say_outcome(&outcome);
	/* The stream is whole, and stays; but something is left in the pool. */
	return err ? err : close_err;
}

static enum te_exit run(int argc, char **argv)
{
	struct options options = {
		.send = { .codec = { TE_CODEC_ZSTD, 1 }, .threads = te_threads_usable() },
	};
	enum te_exit exit = parse(argc, argv, &options);

	if (exit == TE_EXIT_DONE) {
		te_interrupt_catch();
		if (send(&options))
			exit = TE_EXIT_FAILED;
		if (exit == TE_EXIT_FAILED && te_interrupted())
			te_error(options.resumable || options.token ?
					 "interrupted: what was sent can be gone on with" :
					 "interrupted: nothing was sent");
	}
	te_source_options_exit(&options.source);
	return exit;
}

const struct te_cmd te_cmd_send = {
	.verb = "send",
	.synopsis = "[OPTION]... SOURCE... | --metadata PATH --data PATH",
	.summary = "write a pool, or some of its volumes, as a stream",
	.help = "SOURCE is VG/POOL, VG/VOLUME (several may follow each other), the name of an\n"
		"active thin pool, or a view or an image of one.\n\n"
		"  --volume ID|NAME      only this volume; may be repeated\n"
		"  --metadata, --data    devices or image files of a pool that is not active\n"
		"  -o FILE               instead of standard output; complete or not there at all\n"
		"  --force               replaces FILE; sends although LVM and the pool differ\n"
		"  --codec none|zlib[:LEVEL]|zstd[:LEVEL]\n"
		"                        zstd:1 without it\n"
		"  --threads N           that encode at once; all processors without it\n"
		"  --size ID=SECTORS     length of a volume that is not active\n"
		"  --name ID=NAME        name of a volume that is not active\n"
		"  --pool-name NAME      likewise of the pool\n"
		"  --stream-id HEX       32 digits; the same pool then gives the same bytes\n"
		"  --resumable           keeps FILE.part, and a live pool's moment, when\n"
		"                        interrupted, and goes on with them\n"
		"  --resume TOKEN        what a receiver lacks of an interrupted stream\n"
		"  --direct              reads a live pool without a view\n"
		"  --window-limit MS     longest time a live pool's volumes may stand still\n"
		"  --progress auto|json|none\n"
		"                        on a terminal; as JSON lines on stderr; not at all\n"
		"  --json                the totals as JSON, the last line on stderr\n"
		"  -n [--json]           tells what would be sent\n",
	.run = run,
};
