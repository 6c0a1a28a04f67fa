/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What verify tells on standard output: lines as things are found, or one JSON
 * object at the end.
 */
#ifndef TE_VERIFY_REPORT_H
#define TE_VERIFY_REPORT_H

#include "core/seam.h"

/* What was read, of a stream that is good. */
struct te_verified {
	u64 bytes;
	u64 frames;
	u64 skipped_frames;		/* optional ones of unknown kinds */
	u64 volumes;
	u64 nr_ops;
	u64 data_sectors;
	u64 zero_sectors;
};

struct json_object;

struct te_verify_report {
	const char *stream;
	const char *source;		/* NULL: compared with none */
	char *short_source;		/* the same for lines of 80 columns */
	struct json_object *differences;	/* NULL: told as lines */
	u64 nr_not_in_stream;
};

/* 0, or -ENOMEM after one sentence. */
int te_report_begin(struct te_verify_report *report, const char *stream, const char *source,
		    bool json);

/* Differences, by the volume's device id. */
void te_report_missing(struct te_verify_report *report, u32 dev_id);
void te_report_size(struct te_verify_report *report, u32 dev_id, u64 sectors,
		    u64 stream_sectors);

/* `what`: the sentence about sectors [start, end). */
void te_report_range(struct te_verify_report *report, u32 dev_id, u64 start, u64 end,
		     const char *what);
void te_report_more_ranges(struct te_verify_report *report, u32 dev_id, u64 nr);

struct te_report_counts {
	u64 blocks;			/* mapped in the source */
	u64 exclusive_blocks;
	u64 stream_blocks;
	u64 stream_exclusive_blocks;
};

void te_report_counts(struct te_verify_report *report, u32 dev_id,
		      const struct te_report_counts *counts);

/* No difference: volumes of the source alone. */
void te_report_not_in_stream(struct te_verify_report *report, u64 nr_volumes);

/* The end of a good stream; `different` volumes, compared in so many bytes. */
void te_report_verified(struct te_verify_report *report, const struct te_verified *verified,
			u64 different, u64 compared_bytes);

void te_report_end(struct te_verify_report *report);

#endif
