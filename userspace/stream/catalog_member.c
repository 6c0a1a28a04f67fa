// SPDX-License-Identifier: GPL-2.0-or-later
/* Members of the catalog's objects: written, and read from hostile hands. */
#include "stream/catalog_member.h"

#include <stdio.h>

#include "base/utf8.h"

bool te_member_add(json_object *to, const char *key, json_object *value)
{
	if (value && !json_object_object_add(to, key, value))
		return true;
	json_object_put(value);
	return false;
}

/* Device-mapper allows any byte in a name: what is not UTF-8 is mangled as it does. */
json_object *te_member_text(const char *string)
{
	const unsigned char *p = (const unsigned char *)string, *end = p + strlen(string);
	char *text = te_alloc(4 * strlen(string) + 1), *out = text;
	json_object *object;

	if (!text)
		return NULL;
	while (p < end) {
		size_t length = te_utf8_length(p, (size_t)(end - p));

		if (length) {
			memcpy(out, p, length);
			out += length;
			p += length;
		} else {
			out += sprintf(out, "\\x%02x", *p++);
		}
	}
	object = json_object_new_string(text);
	te_free(text);
	return object;
}

bool te_member_number(json_object *from, const char *key, u64 max, u64 *number,
		      struct te_catalog_reason *why)
{
	json_object *value;

	if (!json_object_object_get_ex(from, key, &value) ||
	    !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0 ||
	    json_object_get_uint64(value) > max) {
		snprintf(why->text, why->bytes,
			 "\"%s\" is not a number from 0 to %llu everywhere", key,
			 (unsigned long long)max);
		return false;
	}
	*number = json_object_get_uint64(value);
	return true;
}

bool te_member_take_string(json_object *value, const char *key, char **string,
			   struct te_catalog_reason *why)
{
	*string = NULL;
	if (!json_object_is_type(value, json_type_string) ||
	    json_object_get_string_len(value) > TE_MEMBER_STRING_BYTES ||
	    !te_utf8_valid(json_object_get_string(value),
			   (size_t)json_object_get_string_len(value))) {
		snprintf(why->text, why->bytes,
			 "\"%s\" is not a string of at most %d bytes everywhere", key,
			 TE_MEMBER_STRING_BYTES);
		return false;
	}
	*string = strdup(json_object_get_string(value));
	if (!*string)
		snprintf(why->text, why->bytes, "there is no memory for it");
	return *string != NULL;
}

bool te_member_string(json_object *from, const char *key, char **string,
		      struct te_catalog_reason *why)
{
	json_object *value;

	*string = NULL;
	return !json_object_object_get_ex(from, key, &value) ||
	       te_member_take_string(value, key, string, why);
}

bool te_member_flag(json_object *from, const char *key, bool *flag,
		    struct te_catalog_reason *why)
{
	json_object *value;

	*flag = false;
	if (!json_object_object_get_ex(from, key, &value))
		return true;
	if (!json_object_is_type(value, json_type_boolean)) {
		snprintf(why->text, why->bytes, "\"%s\" is not true or false everywhere", key);
		return false;
	}
	*flag = json_object_get_boolean(value);
	return true;
}

bool te_member_object(json_object *from, const char *key, json_object **object,
		      struct te_catalog_reason *why)
{
	*object = NULL;
	if (!json_object_object_get_ex(from, key, object) ||
	    json_object_is_type(*object, json_type_object))
		return true;
	snprintf(why->text, why->bytes, "\"%s\" is not an object everywhere", key);
	return false;
}
