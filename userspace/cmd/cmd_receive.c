// SPDX-License-Identifier: GPL-2.0-or-later
/* receive: a stream becomes a new pool. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "receive/checkpoint.h"
#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "base/progress.h"
#include "receive/receive.h"
#include "receive/receive_list.h"
#include "receive/receive_status.h"
#include "base/say.h"
#include "stream/stream_read.h"
#include "base/threads.h"

struct options {
	const char *input;
	const char *metadata;
	const char *data;
	struct te_choice choice;
	struct te_receive_options receive;
	bool status;
	bool dry;
	bool json;
};

/* A number of bytes, with K, M or G for their powers of 1024; or none. */
static enum te_exit take_window(const char *text, u64 *bytes)
{
	static const char units[] = "KMG";
	const char *rest = "", *unit;

	if (!strcmp(text, "none")) {
		*bytes = TE_WINDOW_NONE;
		return TE_EXIT_DONE;
	}
	te_parse_number(text, '\0', 1ULL << 33, bytes, &rest);
	unit = rest != text && *rest ? strchr(units, *rest) : NULL;
	if (unit)
		*bytes <<= 10 * (unit - units + 1);
	if (*bytes && (unit ? !rest[1] : rest != text && !*rest))
		return TE_EXIT_DONE;
	te_error("--checkpoint takes a size such as 256M, or none, not '%s'", text);
	return TE_EXIT_USAGE;
}

static enum te_exit take_option(struct options *options, int c)
{
	switch (c) {
	case 'i':
		options->input = optarg;
		break;
	case 'm':
		options->metadata = optarg;
		break;
	case 'd':
		options->data = optarg;
		break;
	case 'v':
		return te_words_add(&options->choice.volumes, optarg) ? TE_EXIT_FAILED :
									TE_EXIT_DONE;
	case 'r':
		return te_words_add(&options->choice.renames, optarg) ? TE_EXIT_FAILED :
									TE_EXIT_DONE;
	case 't':
		return te_threads_parse(optarg, &options->receive.threads) ? TE_EXIT_USAGE :
									    TE_EXIT_DONE;
	case 'c':
		return take_window(optarg, &options->receive.window_bytes);
	case 's':
		options->status = true;
		break;
	case 'p':
		return te_progress_option(optarg) ? TE_EXIT_DONE : TE_EXIT_USAGE;
	case 'f':
		options->receive.force = true;
		break;
	case 'n':
		options->dry = true;
		break;
	case 'j':
		options->json = true;
		break;
	default:
		return te_usage(&te_cmd_receive);
	}
	return TE_EXIT_DONE;
}

static enum te_exit parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "input", required_argument, NULL, 'i' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "data", required_argument, NULL, 'd' },
		{ "volume", required_argument, NULL, 'v' },
		{ "rename", required_argument, NULL, 'r' },
		{ "threads", required_argument, NULL, 't' },
		{ "checkpoint", required_argument, NULL, 'c' },
		{ "status", no_argument, NULL, 's' },
		{ "progress", required_argument, NULL, 'p' },
		{ "force", no_argument, NULL, 'f' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL }
	};
	enum te_exit exit;
	int c;

	while ((c = getopt_long(argc, argv, "i:n", names, NULL)) != -1) {
		exit = take_option(options, c);
		if (exit != TE_EXIT_DONE)
			return exit;
	}
	if (optind != argc || !options->metadata || (!options->data && !options->status))
		return te_usage(&te_cmd_receive);
	return TE_EXIT_DONE;
}

static void say_totals(const struct te_receive_totals *totals, double seconds)
{
	u64 bytes = totals->data_bytes + totals->zero_bytes;

	te_note("received %u volume%s: %s of data and %s of zeros, %s of metadata, %s/s",
		totals->nr_volumes, totals->nr_volumes == 1 ? "" : "s",
		te_bytes(totals->data_bytes), te_bytes(totals->zero_bytes),
		te_bytes(totals->metadata_bytes),
		te_bytes((u64)((double)(bytes - totals->before_bytes) / seconds)));
	if (totals->before_bytes)
		te_note("%s of it had arrived before", te_bytes(totals->before_bytes));
	if (totals->skipped_bytes)
		te_note("%s of other volumes alone was not received",
			te_bytes(totals->skipped_bytes));
	if (totals->unused_bytes)
		te_note("%s of it is of no volume that was chosen, and is free in the new pool",
			te_bytes(totals->unused_bytes));
}

static int receive_into(struct options *options, int fd, const char *name,
			const struct te_target *target)
{
	struct te_receive_totals totals;
	int err;

	if (options->dry && target->interrupted) {
		te_error("%s holds an interrupted receive: --status tells of it", options->metadata);
		return -EEXIST;
	}
	if (options->dry)
		return te_receive_list(fd, name, target, &options->choice, options->json);
	err = te_receive(fd, name, target, &options->choice, &options->receive, &totals);
	if (err)
		return err;
	if (!options->json) {
		say_totals(&totals, te_progress_seconds());
		return 0;
	}
	te_receive_totals_json(&options->choice, &totals, te_progress_seconds());
	return te_listing_end() == TE_EXIT_DONE ? 0 : -EIO;
}

static enum te_exit receive(struct options *options)
{
	struct te_target target;
	const char *name;
	int fd, err;
	bool kept;

	if (options->status)
		return te_receive_status(options->metadata, options->json) ? TE_EXIT_FAILED :
									      TE_EXIT_DONE;
	te_interrupt_catch();
	fd = te_stream_open(options->input, &name);
	if (fd < 0)
		return TE_EXIT_FAILED;
	err = te_target_open(&target, options->metadata, options->data, options->receive.force);
	if (!err) {
		err = receive_into(options, fd, name, &target);
		kept = err && !options->dry && te_checkpoint_is_there(target.metadata.fd);
		if (err == -EINTR)
			te_error(kept ? "interrupted while receiving into %s and %s" :
					"interrupted: nothing was received into %s and %s",
				 options->metadata, options->data);
		if (kept)
			te_note("what has arrived is kept; `thinexport receive --status --metadata %s` tells how to go on",
				options->metadata);
		te_target_close(&target);
	}
	if (fd != STDIN_FILENO)
		close(fd);
	return err ? TE_EXIT_FAILED : TE_EXIT_DONE;
}

static enum te_exit run(int argc, char **argv)
{
	struct options options = { .receive.threads = te_threads_usable() };
	enum te_exit exit = parse(argc, argv, &options);

	if (exit == TE_EXIT_DONE)
		exit = receive(&options);
	te_choice_exit(&options.choice);
	return exit;
}

const struct te_cmd te_cmd_receive = {
	.verb = "receive",
	.synopsis = "[OPTION]... --metadata PATH --data PATH",
	.summary = "write a stream into a new pool",
	.help = "  -i, --input FILE     the stream; standard input without it\n"
		"      --metadata PATH  device, or file, that the new pool's metadata goes to\n"
		"      --data PATH      device, or file, that its data goes to\n"
		"      --volume ID|NAME receives only this volume; may be repeated\n"
		"      --rename OLD=NEW gives a volume (ID or NAME) another name, or, when\n"
		"                       NEW is a number, another device id; may be repeated\n"
		"      --force          overwrite what either holds\n"
		"      --status         tells of an interrupted receive, by --metadata alone, and\n"
		"                       prints the token for send --resume\n"
		"      --checkpoint SIZE|none\n"
		"                       how much may come between two places that are kept\n"
		"      --threads N      that decode at once; all processors without it\n"
		"      --progress auto|json|none\n"
		"                       on a terminal; as JSON lines on stderr; not at all\n"
		"      --json           the totals as JSON on standard output\n"
		"  -n [--json]          tells what would be made and whether it fits\n"
		"\n"
		"Files must be there, with the sizes the pool is to have.  Until all has\n"
		"arrived and is on disk there is no pool.\n",
	.run = run,
};
