// SPDX-License-Identifier: GPL-2.0-or-later
/* thinexport verify: reads all of a stream, compares it with a source, says what was checked. */
#include <stdio.h>
#include <unistd.h>

#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "base/progress.h"
#include "base/say.h"
#include "source/source_options.h"
#include "base/threads.h"
#include "show/verify_against.h"

static u64 provisioned_bytes(const struct te_record *record)
{
	u64 sectors = 0;
	size_t i;

	for (i = 0; i < record->ops.nr_ops; i++) {
		unsigned int kind = le16_to_cpu(record->ops.ops[i].kind);

		if (kind == TE_OP_DATA || kind == TE_OP_ZERO)
			sectors += le64_to_cpu(record->ops.ops[i].length);
	}
	return sectors * 512;
}

static void count(struct te_verified *verified, const struct te_record *record)
{
	verified->frames++;
	if (record->kind == TE_RECORD_BEGIN)
		te_progress_begin(TE_PROGRESS_VERIFY,
				  le64_to_cpu(record->begin->provisioned_sectors) * 512);
	if (record->kind == TE_RECORD_OPS)
		te_progress_add(provisioned_bytes(record));
	if (record->kind == TE_RECORD_SKIPPED)
		verified->skipped_frames++;
	if (record->kind != TE_RECORD_END)
		return;
	verified->volumes = le32_to_cpu(record->end->nr_volumes);
	verified->nr_ops = le64_to_cpu(record->end->nr_ops);
	verified->data_sectors = le64_to_cpu(record->end->data_sectors);
	verified->zero_sectors = le64_to_cpu(record->end->zero_sectors);
}

/* Reads to the end: te_stream_next checks all there is to check.  0 or -errno. */
static int read_through(struct te_stream_reader *reader, struct te_against *against,
			struct te_verified *verified)
{
	struct te_record record;
	int result;

	while ((result = te_stream_next(reader, &record)) == 1) {
		count(verified, &record);
		result = against ? te_against_record(against, &record) : 0;
		if (result)
			return result;
	}
	if (!result && against)
		result = te_against_finish(against);
	return result;
}

/* 0 when all of the stream was read and, with a source, all was the same. */
static int verify(struct te_stream_reader *reader, struct te_source *source,
		  struct te_verify_report *report)
{
	struct te_against *against =
		source ? te_against_create(source, report->stream, report) : NULL;
	struct te_verified verified = { 0 };
	u64 different = 0, compared = 0;
	int err = -ENOMEM;

	if (!source || against)
		err = read_through(reader, against, &verified);
	te_progress_end();
	if (!err && against) {
		different = te_against_nr_different(against);
		compared = te_against_bytes(against);
	}
	te_against_destroy(against);
	if (err)
		return err;
	verified.bytes = te_stream_read_bytes(reader);
	te_report_verified(report, &verified, different, compared);
	if (!different)
		return 0;
	te_error("%s: %llu of its %llu volumes are not the same in %s", report->stream,
		 (unsigned long long)different, (unsigned long long)verified.volumes,
		 source->name);
	return -EBADMSG;
}

static int verify_and_report(struct te_stream_reader *reader, const char *name,
			     struct te_source *source, bool json)
{
	struct te_verify_report report;
	int err = te_report_begin(&report, name, source ? source->name : NULL, json);

	if (!err)
		err = verify(reader, source, &report);
	te_report_end(&report);
	return err;
}

/*
 * `named`: what it is compared with, or NULL.  The stream is opened first: a live
 * pool is not frozen for nothing.
 */
static enum te_exit verify_named(const char *path, const struct te_source_named *named,
				 unsigned int threads, bool json)
{
	struct te_source_opened opened = { NULL, NULL };
	struct te_stream_reader *reader;
	const char *name;
	int fd = te_stream_open(path, &name), err = 0;

	if (fd < 0)
		return TE_EXIT_FAILED;
	reader = te_stream_reader_create(fd, name);
	if (!reader) {
		te_error("%s: not enough memory to read a stream", name);
		return TE_EXIT_FAILED;
	}
	te_interrupt_catch();
	if (named)
		err = te_source_open_any(named, &opened);
	if (!err)
		err = te_stream_reader_use_threads(reader, threads);
	if (!err)
		err = verify_and_report(reader, name, opened.source, json);
	if (te_source_close_any(&opened))
		err = -EIO;
	if (err && te_interrupted())
		te_error("interrupted: %s was not read to its end", name);
	te_stream_reader_destroy(reader);
	close(fd);
	return te_listing_end() == TE_EXIT_DONE && !err ? TE_EXIT_DONE : TE_EXIT_FAILED;
}

static enum te_exit run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "against", required_argument, NULL, 'a' },
		{ "json", no_argument, NULL, 'j' },
		{ "threads", required_argument, NULL, 't' },
		{ "progress", required_argument, NULL, 'p' },
		TE_SOURCE_DEVICE_OPTIONS,
		{ NULL, 0, NULL, 0 },
	};
	struct te_source_options source = { .named.live.reader = TE_LIVE_AUTO };
	enum te_exit exit = TE_EXIT_DONE;
	const char *against = NULL;
	unsigned int threads = te_threads_usable();
	bool json = false;
	int c, nr_sources;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'a')
			against = optarg;
		else if (c == 'j')
			json = true;
		else if (c == 't')
			exit = te_threads_parse(optarg, &threads) ? TE_EXIT_USAGE : TE_EXIT_DONE;
		else if (c == 'p')
			exit = te_progress_option(optarg) ? TE_EXIT_DONE : TE_EXIT_USAGE;
		else
			exit = te_source_take_option(&source, c, &te_cmd_verify);
		if (exit != TE_EXIT_DONE)
			return exit;
	}
	nr_sources = te_source_options_count(&source, against);
	if (argc - optind > 1 || nr_sources < 0)
		return te_usage(&te_cmd_verify);
	return verify_named(argv[optind], nr_sources ? &source.named : NULL,
			    threads, json);
}

const struct te_cmd te_cmd_verify = {
	.verb = "verify",
	.synopsis = "[OPTION]... [STREAM]",
	.summary = "check all of a stream, also against a pool",
	.help = "Reads standard input without STREAM or for \"-\".\n\n"
		"  --against SOURCE      compares with a pool, a view or an image of one\n"
		"  --metadata, --data    compares with a pool that is not active\n"
		"  --json                one JSON object\n"
		"  --threads N           that decode at once; all processors without it\n"
		"  --progress auto|json|none\n"
		"                        on a terminal; as JSON lines on stderr; not at all\n",
	.run = run,
};
