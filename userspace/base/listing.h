/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a verb lists on standard output: its end, where short output shows. */
#ifndef TE_LISTING_H
#define TE_LISTING_H

#include "core/seam.h"
#include "cmd/cmd.h"

struct json_object;

/* One line of JSON, and its object let go of. */
void te_listing_json(struct json_object *object);

/* Members of an object.  A text that is NULL is left out. */
void te_listing_number(struct json_object *to, const char *key, u64 number);
void te_listing_text(struct json_object *to, const char *key, const char *text);

/* A time in seconds since 1970, for a person. */
#define TE_LISTING_TIME_BYTES	32
void te_listing_time(u64 seconds, char text[TE_LISTING_TIME_BYTES]);

/* All of it is out, and TE_EXIT_DONE; or one sentence and TE_EXIT_FAILED. */
enum te_exit te_listing_end(void);

#endif
