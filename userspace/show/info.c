// SPDX-License-Identifier: GPL-2.0-or-later
/* What `thinexport info` tells of a stream or of a source: printed. */
#include "show/info.h"

#include <json-c/json.h>
#include <stdio.h>

#include "stream/codec.h"
#include "base/listing.h"
#include "base/say.h"
#include "base/utf8.h"

#define SECTOR_BYTES	512ULL
#define NAME_COLUMNS	22u

typedef unsigned long long ull;

struct te_info *te_info_create(size_t nr_volumes)
{
	struct te_info *info = te_alloc(sizeof(*info));

	if (!info)
		return NULL;
	info->volumes = te_alloc(nr_volumes * sizeof(*info->volumes));
	info->nr_volumes = nr_volumes;
	if (info->volumes)
		return info;
	te_free(info);
	return NULL;
}

void te_info_destroy(struct te_info *info)
{
	size_t i;

	if (!info)
		return;
	for (i = 0; i < info->nr_volumes; i++)
		free(info->volumes[i].name);
	te_free(info->volumes);
	free(info->pool_name);
	te_free(info->stream);
	te_free(info);
}

static int by_id(const void *a, const void *b)
{
	u32 ida = ((const struct te_info_volume *)a)->dev_id;
	u32 idb = ((const struct te_info_volume *)b)->dev_id;

	return ida < idb ? -1 : ida > idb;
}

static void sort(struct te_info *info)
{
	qsort(info->volumes, info->nr_volumes, sizeof(*info->volumes), by_id);
}

static const char *sectors(u64 count)
{
	return te_bytes(count * SECTOR_BYTES);
}

static void print_stored(const struct te_info_stream *stream)
{
	u64 stored = 0;
	unsigned int id;

	for (id = 0; id < ARRAY_SIZE(stream->stored_bytes); id++)
		stored += stream->stored_bytes[id];
	printf("stored   %s", te_bytes(stream->bytes));
	for (id = TE_CODEC_NONE + 1; id < ARRAY_SIZE(stream->stored_bytes); id++)
		if (stream->stored_bytes[id])
			printf(", %s of it by %s", te_bytes(stream->stored_bytes[id]),
			       te_codec_name(id));
	if (stored && stored < stream->raw_bytes)
		printf(" (%.2f : 1)", (double)stream->raw_bytes / (double)stored);
	putchar('\n');
}

static void print_pool(const struct te_info *info)
{
	char *name = info->pool_name ? te_utf8_printable(info->pool_name, 70) : NULL;

	if (name)
		printf("pool     %s\n", name);
	printf("geometry %llu blocks of %s, transaction %llu\n", (ull)info->nr_data_blocks,
	       sectors(info->block_sectors), (ull)info->transaction_id);
	te_free(name);
}

static bool print_volume(const struct te_info_volume *volume)
{
	char *name = te_utf8_printable(volume->name ? volume->name : "-", NAME_COLUMNS);
	char parent[24] = "-";

	if (volume->parent >= 0)
		snprintf(parent, sizeof(parent), "%ld", volume->parent);
	printf("%8u %c%-8s %8s  %8s  %8s %8s  %s\n", volume->dev_id, volume->size_known ? ' ' : '~',
	       sectors(volume->sectors), sectors(volume->provisioned_sectors),
	       sectors(volume->provisioned_sectors - volume->exclusive_sectors),
	       sectors(volume->exclusive_sectors), parent, name ? name : "?");
	te_free(name);
	return volume->size_known;
}

void te_info_print(struct te_info *info)
{
	const struct te_info_stream *stream = info->stream;
	bool known = true;
	size_t i;

	if (stream)
		printf("stream   %s\n", stream->id);
	print_pool(info);
	printf("blocks   %s provisioned", sectors(info->provisioned_sectors));
	if (stream)
		printf(": %s of data, %s of zeros, in %llu ops", sectors(stream->data_sectors),
		       sectors(stream->zero_sectors), (ull)stream->nr_ops);
	putchar('\n');
	if (stream)
		print_stored(stream);
	printf("\n      ID  SIZE      MAPPED    SHARED EXCLUSIVE   PARENT  NAME\n");
	sort(info);
	for (i = 0; i < info->nr_volumes; i++)
		known &= print_volume(&info->volumes[i]);
	if (!known)
		printf("\n~ at least: the end of the last provisioned block; no longer size is known\n");
}

static json_object *json_volume(const struct te_info_volume *volume)
{
	json_object *object = json_object_new_object();

	te_listing_number(object, "id", volume->dev_id);
	te_listing_text(object, "name", volume->name);
	te_listing_number(object, "sectors", volume->sectors);
	json_object_object_add(object, "size_known", json_object_new_boolean(volume->size_known));
	te_listing_number(object, "provisioned_sectors", volume->provisioned_sectors);
	te_listing_number(object, "shared_sectors",
			  volume->provisioned_sectors - volume->exclusive_sectors);
	te_listing_number(object, "exclusive_sectors", volume->exclusive_sectors);
	if (volume->parent >= 0)
		te_listing_number(object, "parent", (u64)volume->parent);
	return object;
}

static json_object *json_pool(const struct te_info *info)
{
	json_object *object = json_object_new_object();

	te_listing_text(object, "name", info->pool_name);
	te_listing_number(object, "block_sectors", info->block_sectors);
	te_listing_number(object, "data_blocks", info->nr_data_blocks);
	te_listing_number(object, "transaction_id", info->transaction_id);
	return object;
}

static json_object *json_stream(const struct te_info_stream *stream)
{
	json_object *object = json_object_new_object(), *stored = json_object_new_object();
	unsigned int id;

	te_listing_text(object, "id", stream->id);
	te_listing_number(object, "bytes", stream->bytes);
	te_listing_number(object, "raw_bytes", stream->raw_bytes);
	for (id = 0; id < ARRAY_SIZE(stream->stored_bytes); id++)
		if (stream->stored_bytes[id])
			te_listing_number(stored, te_codec_name(id), stream->stored_bytes[id]);
	json_object_object_add(object, "stored_bytes", stored);
	te_listing_number(object, "data_sectors", stream->data_sectors);
	te_listing_number(object, "zero_sectors", stream->zero_sectors);
	te_listing_number(object, "ops", stream->nr_ops);
	return object;
}

void te_info_print_json(struct te_info *info)
{
	json_object *root = json_object_new_object(), *volumes = json_object_new_array();
	size_t i;

	if (info->stream)
		json_object_object_add(root, "stream", json_stream(info->stream));
	json_object_object_add(root, "pool", json_pool(info));
	te_listing_number(root, "provisioned_sectors", info->provisioned_sectors);
	sort(info);
	for (i = 0; i < info->nr_volumes; i++)
		json_object_array_add(volumes, json_volume(&info->volumes[i]));
	json_object_object_add(root, "volumes", volumes);
	te_listing_json(root);
}
