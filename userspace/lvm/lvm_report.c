// SPDX-License-Identifier: GPL-2.0-or-later
/* What LVM reports, read and checked field by field. */
#include "lvm/lvm_report.h"

#include <json-c/json.h>
#include <stdio.h>

#include <thinexport/thin_disk.h>
#include "base/utf8.h"
#include "base/words.h"

/* A report nests five deep. */
#define MAX_DEPTH	8
#define MAX_TEXT_BYTES	1024u		/* of a value, but for tags */
#define MAX_TAGS_BYTES	(256u << 10)
#define MAX_SECTORS	(1ULL << 54)	/* 2^63 bytes */

const char te_lvm_group_fields[] =
	"vg_name,vg_uuid,vg_exported,vg_partial,vg_clustered,vg_lock_type,vg_seqno,"
	"vg_extent_size,vg_free_count,vg_mda_free";
const char te_lvm_lv_fields[] =
	"lv_name,lv_uuid,segtype,lv_size,lv_permissions,lv_skip_activation,lv_merging,lv_time,"
	"lv_host,lv_tags,origin,pool_lv_uuid,thin_id,transaction_id,lv_metadata_size,chunk_size,"
	"discards,zero,lv_when_full,lv_profile";

/* A row of the report that is being read, and why it cannot be. */
struct row {
	json_object *object;
	const char *name;		/* of what it is about, once known */
	char *why;
	size_t why_bytes;
	int err;			/* the first one */
};

static void wrong(struct row *row, const char *key, const char *words)
{
	if (row->err)
		return;
	row->err = -EINVAL;
	snprintf(row->why, row->why_bytes, "its %s%s%s %s", key, row->name ? " of " : "",
		 row->name ? row->name : "", words);
}

static void no_memory(struct row *row)
{
	if (row->err)
		return;
	row->err = -ENOMEM;
	snprintf(row->why, row->why_bytes, "there is no memory for it");
}

/* The value, "" when it is missing in an error. */
static const char *get_text(struct row *row, const char *key, size_t most)
{
	json_object *value;
	const char *text;
	size_t bytes;

	if (!json_object_object_get_ex(row->object, key, &value) ||
	    !json_object_is_type(value, json_type_string)) {
		wrong(row, key, "is missing");
		return "";
	}
	text = json_object_get_string(value);
	bytes = (size_t)json_object_get_string_len(value);
	if (bytes <= most && te_utf8_valid(text, bytes))
		return text;
	wrong(row, key, "is no text, or too long");
	return "";
}

/* A new string, or NULL for an empty one. */
static char *get_string(struct row *row, const char *key)
{
	const char *text = get_text(row, key, MAX_TEXT_BYTES);
	char *copy;

	if (!*text)
		return NULL;
	copy = strdup(text);
	if (!copy)
		no_memory(row);
	return copy;
}

static u64 get_number(struct row *row, const char *key, u64 most)
{
	const char *text = get_text(row, key, MAX_TEXT_BYTES), *rest;
	u64 number = 0;

	if (*text && !te_parse_number(text, '\0', most, &number, &rest))
		wrong(row, key, "is no number, or too large");
	return number;
}

/* -1 stands for what LVM cannot tell. */
static bool get_flag(struct row *row, const char *key)
{
	const char *text = get_text(row, key, MAX_TEXT_BYTES);

	if (*text && strcmp(text, "0") && strcmp(text, "1") && strcmp(text, "-1"))
		wrong(row, key, "is neither 0 nor 1");
	return !strcmp(text, "1");
}

/* Six letters and digits, five times four, six: LVM's way to write 32 of them. */
static bool is_uuid(const char *text)
{
	size_t i;

	for (i = 0; i + 1 < TE_LVM_UUID_BYTES; i++) {
		bool dash = i >= 6 && i <= 31 && (i - 6) % 5 == 0;

		if (dash ? text[i] != '-' :
			   !(text[i] >= '0' && text[i] <= '9') &&
			   !(text[i] >= 'a' && text[i] <= 'z') &&
			   !(text[i] >= 'A' && text[i] <= 'Z') && text[i] != '#' && text[i] != '!')
			return false;
	}
	return !text[i];
}

static void get_uuid(struct row *row, const char *key, char uuid[TE_LVM_UUID_BYTES])
{
	const char *text = get_text(row, key, MAX_TEXT_BYTES);

	if (!*text)
		return;
	if (is_uuid(text))
		memcpy(uuid, text, TE_LVM_UUID_BYTES);
	else
		wrong(row, key, "is no uuid");
}

bool te_lvm_is_name(const char *name, size_t bytes)
{
	size_t i;

	if (!bytes || bytes >= TE_LVM_NAME_BYTES || name[0] == '-' ||
	    (name[0] == '.' && (bytes == 1 || (bytes == 2 && name[1] == '.'))))
		return false;
	for (i = 0; i < bytes; i++)
		if (!(name[i] >= '0' && name[i] <= '9') && !(name[i] >= 'a' && name[i] <= 'z') &&
		    !(name[i] >= 'A' && name[i] <= 'Z') && !strchr("+_.-", name[i]))
			return false;
	return true;
}

/* `name` must be one; borrowed from the row. */
static const char *get_name(struct row *row, const char *key)
{
	const char *text = get_text(row, key, MAX_TEXT_BYTES);

	if (te_lvm_is_name(text, strlen(text)))
		return text;
	wrong(row, key, "is no name");
	return "";
}

/* Tags hold no commas; LVM separates them by one. */
static void get_tags(struct row *row, const char *key, struct te_lvm_strings *tags)
{
	const char *text = get_text(row, key, MAX_TAGS_BYTES), *p;
	size_t nr = *text != '\0';

	for (p = text; *p; p++)
		nr += *p == ',';
	tags->strings = te_alloc(nr * sizeof(*tags->strings));
	if (!tags->strings) {
		no_memory(row);
		return;
	}
	for (p = text; tags->nr < nr; p++) {
		size_t bytes = strcspn(p, ",");

		tags->strings[tags->nr] = strndup(p, bytes);
		if (!tags->strings[tags->nr++]) {
			no_memory(row);
			return;
		}
		p += bytes;
	}
}

static void get_permissions(struct row *row, bool *read_only)
{
	const char *text = get_text(row, "lv_permissions", MAX_TEXT_BYTES);

	/* "read-only-override": by the configuration of this host alone. */
	*read_only = !strcmp(text, "read-only");
	if (*text && strcmp(text, "writeable") && strncmp(text, "read-only", 9) &&
	    strcmp(text, "unknown"))
		wrong(row, "lv_permissions", "is none that is known");
}

static void read_lv(struct row *row, struct te_lvm_lv *lv)
{
	row->name = get_name(row, "lv_name");
	lv->name = strdup(row->name);
	if (!lv->name)
		no_memory(row);
	get_uuid(row, "lv_uuid", lv->uuid);
	if (!lv->uuid[0])
		wrong(row, "lv_uuid", "is missing");
	lv->segtype = get_string(row, "segtype");
	lv->sectors = get_number(row, "lv_size", MAX_SECTORS);
	get_permissions(row, &lv->read_only);
	lv->skip_activation = get_flag(row, "lv_skip_activation");
	lv->merging = get_flag(row, "lv_merging");
	lv->created = get_number(row, "lv_time", INT64_MAX);
	lv->host = get_string(row, "lv_host");
	get_tags(row, "lv_tags", &lv->tags);
	lv->origin = get_string(row, "origin");
	get_uuid(row, "pool_lv_uuid", lv->pool_uuid);
	lv->dev_id = (u32)get_number(row, "thin_id", THIN_DEV_ID_MAX);
	lv->transaction_id = get_number(row, "transaction_id", UINT64_MAX);
	lv->metadata_sectors = get_number(row, "lv_metadata_size", MAX_SECTORS);
	lv->chunk_sectors = get_number(row, "chunk_size", MAX_SECTORS);
	lv->discards = get_string(row, "discards");
	lv->zero = get_flag(row, "zero");
	lv->error_when_full = !strcmp(get_text(row, "lv_when_full", MAX_TEXT_BYTES), "error");
	lv->profile = get_string(row, "lv_profile");
	if (lv->segtype && !strcmp(lv->segtype, "thin-pool"))
		lv->kind = TE_LVM_POOL;
	if (!lv->segtype || strcmp(lv->segtype, "thin"))
		return;
	lv->kind = TE_LVM_THIN;
	if (!lv->pool_uuid[0])
		wrong(row, "pool_lv_uuid", "is missing");
	if (!*get_text(row, "thin_id", MAX_TEXT_BYTES))
		wrong(row, "thin_id", "is missing");
}

static void read_group(struct row *row, struct te_lvm_group *group)
{
	row->name = get_name(row, "vg_name");
	snprintf(group->name, sizeof(group->name), "%s", row->name);
	get_uuid(row, "vg_uuid", group->uuid);
	if (!group->uuid[0])
		wrong(row, "vg_uuid", "is missing");
	group->exported = get_flag(row, "vg_exported");
	group->partial = get_flag(row, "vg_partial");
	group->clustered = get_flag(row, "vg_clustered");
	group->seqno = get_number(row, "vg_seqno", UINT32_MAX);
	group->extent_sectors = get_number(row, "vg_extent_size", UINT32_MAX);
	group->free_extents = get_number(row, "vg_free_count", UINT32_MAX);
	group->free_text_sectors = get_number(row, "vg_mda_free", MAX_SECTORS);
	if (!group->extent_sectors)
		wrong(row, "vg_extent_size", "is missing");
	group->lock_type = get_string(row, "vg_lock_type");
	if (group->lock_type && !strcmp(group->lock_type, "none")) {
		free(group->lock_type);
		group->lock_type = NULL;
	}
}

/* The rows of the report: of volumes as "lv", or as "seg", a row each segment. */
static json_object *find_rows(json_object *root, const char *const *kinds)
{
	json_object *reports, *report, *rows;

	if (!json_object_is_type(root, json_type_object) ||
	    !json_object_object_get_ex(root, "report", &reports) ||
	    !json_object_is_type(reports, json_type_array) ||
	    json_object_array_length(reports) != 1)
		return NULL;
	report = json_object_array_get_idx(reports, 0);
	if (!json_object_is_type(report, json_type_object))
		return NULL;
	for (; *kinds; kinds++)
		if (json_object_object_get_ex(report, *kinds, &rows) &&
		    json_object_is_type(rows, json_type_array))
			return rows;
	return NULL;
}

static json_object *parse(const char *json, size_t bytes, char *why, size_t why_bytes)
{
	json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	json_object *root = NULL;

	if (!tokener) {
		snprintf(why, why_bytes, "there is no memory for it");
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	/* LVM ends it by a blank line; strict parsing takes blanks for more text. */
	while (bytes && strchr(" \t\r\n", json[bytes - 1]))
		bytes--;
	if (te_utf8_valid(json, bytes) && bytes < INT_MAX)
		root = json_tokener_parse_ex(tokener, json, (int)bytes);
	if (!root || json_tokener_get_error(tokener) != json_tokener_success) {
		snprintf(why, why_bytes, "it is not JSON");
		json_object_put(root);
		root = NULL;
	}
	json_tokener_free(tokener);
	return root;
}

static struct row row_of(json_object *rows, size_t index, char *why, size_t why_bytes)
{
	struct row row = { json_object_array_get_idx(rows, index), NULL, why, why_bytes, 0 };

	if (!json_object_is_type(row.object, json_type_object)) {
		row.err = -EINVAL;
		snprintf(why, why_bytes, "it has a row that is no object");
	}
	return row;
}

int te_lvm_read_group(struct te_lvm_group *group, const char *json, size_t bytes, char *why,
		      size_t why_bytes)
{
	static const char *const kinds[] = { "vg", NULL };
	json_object *root = parse(json, bytes, why, why_bytes), *rows;
	struct row row = { .err = -EINVAL };

	memset(group, 0, sizeof(*group));
	if (!root)
		return -EINVAL;
	rows = find_rows(root, kinds);
	if (rows && json_object_array_length(rows) == 1) {
		row = row_of(rows, 0, why, why_bytes);
		if (!row.err)
			read_group(&row, group);
	} else {
		snprintf(why, why_bytes, "it is not about just one volume group");
	}
	json_object_put(root);
	if (row.err)
		te_lvm_group_exit(group);
	return row.err;
}

static int read_rows(struct te_lvm_group *group, json_object *rows, char *why, size_t why_bytes)
{
	size_t nr = json_object_array_length(rows);

	group->lvs = te_alloc(nr * sizeof(*group->lvs));
	if (!group->lvs) {
		snprintf(why, why_bytes, "there is no memory for it");
		return -ENOMEM;
	}
	while (group->nr_lvs < nr) {
		struct row row = row_of(rows, group->nr_lvs, why, why_bytes);

		if (!row.err)
			read_lv(&row, &group->lvs[group->nr_lvs++]);
		if (row.err)
			return row.err;
	}
	return 0;
}

int te_lvm_read_lvs(struct te_lvm_group *group, const char *json, size_t bytes, char *why,
		    size_t why_bytes)
{
	static const char *const kinds[] = { "seg", "lv", NULL };
	json_object *root = parse(json, bytes, why, why_bytes), *rows;
	int err = -EINVAL;

	if (!root)
		return err;
	rows = find_rows(root, kinds);
	if (rows)
		err = read_rows(group, rows, why, why_bytes);
	else
		snprintf(why, why_bytes, "it is no report of logical volumes");
	json_object_put(root);
	return err;
}

static void strings_exit(struct te_lvm_strings *strings)
{
	size_t i;

	for (i = 0; i < strings->nr; i++)
		free(strings->strings[i]);
	te_free(strings->strings);
}

void te_lvm_lv_exit(struct te_lvm_lv *lv)
{
	strings_exit(&lv->tags);
	free(lv->name);
	free(lv->segtype);
	free(lv->host);
	free(lv->origin);
	free(lv->discards);
	free(lv->profile);
	memset(lv, 0, sizeof(*lv));
}

static bool copy_string(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

bool te_lvm_lv_copy(struct te_lvm_lv *to, const struct te_lvm_lv *from)
{
	bool ok;

	*to = *from;
	to->tags = (struct te_lvm_strings){ te_alloc(from->tags.nr * sizeof(char *)), 0 };
	ok = to->tags.strings != NULL;
	while (ok && to->tags.nr < from->tags.nr) {
		ok = copy_string(&to->tags.strings[to->tags.nr], from->tags.strings[to->tags.nr]);
		to->tags.nr++;
	}
	/* All of them, so that none is left to be freed twice. */
	ok &= copy_string(&to->name, from->name);
	ok &= copy_string(&to->segtype, from->segtype);
	ok &= copy_string(&to->host, from->host);
	ok &= copy_string(&to->origin, from->origin);
	ok &= copy_string(&to->discards, from->discards);
	ok &= copy_string(&to->profile, from->profile);
	if (!ok)
		te_lvm_lv_exit(to);
	return ok;
}

const struct te_lvm_lv *te_lvm_group_find(const struct te_lvm_group *group, const char *name)
{
	size_t i;

	for (i = 0; i < group->nr_lvs; i++)
		if (!strcmp(group->lvs[i].name, name))
			return &group->lvs[i];
	return NULL;
}

void te_lvm_group_forget(struct te_lvm_group *group)
{
	size_t i;

	for (i = 0; i < group->nr_lvs; i++)
		te_lvm_lv_exit(&group->lvs[i]);
	te_free(group->lvs);
	group->lvs = NULL;
	group->nr_lvs = 0;
}

void te_lvm_group_exit(struct te_lvm_group *group)
{
	te_lvm_group_forget(group);
	free(group->lock_type);
	memset(group, 0, sizeof(*group));
}
