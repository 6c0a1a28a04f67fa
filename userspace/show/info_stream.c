// SPDX-License-Identifier: GPL-2.0-or-later
/* What `thinexport info` tells of a stream: read to its end, and summed up. */
#include <stdio.h>

#include "show/info.h"
#include "base/say.h"
#include "stream/stream_read.h"

static void take_begin(struct te_info *info, const struct te_begin *begin)
{
	size_t i;

	for (i = 0; i < sizeof(begin->stream_id); i++)
		sprintf(info->stream->id + 2 * i, "%02x", begin->stream_id[i]);
	info->block_sectors = le32_to_cpu(begin->data_block_sectors);
	info->nr_data_blocks = le64_to_cpu(begin->nr_data_blocks);
	info->transaction_id = le64_to_cpu(begin->transaction_id);
	info->provisioned_sectors = le64_to_cpu(begin->provisioned_sectors);
}

/* The catalog has the number of volumes checked against its own length. */
static int take_catalog(struct te_info *info, const struct te_catalog *catalog)
{
	size_t i;

	info->volumes = te_alloc(catalog->nr_volumes * sizeof(*info->volumes));
	if (!info->volumes)
		return -ENOMEM;
	info->nr_volumes = catalog->nr_volumes;
	if (catalog->pool_name)
		info->pool_name = strdup(catalog->pool_name);
	for (i = 0; i < catalog->nr_volumes; i++)
		if (catalog->volumes[i].name)
			info->volumes[i].name = strdup(catalog->volumes[i].name);
	return 0;
}

static void take_volume(struct te_info *info, const struct te_volume_begin *from)
{
	struct te_info_volume *volume = &info->volumes[le32_to_cpu(from->index)];

	volume->dev_id = le32_to_cpu(from->dev_id);
	volume->sectors = le64_to_cpu(from->virtual_sectors);
	volume->size_known = le32_to_cpu(from->flags) & TE_VOLUME_SIZE_KNOWN;
	volume->provisioned_sectors = le64_to_cpu(from->provisioned_sectors);
	volume->parent = -1;
	if (le32_to_cpu(from->parent_kind) == TE_PARENT_VOLUME)
		volume->parent = info->volumes[le32_to_cpu(from->parent_index)].dev_id;
}

/* What no later section may share is this volume's alone. */
static void take_ops(struct te_info_volume *volume, const struct te_record *record)
{
	size_t i;

	for (i = 0; i < record->ops.nr_ops; i++) {
		const struct te_op *op = &record->ops.ops[i];
		unsigned int kind = le16_to_cpu(op->kind);

		if ((kind == TE_OP_DATA || kind == TE_OP_ZERO) &&
		    !(le16_to_cpu(op->flags) & TE_OP_SHARED))
			volume->exclusive_sectors += le64_to_cpu(op->length);
	}
}

static int take(struct te_info *info, const struct te_record *record,
		const struct te_catalog *catalog, struct te_info_volume **volume)
{
	switch (record->kind) {
	case TE_RECORD_BEGIN:
		take_begin(info, record->begin);
		break;
	case TE_RECORD_CATALOG:
		return take_catalog(info, catalog);
	case TE_RECORD_VOLUME:
		*volume = &info->volumes[le32_to_cpu(record->volume->index)];
		take_volume(info, record->volume);
		break;
	case TE_RECORD_OPS:
		take_ops(*volume, record);
		break;
	case TE_RECORD_END:
		info->stream->nr_ops = le64_to_cpu(record->end->nr_ops);
		info->stream->data_sectors = le64_to_cpu(record->end->data_sectors);
		info->stream->zero_sectors = le64_to_cpu(record->end->zero_sectors);
		break;
	default:
		break;
	}
	return 0;
}

static void take_sizes(struct te_info_stream *stream, const struct te_record *record)
{
	if (record->kind == TE_RECORD_SKIPPED)
		return;
	stream->raw_bytes += le32_to_cpu(record->header->raw_bytes);
	stream->stored_bytes[record->header->codec] += le32_to_cpu(record->header->stored_bytes);
}

struct te_info *te_info_of_stream(int fd, const char *name)
{
	struct te_stream_reader *reader = te_stream_reader_create(fd, name);
	struct te_info *info = te_info_create(0);
	struct te_info_volume *volume = NULL;
	struct te_record record;
	int result = -ENOMEM;

	if (info)
		info->stream = te_alloc(sizeof(*info->stream));
	if (reader && info && info->stream) {
		while ((result = te_stream_next(reader, &record)) == 1) {
			result = take(info, &record, te_stream_catalog(reader), &volume);
			if (result)
				break;
			take_sizes(info->stream, &record);
		}
		info->stream->bytes = te_stream_read_bytes(reader);
	}
	if (result == -ENOMEM)
		te_error("%s: not enough memory to read the stream", name);
	te_stream_reader_destroy(reader);
	if (!result)
		return info;
	te_info_destroy(info);
	return NULL;
}
