// SPDX-License-Identifier: GPL-2.0-or-later
/* What verify tells on standard output: lines, or one JSON object. */
#include "show/verify_report.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/listing.h"
#include "base/progress.h"
#include "base/say.h"
#include "base/utf8.h"

#define SECTOR_BYTES	512ULL
#define NAME_COLUMNS	70u
#define SOURCE_COLUMNS	30u

typedef unsigned long long ull;

int te_report_begin(struct te_verify_report *report, const char *stream, const char *source,
		    bool json)
{
	*report = (struct te_verify_report) { .stream = stream, .source = source };
	if (source)
		report->short_source = te_utf8_printable(source, SOURCE_COLUMNS);
	if (json)
		report->differences = json_object_new_array();
	if (!source == !report->short_source && json == !!report->differences)
		return 0;
	te_report_end(report);
	te_error("not enough memory");
	return -ENOMEM;
}

void te_report_end(struct te_verify_report *report)
{
	json_object_put(report->differences);
	report->differences = NULL;
	te_free(report->short_source);
	report->short_source = NULL;
}

/* One more difference of a kind; for lines NULL, and room on the terminal for one. */
static struct json_object *difference(struct te_verify_report *report, u32 dev_id,
				      const char *kind)
{
	struct json_object *object;

	if (!report->differences) {
		te_progress_hide();
		return NULL;
	}
	object = json_object_new_object();
	te_listing_number(object, "volume", dev_id);
	te_listing_text(object, "kind", kind);
	json_object_array_add(report->differences, object);
	return object;
}

void te_report_missing(struct te_verify_report *report, u32 dev_id)
{
	if (!difference(report, dev_id, "missing"))
		printf("volume %u: is not in %s\n", dev_id, report->short_source);
}

void te_report_size(struct te_verify_report *report, u32 dev_id, u64 sectors,
		    u64 stream_sectors)
{
	struct json_object *object = difference(report, dev_id, "size");

	if (!object) {
		printf("volume %u: has %llu sectors, %llu in the stream\n", dev_id, (ull)sectors,
		       (ull)stream_sectors);
		return;
	}
	te_listing_number(object, "sectors", sectors);
	te_listing_number(object, "stream_sectors", stream_sectors);
}

void te_report_range(struct te_verify_report *report, u32 dev_id, u64 start, u64 end,
		     const char *what)
{
	struct json_object *object = difference(report, dev_id, "range");

	if (!object) {
		printf("volume %u: sectors %llu to %llu %s\n", dev_id, (ull)start, (ull)end, what);
		return;
	}
	te_listing_number(object, "start_sector", start);
	te_listing_number(object, "end_sector", end);
	te_listing_text(object, "what", what);
}

void te_report_more_ranges(struct te_verify_report *report, u32 dev_id, u64 nr)
{
	struct json_object *object = difference(report, dev_id, "more_ranges");

	if (object)
		te_listing_number(object, "ranges", nr);
	else
		printf("volume %u: and %llu ranges more\n", dev_id, (ull)nr);
}

void te_report_counts(struct te_verify_report *report, u32 dev_id,
		      const struct te_report_counts *counts)
{
	struct json_object *object = difference(report, dev_id, "counts");

	if (!object) {
		printf("volume %u: %llu blocks, %llu exclusive; in the stream %llu, %llu\n", dev_id,
		       (ull)counts->blocks, (ull)counts->exclusive_blocks,
		       (ull)counts->stream_blocks, (ull)counts->stream_exclusive_blocks);
		return;
	}
	te_listing_number(object, "blocks", counts->blocks);
	te_listing_number(object, "exclusive_blocks", counts->exclusive_blocks);
	te_listing_number(object, "stream_blocks", counts->stream_blocks);
	te_listing_number(object, "stream_exclusive_blocks", counts->stream_exclusive_blocks);
}

void te_report_not_in_stream(struct te_verify_report *report, u64 nr_volumes)
{
	report->nr_not_in_stream = nr_volumes;
	if (nr_volumes && !report->differences) {
		te_progress_hide();
		printf("%llu volumes of %s are not in the stream\n", (ull)nr_volumes,
		       report->short_source);
	}
}

static void print(const struct te_verify_report *report, const struct te_verified *verified,
		  u64 different, u64 compared_bytes)
{
	char *text = te_utf8_printable(report->stream, NAME_COLUMNS);

	printf("%s: good\n", text ? text : "");
	te_free(text);
	printf("%llu frames in %s: order, checksums, sizes, digest\n", (ull)verified->frames,
	       te_bytes(verified->bytes));
	printf("%llu volumes, %llu ops: parents, sources, offsets, totals\n",
	       (ull)verified->volumes, (ull)verified->nr_ops);
	printf("%s of data decoded, %s of zeros\n",
	       te_bytes(verified->data_sectors * SECTOR_BYTES),
	       te_bytes(verified->zero_sectors * SECTOR_BYTES));
	if (verified->skipped_frames)
		printf("%llu optional frames of unknown kinds: checksums only\n",
		       (ull)verified->skipped_frames);
	if (report->source && !different)
		printf("the same as %s: %s compared, and the sharing\n", report->short_source,
		       te_bytes(compared_bytes));
}

static struct json_object *json_against(struct te_verify_report *report, u64 different,
					u64 compared_bytes)
{
	struct json_object *object = json_object_new_object();

	te_listing_text(object, "source", report->source);
	json_object_object_add(object, "same", json_object_new_boolean(!different));
	te_listing_number(object, "compared_bytes", compared_bytes);
	te_listing_number(object, "different_volumes", different);
	te_listing_number(object, "volumes_not_in_stream", report->nr_not_in_stream);
	json_object_object_add(object, "differences", json_object_get(report->differences));
	return object;
}

static void print_json(struct te_verify_report *report, const struct te_verified *verified,
		       u64 different, u64 compared_bytes)
{
	struct json_object *object = json_object_new_object();

	te_listing_text(object, "stream", report->stream);
	json_object_object_add(object, "good", json_object_new_boolean(true));
	te_listing_number(object, "bytes", verified->bytes);
	te_listing_number(object, "frames", verified->frames);
	te_listing_number(object, "skipped_frames", verified->skipped_frames);
	te_listing_number(object, "volumes", verified->volumes);
	te_listing_number(object, "ops", verified->nr_ops);
	te_listing_number(object, "data_sectors", verified->data_sectors);
	te_listing_number(object, "zero_sectors", verified->zero_sectors);
	if (report->source)
		json_object_object_add(object, "against",
				       json_against(report, different, compared_bytes));
	te_listing_json(object);
}

void te_report_verified(struct te_verify_report *report, const struct te_verified *verified,
			u64 different, u64 compared_bytes)
{
	if (report->differences)
		print_json(report, verified, different, compared_bytes);
	else
		print(report, verified, different, compared_bytes);
}
