// SPDX-License-Identifier: GPL-2.0-or-later
/* receive: a stream becomes a new pool. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "receive/checkpoint.h"
#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "lvm/lvm.h"
#include "lvm/lvm_into.h"
#include "lvm/lvm_new.h"
#include "base/progress.h"
#include "receive/receive.h"
#include "receive/receive_list.h"
#include "receive/receive_status.h"
#include "receive/sink_pool.h"
#include "receive/sink_thin.h"
#include "base/say.h"
#include "stream/stream_read.h"
#include "base/threads.h"

struct options {
	const char *input;
	const char *metadata;
	const char *data;
	struct te_lvm_new_options lvm;	/* its path, or the two devices */
	bool into;			/* the pool is there */
	struct te_choice choice;
	struct te_receive_options receive;
	bool status;
	bool dry;
	bool json;
};

static enum te_exit take_window(const char *text, u64 *bytes)
{
	if (!strcmp(text, "none")) {
		*bytes = TE_WINDOW_NONE;
		return TE_EXIT_DONE;
	}
	if (te_parse_bytes(text, bytes))
		return TE_EXIT_DONE;
	te_error("--checkpoint takes a size such as 256M, or none, not '%s'", text);
	return TE_EXIT_USAGE;
}

static enum te_exit take_size(const char *option, u64 *bytes)
{
	if (te_parse_bytes(optarg, bytes))
		return TE_EXIT_DONE;
	te_error("%s takes a size such as 20G, not '%s'", option, optarg);
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
	case 'G':
		return te_words_add(&options->choice.grows, optarg) ? TE_EXIT_FAILED :
								      TE_EXIT_DONE;
	case 'S':
		return take_size("--size", &options->lvm.bytes);
	case 'M':
		return take_size("--metadata-size", &options->lvm.metadata_bytes);
	case 'C':
		return take_size("--chunk-size", &options->lvm.chunk_bytes);
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
	case 'I':
		options->into = true;
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

/* Options that go with VG/POOL alone, or with two devices alone. */
static enum te_exit check_options(const struct options *options)
{
	bool lvm = options->lvm.path, new = lvm && !options->into;
	const struct {
		const char *name;
		bool given, goes;
	} some[] = {
		{ "--metadata", options->metadata, !lvm },
		{ "--data", options->data, !lvm },
		{ "--status", options->status, !lvm },
		{ "--force", options->receive.force, !lvm },
		{ "--checkpoint", options->receive.window_bytes, !lvm },
		{ "--into", options->into, lvm },
		{ "--grow", options->choice.grows.nr, lvm },
		{ "--chunk-size", options->lvm.chunk_bytes, lvm },
		{ "--size", options->lvm.bytes, new },
		{ "--metadata-size", options->lvm.metadata_bytes, new },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(some); i++) {
		if (!some[i].given || some[i].goes)
			continue;
		te_error("%s goes with %s", some[i].name,
			 !lvm ? "VG/POOL, not with two devices (--metadata, --data)" :
			 options->into ? "a pool that is made, not with --into" :
			 "two devices (--metadata, --data), not with VG/POOL");
		return TE_EXIT_USAGE;
	}
	return TE_EXIT_DONE;
}

static enum te_exit parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "input", required_argument, NULL, 'i' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "data", required_argument, NULL, 'd' },
		{ "size", required_argument, NULL, 'S' },
		{ "metadata-size", required_argument, NULL, 'M' },
		{ "chunk-size", required_argument, NULL, 'C' },
		{ "volume", required_argument, NULL, 'v' },
		{ "rename", required_argument, NULL, 'r' },
		{ "grow", required_argument, NULL, 'G' },
		{ "threads", required_argument, NULL, 't' },
		{ "checkpoint", required_argument, NULL, 'c' },
		{ "status", no_argument, NULL, 's' },
		{ "progress", required_argument, NULL, 'p' },
		{ "force", no_argument, NULL, 'f' },
		{ "into", no_argument, NULL, 'I' },
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
	options->lvm.path = argv[optind];
	options->lvm.dry = options->dry;
	if (options->lvm.path ? argc - optind != 1 :
				!options->metadata || (!options->data && !options->status))
		return te_usage(&te_cmd_receive);
	exit = check_options(options);
	if (exit != TE_EXIT_DONE || !options->lvm.path || te_lvm_is_path(options->lvm.path))
		return exit;
	te_error("%s is no VG/POOL, or is a file or in a folder that is here; devices and files are named by --metadata and --data",
		 options->lvm.path);
	return TE_EXIT_USAGE;
}

static void say_totals(const struct te_receive_totals *totals, double seconds)
{
	u64 bytes = totals->data_bytes + totals->zero_bytes;
	char metadata[40] = "";

	if (totals->metadata_bytes)
		snprintf(metadata, sizeof(metadata), ", %s of metadata",
			 te_bytes(totals->metadata_bytes));
	te_note("received %u volume%s: %s of data and %s of zeros%s, %s/s",
		totals->nr_volumes, totals->nr_volumes == 1 ? "" : "s",
		te_bytes(totals->data_bytes), te_bytes(totals->zero_bytes), metadata,
		te_bytes((u64)((double)(bytes - totals->before_bytes) / seconds)));
	if (totals->copied_bytes)
		te_note("%s that were shared are now copied: LVM's volumes share with the one they are snapshots of",
			te_bytes(totals->copied_bytes));
	if (totals->filled_bytes)
		te_note("%s were written as zeros where nothing was provisioned: the pool ignores discards",
			te_bytes(totals->filled_bytes));
	if (totals->before_bytes)
		te_note("%s of it had arrived before", te_bytes(totals->before_bytes));
	if (totals->skipped_bytes)
		te_note("%s of other volumes alone was not received",
			te_bytes(totals->skipped_bytes));
	if (totals->unused_bytes)
		te_note("%s of it is of no volume that was chosen, and is free in the new pool",
			te_bytes(totals->unused_bytes));
}

static int tell(const struct options *options, const struct te_receive_totals *totals)
{
	if (!options->json) {
		say_totals(totals, te_progress_seconds());
		return 0;
	}
	te_receive_totals_json(&options->choice, totals, te_progress_seconds());
	return te_listing_end() == TE_EXIT_DONE ? 0 : -EIO;
}

static int receive_into_sink(struct options *options, int fd, const char *name,
			     struct te_sink *sink, struct te_receive_totals *totals)
{
	if (options->dry)
		return te_receive_list(fd, name, sink, &options->choice, options->json);
	return te_receive(fd, name, sink, &options->choice, &options->receive, totals);
}

static int receive_into_target(struct options *options, int fd, const char *name,
			       struct te_target *target, struct te_receive_totals *totals)
{
	struct te_sink *sink = te_sink_pool_create(target, &options->receive);
	int err;

	if (!sink)
		return -ENOMEM;
	err = receive_into_sink(options, fd, name, sink, totals);
	te_sink_pool_destroy(sink);
	return err;
}

static int receive_devices(struct options *options, int fd, const char *name)
{
	struct te_receive_totals totals;
	struct te_target target;
	int err = te_target_open(&target, options->metadata, options->data, options->receive.force);
	bool kept;

	if (err)
		return err;
	err = te_target_check_stream(&target, fd, name);
	if (!err && options->dry && target.interrupted) {
		te_error("%s holds an interrupted receive: --status tells of it", options->metadata);
		err = -EEXIST;
	}
	if (!err)
		err = receive_into_target(options, fd, name, &target, &totals);
	kept = err && !options->dry && te_checkpoint_is_there(target.metadata.fd);
	if (err == -EINTR)
		te_error(kept ? "interrupted while receiving into %s and %s" :
				"interrupted: nothing was received into %s and %s",
			 options->metadata, options->data);
	if (kept)
		te_note("what has arrived is kept; `thinexport receive --status --metadata %s` tells how to go on",
			options->metadata);
	te_target_close(&target);
	return err || options->dry ? err : tell(options, &totals);
}

static int receive_new(struct options *options, int fd, const char *name,
		       struct te_receive_totals *totals)
{
	struct te_target target;
	struct te_lvm_new *new = te_lvm_new_open(&options->lvm, &target);
	int err;

	if (!new)
		return -EIO;
	/* The volumes are new, and go again when all has not arrived. */
	options->receive.force = true;
	options->receive.window_bytes = TE_WINDOW_NONE;
	err = receive_into_target(options, fd, name, &target, totals);
	te_target_close(&target);
	if (!err && !options->dry)
		err = te_lvm_new_finish(new);
	if (err == -EINTR)
		te_error("interrupted: nothing was received into %s", options->lvm.path);
	te_lvm_new_close(new);
	return err;
}

static int receive_into(struct options *options, int fd, const char *name,
			struct te_receive_totals *totals)
{
	struct te_lvm_into *into = te_lvm_into_open(&options->lvm);
	struct te_sink *sink = into ? te_sink_thin_create(into) : NULL;
	int err = -EIO;

	if (sink) {
		err = receive_into_sink(options, fd, name, sink, totals);
		te_sink_thin_destroy(sink);
	}
	if (!err && !options->dry)
		err = te_lvm_into_finish(into);
	if (err == -EINTR)
		te_error("interrupted: nothing was received into %s; it begins anew",
			 options->lvm.path);
	te_lvm_into_close(into);
	return err;
}

static int receive_lvm(struct options *options, int fd, const char *name)
{
	struct te_receive_totals totals;
	int err = options->into ? receive_into(options, fd, name, &totals) :
				  receive_new(options, fd, name, &totals);

	return err || options->dry ? err : tell(options, &totals);
}

static enum te_exit receive(struct options *options)
{
	const char *name;
	int fd, err;

	if (options->status)
		return te_receive_status(options->metadata, options->json) ? TE_EXIT_FAILED :
									      TE_EXIT_DONE;
	te_interrupt_catch();
	fd = te_stream_open(options->input, &name);
	if (fd < 0)
		return TE_EXIT_FAILED;
	err = options->lvm.path ? receive_lvm(options, fd, name) :
				  receive_devices(options, fd, name);
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
	.synopsis = "[OPTION]... VG/POOL | --metadata PATH --data PATH",
	.summary = "write a stream into a new pool, or into one that is there",
	.help = "VG/POOL is made by LVM, in a volume group that is there.\n\n"
		"      --into           VG/POOL is there and active: adds the volumes to it\n"
		"  -i, --input FILE     the stream; standard input without it\n"
		"      --metadata PATH  device, or file, that the new pool's metadata goes to\n"
		"      --data PATH      device, or file, that its data goes to\n"
		"      --size SIZE      how large VG/POOL is to be; as the source without it\n"
		"      --metadata-size SIZE\n"
		"                       and its metadata; computed without it\n"
		"      --chunk-size SIZE\n"
		"                       receives nothing if the stream has another\n"
		"      --volume ID|NAME receives only this volume; may be repeated\n"
		"      --rename OLD=NEW gives a volume (ID or NAME) another name, or, when\n"
		"                       NEW is a number, another device id; may be repeated\n"
		"      --grow VOLUME=[+]SIZE\n"
		"                       makes a volume (ID or NAME) of VG/POOL larger, by SIZE or\n"
		"                       to it; may be repeated\n"
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
