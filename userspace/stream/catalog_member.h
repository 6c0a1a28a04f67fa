/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Members of the catalog's objects: written, and read from hostile hands.
 *
 * What is read is looked up by its key and must be of its type and in its bounds;
 * else the reason, as the rest of a sentence, goes to `why`, and the answer is
 * false.
 */
#ifndef TE_CATALOG_MEMBER_H
#define TE_CATALOG_MEMBER_H

#include <json-c/json.h>

#include "core/seam.h"

/* dm names are shorter; LVM's are too. */
#define TE_MEMBER_STRING_BYTES	1024

/* Why the text that is being read is no catalog. */
struct te_catalog_reason {
	char *text;
	size_t bytes;
};

/* Takes the value over; NULL stands for no memory, and false is the answer. */
bool te_member_add(json_object *to, const char *key, json_object *value);

/* The string in UTF-8; NULL: no memory. */
json_object *te_member_text(const char *string);

/* A number that must be there. */
bool te_member_number(json_object *from, const char *key, u64 max, u64 *number,
		      struct te_catalog_reason *why);

/* A value that must be a string of UTF-8 without a NUL inside; `key` is for `why`. */
bool te_member_take_string(json_object *value, const char *key, char **string,
			   struct te_catalog_reason *why);

/* These may be missing: NULL, false. */
bool te_member_string(json_object *from, const char *key, char **string,
		      struct te_catalog_reason *why);
bool te_member_flag(json_object *from, const char *key, bool *flag,
		    struct te_catalog_reason *why);

/* False and `why` when it is there and no object; else *object, or NULL. */
bool te_member_object(json_object *from, const char *key, json_object **object,
		      struct te_catalog_reason *why);

#endif
