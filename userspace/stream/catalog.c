// SPDX-License-Identifier: GPL-2.0-or-later
/* The catalog of a stream: written, and read from hostile hands. */
#include "stream/catalog.h"

#include <stdio.h>

#include "stream/catalog_member.h"
#include "base/utf8.h"

/* Deeper nesting than any catalog has; it bounds the parser's stack. */
#define MAX_DEPTH	16
/* Of a crc-64. */
#define PLAN_DIGITS	16
/* 2^63 bytes. */
#define MAX_SECTORS	(1ULL << 54)

/* A pool gives the same bytes whether a table or the user knew its volumes' sizes. */
static const char *const size_words[] = {
	[TE_SIZE_FROM_TABLE] = "known",
	[TE_SIZE_FROM_OPTION] = "known",
	[TE_SIZE_FROM_MAPPINGS] = "mappings",
};

struct te_catalog *te_catalog_create(size_t nr_volumes)
{
	struct te_catalog *catalog = te_alloc(sizeof(*catalog));

	if (!catalog)
		return NULL;
	catalog->volumes = te_alloc(nr_volumes * sizeof(*catalog->volumes));
	if (!catalog->volumes) {
		te_free(catalog);
		return NULL;
	}
	catalog->nr_volumes = nr_volumes;
	return catalog;
}

void te_catalog_destroy(struct te_catalog *catalog)
{
	size_t i;

	if (!catalog)
		return;
	for (i = 0; i < catalog->nr_volumes; i++) {
		free(catalog->volumes[i].name);
		te_catalog_lvm_volume_free(catalog->volumes[i].lvm);
	}
	te_free(catalog->volumes);
	free(catalog->pool_name);
	free(catalog->plan);
	te_catalog_lvm_pool_free(catalog->lvm);
	te_free(catalog);
}

static bool add_name(json_object *to, const char *name)
{
	return !name || te_member_add(to, "name", te_member_text(name));
}

static json_object *pool_object(const struct te_catalog *catalog)
{
	json_object *pool = json_object_new_object();

	if (pool && add_name(pool, catalog->pool_name) &&
	    te_member_add(pool, "block_sectors", json_object_new_uint64(catalog->block_sectors)) &&
	    te_member_add(pool, "data_blocks", json_object_new_uint64(catalog->nr_data_blocks)) &&
	    te_member_add(pool, "transaction_id",
			  json_object_new_uint64(catalog->transaction_id)) &&
	    (!catalog->plan ||
	     te_member_add(pool, "plan", json_object_new_string(catalog->plan))) &&
	    (!catalog->lvm || te_member_add(pool, "lvm", te_catalog_lvm_pool_object(catalog->lvm))))
		return pool;
	json_object_put(pool);
	return NULL;
}

static json_object *volume_object(const struct te_catalog_volume *volume)
{
	json_object *object = json_object_new_object();

	if (object && te_member_add(object, "id", json_object_new_uint64(volume->dev_id)) &&
	    add_name(object, volume->name) &&
	    te_member_add(object, "sectors", json_object_new_uint64(volume->sectors)) &&
	    te_member_add(object, "size_from",
			  json_object_new_string(size_words[volume->size_from])) &&
	    te_member_add(object, "mapped_blocks", json_object_new_uint64(volume->mapped_blocks)) &&
	    (!volume->lvm ||
	     te_member_add(object, "lvm", te_catalog_lvm_volume_object(volume->lvm))))
		return object;
	json_object_put(object);
	return NULL;
}

static json_object *volumes_array(const struct te_catalog *catalog)
{
	json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; array && i < catalog->nr_volumes; i++) {
		json_object *volume = volume_object(&catalog->volumes[i]);

		if (!volume || json_object_array_add(array, volume)) {
			json_object_put(volume);
			json_object_put(array);
			return NULL;
		}
	}
	return array;
}

char *te_catalog_write(const struct te_catalog *catalog)
{
	json_object *root = json_object_new_object();
	const char *text = NULL;
	char *copy = NULL;

	if (root && te_member_add(root, "pool", pool_object(catalog)) &&
	    te_member_add(root, "volumes", volumes_array(catalog)))
		text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PLAIN |
							JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		copy = strdup(text);
	json_object_put(root);
	return copy;
}

/* As a member that a reader need not know: what is no digest counts as none. */
static bool get_plan(json_object *from, char **plan, struct te_catalog_reason *why)
{
	json_object *value;

	if (!json_object_object_get_ex(from, "plan", &value) ||
	    !json_object_is_type(value, json_type_string) ||
	    json_object_get_string_len(value) != PLAN_DIGITS ||
	    strspn(json_object_get_string(value), "0123456789abcdef") != PLAN_DIGITS)
		return true;
	*plan = strdup(json_object_get_string(value));
	if (!*plan)
		snprintf(why->text, why->bytes, "there is no memory for its plan");
	return *plan != NULL;
}

static bool get_size_from(json_object *from, enum te_size_from *size_from,
			  struct te_catalog_reason *why)
{
	json_object *value;
	size_t i;

	if (json_object_object_get_ex(from, "size_from", &value) &&
	    json_object_is_type(value, json_type_string))
		for (i = 0; i < ARRAY_SIZE(size_words); i++)
			if (!strcmp(json_object_get_string(value), size_words[i])) {
				*size_from = (enum te_size_from)i;
				return true;
			}
	snprintf(why->text, why->bytes,
		 "\"size_from\" is not \"known\" or \"mappings\" everywhere");
	return false;
}

static bool parse_pool(json_object *root, struct te_catalog *catalog, struct te_catalog_reason *why)
{
	json_object *pool;
	u64 block_sectors;

	if (!json_object_object_get_ex(root, "pool", &pool) ||
	    !json_object_is_type(pool, json_type_object)) {
		snprintf(why->text, why->bytes, "it has no \"pool\" object");
		return false;
	}
	if (!te_member_string(pool, "name", &catalog->pool_name, why) ||
	    !te_member_number(pool, "block_sectors", UINT32_MAX, &block_sectors, why) ||
	    !te_member_number(pool, "data_blocks", MAX_SECTORS, &catalog->nr_data_blocks, why) ||
	    !te_member_number(pool, "transaction_id", UINT64_MAX, &catalog->transaction_id, why) ||
	    !get_plan(pool, &catalog->plan, why) ||
	    !te_catalog_lvm_parse_pool(pool, &catalog->lvm, why))
		return false;
	catalog->block_sectors = (u32)block_sectors;
	return true;
}

static bool parse_volume(json_object *object, struct te_catalog_volume *volume,
			 struct te_catalog_reason *why)
{
	u64 dev_id;

	if (!json_object_is_type(object, json_type_object)) {
		snprintf(why->text, why->bytes, "\"volumes\" has something that is no object");
		return false;
	}
	if (!te_member_number(object, "id", THIN_DEV_ID_MAX, &dev_id, why) ||
	    !te_member_string(object, "name", &volume->name, why) ||
	    !te_member_number(object, "sectors", MAX_SECTORS, &volume->sectors, why) ||
	    !get_size_from(object, &volume->size_from, why) ||
	    !te_member_number(object, "mapped_blocks", MAX_SECTORS, &volume->mapped_blocks, why) ||
	    !te_catalog_lvm_parse_volume(object, &volume->lvm, why))
		return false;
	volume->dev_id = (u32)dev_id;
	return true;
}

static struct te_catalog *parse_root(json_object *root, struct te_catalog_reason *why)
{
	struct te_catalog *catalog;
	json_object *array;
	size_t i;

	if (!json_object_is_type(root, json_type_object) ||
	    !json_object_object_get_ex(root, "volumes", &array) ||
	    !json_object_is_type(array, json_type_array)) {
		snprintf(why->text, why->bytes, "it has no \"volumes\" array");
		return NULL;
	}
	catalog = te_catalog_create(json_object_array_length(array));
	if (!catalog) {
		snprintf(why->text, why->bytes, "there is no memory for its volumes");
		return NULL;
	}
	if (!parse_pool(root, catalog, why))
		goto destroy;
	for (i = 0; i < catalog->nr_volumes; i++)
		if (!parse_volume(json_object_array_get_idx(array, i), &catalog->volumes[i], why))
			goto destroy;
	return catalog;

destroy:
	te_catalog_destroy(catalog);
	return NULL;
}

/*
 * What json-c makes of a text, in units of 64 bytes: of the two of "{}" 800 bytes, so
 * that 4 MiB of them would take more than a GiB.  With MAX_UNITS it is some 50 MB at most,
 * and a catalog may have 7,000 volumes of LVM's, or 25,000 without names.
 */
#define OBJECT_UNITS	12
#define ARRAY_UNITS	6
#define MEMBER_UNITS	2
#define MAX_UNITS	640000

bool te_catalog_is_small(const char *json, size_t bytes)
{
	size_t units = 0, i;
	bool string = false;

	for (i = 0; i < bytes; i++) {
		if (string && json[i] == '\\')
			i++;
		else if (json[i] == '"')
			string = !string;
		else if (!string)
			units += json[i] == '{' ? OBJECT_UNITS : json[i] == '[' ? ARRAY_UNITS :
				 json[i] == ':' ? MEMBER_UNITS : json[i] == ',';
	}
	return units <= MAX_UNITS;
}

struct te_catalog *te_catalog_parse(const char *json, size_t bytes, char *why, size_t why_bytes)
{
	struct te_catalog_reason reason = { why, why_bytes };
	struct te_catalog *catalog = NULL;
	json_tokener *tokener;
	json_object *root;

	if (!te_utf8_valid(json, bytes)) {
		snprintf(why, why_bytes, "it is not UTF-8 text");
		return NULL;
	}
	if (!te_catalog_is_small(json, bytes)) {
		snprintf(why, why_bytes, "it has more members than a catalog may have");
		return NULL;
	}
	tokener = json_tokener_new_ex(MAX_DEPTH);
	if (!tokener) {
		snprintf(why, why_bytes, "there is no memory for it");
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* With the NUL: so that a text which stops in a number is seen to be at its end. */
	root = json_tokener_parse_ex(tokener, json, (int)bytes + 1);
	if (root)
		catalog = parse_root(root, &reason);
	else
		snprintf(why, why_bytes, "it is not JSON: %s",
			 json_tokener_error_desc(json_tokener_get_error(tokener)));
	json_object_put(root);
	json_tokener_free(tokener);
	return catalog;
}

bool te_catalog_fits_begin(const struct te_catalog *catalog, const struct te_begin *begin,
			   char *why, size_t why_bytes)
{
	if (catalog->nr_volumes == le32_to_cpu(begin->nr_volumes) &&
	    catalog->block_sectors == le32_to_cpu(begin->data_block_sectors) &&
	    catalog->nr_data_blocks == le64_to_cpu(begin->nr_data_blocks) &&
	    catalog->transaction_id == le64_to_cpu(begin->transaction_id))
		return true;
	snprintf(why, why_bytes, "it describes another pool than BEGIN does");
	return false;
}

bool te_catalog_fits_volume(const struct te_catalog *catalog, u32 index,
			    const struct te_volume_begin *volume, char *why, size_t why_bytes)
{
	const struct te_catalog_volume *entry = &catalog->volumes[index];
	bool known = le32_to_cpu(volume->flags) & TE_VOLUME_SIZE_KNOWN;

	if (entry->dev_id == le32_to_cpu(volume->dev_id) &&
	    entry->sectors == le64_to_cpu(volume->virtual_sectors) &&
	    known == (entry->size_from != TE_SIZE_FROM_MAPPINGS))
		return true;
	snprintf(why, why_bytes,
		 "is not the volume that the catalog has in its place (id %u, %llu sectors)",
		 entry->dev_id, (unsigned long long)entry->sectors);
	return false;
}
