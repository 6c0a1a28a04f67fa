// SPDX-License-Identifier: GPL-2.0-or-later
/* What came of a trim, for people and as JSON. */
#include "passdown/trim_report.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/listing.h"
#include "base/say.h"

static void line(const char *what, u64 bytes, const char *behind)
{
	printf("  %-8s %9s   %s\n", what, te_bytes(bytes), behind);
}

void te_trim_print(const struct te_trim_report *report, bool dry)
{
	char text[120];

	printf("%.60s: %s, %s in use\n", report->pool, te_bytes(report->size),
	       te_bytes(report->used));
	line("free", report->free, "no volume has it");
	if (report->beside) {
		snprintf(text, sizeof(text), "of it on no passdown, but on %.40s: left",
			 report->barrier);
		line("beside", report->beside, text);
	}
	line("stripes", report->stripes, "of it whole stripes; less than one cannot go down");
	if (dry)
		return;
	line("sent", report->sent, "discarded");
	line("written", report->written, "of it left out: written meanwhile");
	line("passed", report->passed, "taken by what is below");
	if (report->due)
		line("due", report->due, report->no_discard ?
		     "whole stripes: what is below takes no discard" :
		     "whole stripes that it has not taken");
	if (report->window_us)
		printf("  The pool stood still for %.1f ms.\n", (double)report->window_us / 1000);
	if (!report->complete)
		printf("  Ended early.\n");
}

void te_trim_json(const struct te_trim_report *report, bool dry)
{
	struct json_object *object = json_object_new_object();

	te_listing_text(object, "pool", report->pool);
	json_object_object_add(object, "done", json_object_new_boolean(!dry && te_trim_is_done(report)));
	te_listing_number(object, "size_bytes", report->size);
	te_listing_number(object, "used_bytes", report->used);
	te_listing_number(object, "free_bytes", report->free);
	te_listing_number(object, "beside_bytes", report->beside);
	te_listing_text(object, "beside_on", report->beside ? report->barrier : NULL);
	te_listing_number(object, "stripes_bytes", report->stripes);
	if (!dry) {
		te_listing_number(object, "sent_bytes", report->sent);
		te_listing_number(object, "written_bytes", report->written);
		te_listing_number(object, "passed_bytes", report->passed);
		te_listing_number(object, "due_bytes", report->due);
		te_listing_text(object, "due_why", !report->due ? NULL :
				report->no_discard ? "no discard" : "failed");
		te_listing_number(object, "failed_passes", report->failed_passes);
		te_listing_number(object, "window_us", report->window_us);
	}
	te_listing_json(object);
}
