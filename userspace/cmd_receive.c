// SPDX-License-Identifier: GPL-2.0-or-later
/* receive: a stream becomes a new pool. */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "interrupt.h"
#include "progress.h"
#include "receive.h"
#include "say.h"
#include "stream_read.h"

struct options {
	const char *input;
	const char *metadata;
	const char *data;
	bool force;
};

static enum te_exit parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{ "input", required_argument, NULL, 'i' },
		{ "metadata", required_argument, NULL, 'm' },
		{ "data", required_argument, NULL, 'd' },
		{ "force", no_argument, NULL, 'f' },
		{ NULL }
	};
	int c;

	while ((c = getopt_long(argc, argv, "i:", names, NULL)) != -1) {
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
		case 'f':
			options->force = true;
			break;
		default:
			return te_usage(&te_cmd_receive);
		}
	}
	if (optind != argc || !options->metadata || !options->data)
		return te_usage(&te_cmd_receive);
	return TE_EXIT_DONE;
}

static void say_totals(const struct te_receive_totals *totals, double seconds)
{
	u64 bytes = totals->data_bytes + totals->zero_bytes;

	te_note("received %u volume%s: %s of data and %s of zeros, %s of metadata, %s/s",
		totals->nr_volumes, totals->nr_volumes == 1 ? "" : "s",
		te_bytes(totals->data_bytes), te_bytes(totals->zero_bytes),
		te_bytes(totals->metadata_bytes), te_bytes((u64)((double)bytes / seconds)));
}

static enum te_exit receive(int argc, char **argv)
{
	struct options options = { .force = false };
	struct te_receive_totals totals;
	struct te_target target;
	const char *name;
	int fd, err;

	if (parse(argc, argv, &options) != TE_EXIT_DONE)
		return TE_EXIT_USAGE;
	te_interrupt_catch();
	fd = te_stream_open(options.input, &name);
	if (fd < 0)
		return TE_EXIT_FAILED;
	err = te_target_open(&target, options.metadata, options.data, options.force);
	if (!err) {
		err = te_receive(fd, name, &target, options.force, &totals);
		if (err == -EINTR)
			te_error("interrupted: %s and %s hold no pool", options.metadata,
				 options.data);
		te_target_close(&target);
	}
	if (fd != STDIN_FILENO)
		close(fd);
	if (err)
		return TE_EXIT_FAILED;
	say_totals(&totals, te_progress_seconds());
	return TE_EXIT_DONE;
}

const struct te_cmd te_cmd_receive = {
	.verb = "receive",
	.synopsis = "[OPTION]... --metadata PATH --data PATH",
	.summary = "write a stream into a new pool",
	.help = "  -i, --input FILE     the stream; standard input without it\n"
		"      --metadata PATH  device, or file, that the new pool's metadata goes to\n"
		"      --data PATH      device, or file, that its data goes to\n"
		"      --force          overwrite what either holds\n"
		"\n"
		"Files must be there, with the sizes the pool is to have.  Until all has\n"
		"arrived and is on disk there is no pool.\n",
	.run = receive,
};
