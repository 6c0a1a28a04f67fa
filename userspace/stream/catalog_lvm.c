// SPDX-License-Identifier: GPL-2.0-or-later
/* What the catalog tells of LVM: the member "lvm" of its pool and of its volumes. */
#include "stream/catalog_lvm.h"

#include <stdio.h>

#define MAX_SECTORS	(1ULL << 54)	/* 2^63 bytes */
#define MAX_TAGS	4096

struct te_catalog_lvm_pool *te_catalog_lvm_pool_create(const struct te_lvm *lvm)
{
	struct te_catalog_lvm_pool *pool = te_alloc(sizeof(*pool));

	if (!pool)
		return NULL;
	pool->group = strdup(lvm->group.name);
	pool->group_uuid = strdup(lvm->group.uuid);
	if (te_lvm_lv_copy(&pool->lv, lvm->pool) && pool->group && pool->group_uuid)
		return pool;
	te_catalog_lvm_pool_free(pool);
	return NULL;
}

struct te_lvm_lv *te_catalog_lvm_volume_create(const struct te_lvm_lv *lv)
{
	struct te_lvm_lv *copy = te_alloc(sizeof(*copy));

	if (copy && te_lvm_lv_copy(copy, lv))
		return copy;
	te_free(copy);
	return NULL;
}

static bool add_text(json_object *to, const char *key, const char *text)
{
	return !text || !*text || te_member_add(to, key, te_member_text(text));
}

static bool add_number(json_object *to, const char *key, u64 number)
{
	return !number || te_member_add(to, key, json_object_new_uint64(number));
}

static bool add_flag(json_object *to, const char *key, bool flag)
{
	return te_member_add(to, key, json_object_new_boolean(flag));
}

static json_object *tags_array(const struct te_lvm_strings *tags)
{
	json_object *array = json_object_new_array();
	size_t i;

	for (i = 0; array && i < tags->nr; i++) {
		json_object *tag = te_member_text(tags->strings[i]);

		if (!tag || json_object_array_add(array, tag)) {
			json_object_put(tag);
			json_object_put(array);
			return NULL;
		}
	}
	return array;
}

/* A new object, when all that was to be in it is; else NULL. */
static json_object *whole(json_object *object, bool ok)
{
	if (ok)
		return object;
	json_object_put(object);
	return NULL;
}

/* When and where it was made. */
static bool add_birth(json_object *object, const struct te_lvm_lv *lv)
{
	return add_number(object, "transaction_id", lv->transaction_id) &&
	       add_number(object, "created", lv->created) && add_text(object, "host", lv->host);
}

json_object *te_catalog_lvm_pool_object(const struct te_catalog_lvm_pool *pool)
{
	json_object *object = json_object_new_object();
	const struct te_lvm_lv *lv = &pool->lv;

	return whole(object, object && add_text(object, "group", pool->group) &&
		     add_text(object, "group_uuid", pool->group_uuid) &&
		     add_text(object, "uuid", lv->uuid) &&
		     te_member_add(object, "tags", tags_array(&lv->tags)) &&
		     add_number(object, "metadata_sectors", lv->metadata_sectors) &&
		     add_flag(object, "zero", lv->zero) &&
		     add_text(object, "discards", lv->discards) &&
		     add_flag(object, "error_when_full", lv->error_when_full) &&
		     add_text(object, "profile", lv->profile) && add_birth(object, lv));
}

json_object *te_catalog_lvm_volume_object(const struct te_lvm_lv *lv)
{
	json_object *object = json_object_new_object();

	return whole(object, object && add_text(object, "uuid", lv->uuid) &&
		     add_text(object, "origin", lv->origin) &&
		     te_member_add(object, "tags", tags_array(&lv->tags)) &&
		     add_flag(object, "read_only", lv->read_only) &&
		     add_flag(object, "skip_activation", lv->skip_activation) &&
		     add_birth(object, lv));
}

/* A number that may be missing. */
static bool get_number(json_object *from, const char *key, u64 max, u64 *number,
		       struct te_catalog_reason *why)
{
	*number = 0;
	return !json_object_object_get_ex(from, key, NULL) ||
	       te_member_number(from, key, max, number, why);
}

static bool get_uuid(json_object *from, char uuid[TE_LVM_UUID_BYTES],
		     struct te_catalog_reason *why)
{
	char *text;

	if (!te_member_string(from, "uuid", &text, why))
		return false;
	if (text && strlen(text) >= TE_LVM_UUID_BYTES) {
		snprintf(why->text, why->bytes, "\"uuid\" is longer than %d bytes",
			 TE_LVM_UUID_BYTES - 1);
		free(text);
		return false;
	}
	snprintf(uuid, TE_LVM_UUID_BYTES, "%s", text ? text : "");
	free(text);
	return true;
}

static bool get_tags(json_object *from, struct te_lvm_strings *tags,
		     struct te_catalog_reason *why)
{
	json_object *array;
	size_t nr;

	if (!json_object_object_get_ex(from, "tags", &array))
		return true;
	if (!json_object_is_type(array, json_type_array) ||
	    json_object_array_length(array) > MAX_TAGS) {
		snprintf(why->text, why->bytes,
			 "\"tags\" is not an array of at most %d strings everywhere", MAX_TAGS);
		return false;
	}
	nr = json_object_array_length(array);
	tags->strings = te_alloc(nr * sizeof(*tags->strings));
	if (!tags->strings) {
		snprintf(why->text, why->bytes, "there is no memory for it");
		return false;
	}
	for (; tags->nr < nr; tags->nr++)
		if (!te_member_take_string(json_object_array_get_idx(array, tags->nr), "tags",
					   &tags->strings[tags->nr], why))
			return false;
	return true;
}

/* What pools and volumes both have. */
static bool parse_lv(json_object *from, struct te_lvm_lv *lv, struct te_catalog_reason *why)
{
	return get_uuid(from, lv->uuid, why) && get_tags(from, &lv->tags, why) &&
	       get_number(from, "transaction_id", UINT64_MAX, &lv->transaction_id, why) &&
	       get_number(from, "created", INT64_MAX, &lv->created, why) &&
	       te_member_string(from, "host", &lv->host, why);
}

bool te_catalog_lvm_parse_pool(json_object *from, struct te_catalog_lvm_pool **pool,
			       struct te_catalog_reason *why)
{
	json_object *object;
	struct te_lvm_lv *lv;

	*pool = NULL;
	if (!te_member_object(from, "lvm", &object, why))
		return false;
	if (!object)
		return true;
	*pool = te_alloc(sizeof(**pool));
	if (!*pool) {
		snprintf(why->text, why->bytes, "there is no memory for it");
		return false;
	}
	lv = &(*pool)->lv;
	lv->kind = TE_LVM_POOL;
	return te_member_string(object, "group", &(*pool)->group, why) &&
	       te_member_string(object, "group_uuid", &(*pool)->group_uuid, why) &&
	       parse_lv(object, lv, why) &&
	       get_number(object, "metadata_sectors", MAX_SECTORS, &lv->metadata_sectors, why) &&
	       te_member_flag(object, "zero", &lv->zero, why) &&
	       te_member_string(object, "discards", &lv->discards, why) &&
	       te_member_flag(object, "error_when_full", &lv->error_when_full, why) &&
	       te_member_string(object, "profile", &lv->profile, why);
}

bool te_catalog_lvm_parse_volume(json_object *from, struct te_lvm_lv **lv,
				 struct te_catalog_reason *why)
{
	json_object *object;

	*lv = NULL;
	if (!te_member_object(from, "lvm", &object, why))
		return false;
	if (!object)
		return true;
	*lv = te_alloc(sizeof(**lv));
	if (!*lv) {
		snprintf(why->text, why->bytes, "there is no memory for it");
		return false;
	}
	(*lv)->kind = TE_LVM_THIN;
	return parse_lv(object, *lv, why) &&
	       te_member_string(object, "origin", &(*lv)->origin, why) &&
	       te_member_flag(object, "read_only", &(*lv)->read_only, why) &&
	       te_member_flag(object, "skip_activation", &(*lv)->skip_activation, why);
}

void te_catalog_lvm_pool_free(struct te_catalog_lvm_pool *pool)
{
	if (!pool)
		return;
	free(pool->group);
	free(pool->group_uuid);
	te_lvm_lv_exit(&pool->lv);
	te_free(pool);
}

void te_catalog_lvm_volume_free(struct te_lvm_lv *lv)
{
	if (!lv)
		return;
	te_lvm_lv_exit(lv);
	te_free(lv);
}
