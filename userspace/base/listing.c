// SPDX-License-Identifier: GPL-2.0-or-later
/* What a verb lists on standard output: its end, where short output shows. */
#include "base/listing.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/say.h"

void te_listing_json(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
						    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

void te_listing_number(struct json_object *to, const char *key, u64 number)
{
	json_object_object_add(to, key, json_object_new_uint64(number));
}

void te_listing_text(struct json_object *to, const char *key, const char *text)
{
	if (text)
		json_object_object_add(to, key, json_object_new_string(text));
}

void te_listing_time(u64 seconds, char text[TE_LISTING_TIME_BYTES])
{
	time_t time = (time_t)seconds;
	struct tm parts = { 0 };

	strftime(text, TE_LISTING_TIME_BYTES, "%Y-%m-%d %H:%M", localtime_r(&time, &parts));
}

enum te_exit te_listing_end(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return TE_EXIT_DONE;
	te_error("standard output: cannot be written: %s", strerror(errno));
	return TE_EXIT_FAILED;
}
