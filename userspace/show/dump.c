// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of a stream as lines: for a person, or each a JSON object. */
#include "show/dump.h"

#include <json-c/json.h>
#include <stdio.h>

#include "stream/codec.h"
#include "stream/frame.h"
#include "base/listing.h"
#include "base/utf8.h"

typedef unsigned long long ull;

static const char *const op_names[] = {
	[TE_OP_DATA] = "DATA",
	[TE_OP_ZERO] = "ZERO",
	[TE_OP_SHARE] = "SHARE",
	[TE_OP_UNMAP] = "UNMAP",
};

static const char *const size_words[] = {
	[TE_SIZE_FROM_TABLE] = "known",
	[TE_SIZE_FROM_OPTION] = "known",
	[TE_SIZE_FROM_MAPPINGS] = "from its mappings",
};

static const char *hex(const u8 id[16])
{
	static char text[33];
	size_t i;

	for (i = 0; i < 16; i++)
		sprintf(text + 2 * i, "%02x", id[i]);
	return text;
}

/* A name in quotes, cut to columns; "(no name)". */
static void put_name(const char *name, size_t columns)
{
	char *text = name ? te_utf8_printable(name, columns) : NULL;

	if (text)
		printf("\"%s\"", text);
	else
		printf("(no name)");
	te_free(text);
}

static void text_frame(const struct te_record *record)
{
	const struct te_frame_header *header = record->header;
	const char *name = te_frame_kind_name(le16_to_cpu(header->kind));

	printf("%llu ", (ull)le64_to_cpu(header->sequence));
	if (name)
		printf("%s", name);
	else
		printf("kind %u, skipped", le16_to_cpu(header->kind));
	printf(" at byte %llu: %u bytes", (ull)record->offset, le32_to_cpu(header->raw_bytes));
	if (header->codec != TE_CODEC_NONE)
		printf(", as %u by %s", le32_to_cpu(header->stored_bytes),
		       te_codec_name(header->codec) ? te_codec_name(header->codec) : "a codec");
	putchar('\n');
}

static void text_begin(const struct te_begin *begin)
{
	printf("    stream %s, version %u\n", hex(begin->stream_id), le32_to_cpu(begin->version));
	printf("    incompat 0x%x, compat 0x%x\n", le32_to_cpu(begin->incompat),
	       le32_to_cpu(begin->compat));
	printf("    pool of %llu blocks of %u sectors, transaction %llu\n",
	       (ull)le64_to_cpu(begin->nr_data_blocks), le32_to_cpu(begin->data_block_sectors),
	       (ull)le64_to_cpu(begin->transaction_id));
	printf("    %u volumes, created up to time %u, %llu sectors follow\n",
	       le32_to_cpu(begin->nr_volumes), le32_to_cpu(begin->max_creation_time),
	       (ull)le64_to_cpu(begin->provisioned_sectors));
}

static void text_resume(const struct te_resume *resume)
{
	printf("    goes on with stream %s, version %u, at frame %llu\n", hex(resume->stream_id),
	       le32_to_cpu(resume->version), (ull)le64_to_cpu(resume->sequence));
	printf("    beginning %016llx, digest %016llx\n", (ull)le64_to_cpu(resume->beginning),
	       (ull)le64_to_cpu(resume->digest));
	if (le32_to_cpu(resume->flags) & TE_RESUME_IN_SECTION)
		printf("    in volume %u, at sector %llu: %llu ops, %llu sectors of data, %llu of zeros\n",
		       le32_to_cpu(resume->index), (ull)le64_to_cpu(resume->position),
		       (ull)le64_to_cpu(resume->section_ops),
		       (ull)le64_to_cpu(resume->section_data_sectors),
		       (ull)le64_to_cpu(resume->section_zero_sectors));
	else
		printf("    before volume %u\n", le32_to_cpu(resume->index));
	printf("    in all before: %llu ops, %llu sectors of data, %llu of zeros\n",
	       (ull)le64_to_cpu(resume->nr_ops), (ull)le64_to_cpu(resume->data_sectors),
	       (ull)le64_to_cpu(resume->zero_sectors));
}

static void text_lvm_pool(const struct te_catalog_lvm_pool *pool)
{
	printf("    LVM: metadata of %llu sectors, transaction %llu%s%s\n",
	       (ull)pool->lv.metadata_sectors, (ull)pool->lv.transaction_id,
	       pool->lv.zero ? ", zeroes" : "",
	       pool->lv.error_when_full ? ", error when full" : "");
}

static void text_lvm_volume(const struct te_lvm_lv *lv)
{
	printf("      LVM: %s%s, %zu tags", lv->read_only ? "read-only" : "writeable",
	       lv->skip_activation ? ", skips activation" : "", lv->tags.nr);
	if (lv->origin) {
		printf(", origin ");
		put_name(lv->origin, 26);
	}
	putchar('\n');
}

static void text_catalog(const struct te_catalog *catalog)
{
	size_t i;

	printf("    pool ");
	put_name(catalog->pool_name, 60);
	putchar('\n');
	if (catalog->lvm)
		text_lvm_pool(catalog->lvm);
	for (i = 0; i < catalog->nr_volumes; i++) {
		printf("    volume %zu: id %u, size %s, ", i, catalog->volumes[i].dev_id,
		       size_words[catalog->volumes[i].size_from]);
		put_name(catalog->volumes[i].name, 26);
		putchar('\n');
		if (catalog->volumes[i].lvm)
			text_lvm_volume(catalog->volumes[i].lvm);
	}
}

static void text_volume(const struct te_volume_begin *volume)
{
	printf("    volume %u: id %u, %llu sectors%s, %llu provisioned\n",
	       le32_to_cpu(volume->index), le32_to_cpu(volume->dev_id),
	       (ull)le64_to_cpu(volume->virtual_sectors),
	       le32_to_cpu(volume->flags) & TE_VOLUME_SIZE_KNOWN ? "" : " at least",
	       (ull)le64_to_cpu(volume->provisioned_sectors));
	printf("    created at time %u, transaction %llu\n", le32_to_cpu(volume->creation_time),
	       (ull)le64_to_cpu(volume->transaction_id));
	switch (le32_to_cpu(volume->parent_kind)) {
	case TE_PARENT_NONE:
		printf("    no parent\n");
		break;
	case TE_PARENT_VOLUME:
		printf("    parent: volume %u\n", le32_to_cpu(volume->parent_index));
		break;
	case TE_PARENT_BASE:
		printf("    base: id %u of stream %s\n", le32_to_cpu(volume->base_dev_id),
		       hex(volume->base_stream_id));
	}
}

static void text_ops(const struct te_record *record)
{
	size_t i;

	for (i = 0; i < record->ops.nr_ops; i++) {
		const struct te_op *op = &record->ops.ops[i];

		printf("    %-5s %18llu + %18llu", op_names[le16_to_cpu(op->kind)],
		       (ull)le64_to_cpu(op->offset), (ull)le64_to_cpu(op->length));
		if (le16_to_cpu(op->kind) == TE_OP_SHARE)
			printf(" of volume %u", le32_to_cpu(op->source));
		puts(le16_to_cpu(op->flags) & TE_OP_SHARED ? " shared" : "");
	}
}

void te_dump_text(const struct te_record *record, const struct te_catalog *catalog)
{
	text_frame(record);
	switch (record->kind) {
	case TE_RECORD_BEGIN:
		text_begin(record->begin);
		break;
	case TE_RECORD_CATALOG:
		text_catalog(catalog);
		break;
	case TE_RECORD_VOLUME:
		text_volume(record->volume);
		break;
	case TE_RECORD_OPS:
		text_ops(record);
		break;
	case TE_RECORD_VOLUME_END:
		printf("    volume %u: %llu ops, %llu sectors of data, %llu of zeros\n",
		       le32_to_cpu(record->volume_end->index),
		       (ull)le64_to_cpu(record->volume_end->nr_ops),
		       (ull)le64_to_cpu(record->volume_end->data_sectors),
		       (ull)le64_to_cpu(record->volume_end->zero_sectors));
		break;
	case TE_RECORD_END:
		printf("    %u volumes, %llu ops, %llu sectors of data, %llu of zeros\n",
		       le32_to_cpu(record->end->nr_volumes), (ull)le64_to_cpu(record->end->nr_ops),
		       (ull)le64_to_cpu(record->end->data_sectors),
		       (ull)le64_to_cpu(record->end->zero_sectors));
		printf("    digest %016llx\n", (ull)le64_to_cpu(record->end->digest));
		break;
	case TE_RECORD_RESUME:
		text_resume(record->resume);
		break;
	case TE_RECORD_SKIPPED:
		break;
	}
}

static json_object *json_frame(const struct te_record *record)
{
	const struct te_frame_header *header = record->header;
	unsigned int kind = le16_to_cpu(header->kind);
	json_object *line = json_object_new_object();

	te_listing_number(line, "frame", le64_to_cpu(header->sequence));
	if (te_frame_kind_name(kind))
		te_listing_text(line, "kind", te_frame_kind_name(kind));
	else
		te_listing_number(line, "skipped_kind", kind);
	te_listing_number(line, "byte", record->offset);
	te_listing_number(line, "raw_bytes", le32_to_cpu(header->raw_bytes));
	te_listing_number(line, "stored_bytes", le32_to_cpu(header->stored_bytes));
	te_listing_number(line, "codec_id", header->codec);
	return line;
}

static void json_begin(json_object *line, const struct te_begin *begin)
{
	te_listing_text(line, "stream_id", hex(begin->stream_id));
	te_listing_number(line, "version", le32_to_cpu(begin->version));
	te_listing_number(line, "incompat", le32_to_cpu(begin->incompat));
	te_listing_number(line, "compat", le32_to_cpu(begin->compat));
	te_listing_number(line, "data_block_sectors", le32_to_cpu(begin->data_block_sectors));
	te_listing_number(line, "nr_data_blocks", le64_to_cpu(begin->nr_data_blocks));
	te_listing_number(line, "transaction_id", le64_to_cpu(begin->transaction_id));
	te_listing_number(line, "provisioned_sectors", le64_to_cpu(begin->provisioned_sectors));
	te_listing_number(line, "nr_volumes", le32_to_cpu(begin->nr_volumes));
	te_listing_number(line, "max_creation_time", le32_to_cpu(begin->max_creation_time));
}

static void json_resume(json_object *line, const struct te_resume *resume)
{
	te_listing_text(line, "stream_id", hex(resume->stream_id));
	te_listing_number(line, "version", le32_to_cpu(resume->version));
	te_listing_number(line, "incompat", le32_to_cpu(resume->incompat));
	te_listing_number(line, "beginning", le64_to_cpu(resume->beginning));
	te_listing_number(line, "sequence", le64_to_cpu(resume->sequence));
	te_listing_number(line, "digest", le64_to_cpu(resume->digest));
	te_listing_number(line, "index", le32_to_cpu(resume->index));
	te_listing_number(line, "flags", le32_to_cpu(resume->flags));
	te_listing_number(line, "position", le64_to_cpu(resume->position));
	te_listing_number(line, "section_ops", le64_to_cpu(resume->section_ops));
	te_listing_number(line, "section_data_sectors", le64_to_cpu(resume->section_data_sectors));
	te_listing_number(line, "section_zero_sectors", le64_to_cpu(resume->section_zero_sectors));
	te_listing_number(line, "nr_ops", le64_to_cpu(resume->nr_ops));
	te_listing_number(line, "data_sectors", le64_to_cpu(resume->data_sectors));
	te_listing_number(line, "zero_sectors", le64_to_cpu(resume->zero_sectors));
}

static void json_volume(json_object *line, const struct te_volume_begin *volume)
{
	static const char *const parents[] = {
		[TE_PARENT_NONE] = "none",
		[TE_PARENT_VOLUME] = "volume",
		[TE_PARENT_BASE] = "base",
	};

	te_listing_number(line, "index", le32_to_cpu(volume->index));
	te_listing_number(line, "dev_id", le32_to_cpu(volume->dev_id));
	te_listing_number(line, "flags", le32_to_cpu(volume->flags));
	te_listing_text(line, "parent_kind", parents[le32_to_cpu(volume->parent_kind)]);
	if (le32_to_cpu(volume->parent_kind) == TE_PARENT_VOLUME)
		te_listing_number(line, "parent_index", le32_to_cpu(volume->parent_index));
	te_listing_number(line, "creation_time", le32_to_cpu(volume->creation_time));
	te_listing_number(line, "virtual_sectors", le64_to_cpu(volume->virtual_sectors));
	te_listing_number(line, "provisioned_sectors", le64_to_cpu(volume->provisioned_sectors));
	te_listing_number(line, "transaction_id", le64_to_cpu(volume->transaction_id));
	if (le32_to_cpu(volume->parent_kind) == TE_PARENT_BASE) {
		te_listing_text(line, "base_stream_id", hex(volume->base_stream_id));
		te_listing_number(line, "base_dev_id", le32_to_cpu(volume->base_dev_id));
	}
}

/* A line for each op: there may be very many, and none is like an object of its frame. */
static void json_ops(const struct te_record *record)
{
	size_t i;

	for (i = 0; i < record->ops.nr_ops; i++) {
		const struct te_op *op = &record->ops.ops[i];

		printf("{\"op\":\"%s\",\"offset\":%llu,\"length\":%llu",
		       op_names[le16_to_cpu(op->kind)], (ull)le64_to_cpu(op->offset),
		       (ull)le64_to_cpu(op->length));
		if (le16_to_cpu(op->kind) == TE_OP_SHARE)
			printf(",\"source\":%u", le32_to_cpu(op->source));
		else
			printf(",\"shared\":%s",
			       le16_to_cpu(op->flags) & TE_OP_SHARED ? "true" : "false");
		puts("}");
	}
}

void te_dump_json(const struct te_record *record)
{
	json_object *line = json_frame(record);

	switch (record->kind) {
	case TE_RECORD_BEGIN:
		json_begin(line, record->begin);
		break;
	case TE_RECORD_CATALOG:
		json_object_object_add(line, "catalog", json_tokener_parse(record->catalog));
		break;
	case TE_RECORD_VOLUME:
		json_volume(line, record->volume);
		break;
	case TE_RECORD_OPS:
		te_listing_number(line, "nr_ops", record->ops.nr_ops);
		te_listing_number(line, "data_bytes", record->ops.data_bytes);
		break;
	case TE_RECORD_VOLUME_END:
		te_listing_number(line, "index", le32_to_cpu(record->volume_end->index));
		te_listing_number(line, "nr_ops", le64_to_cpu(record->volume_end->nr_ops));
		te_listing_number(line, "data_sectors",
				  le64_to_cpu(record->volume_end->data_sectors));
		te_listing_number(line, "zero_sectors",
				  le64_to_cpu(record->volume_end->zero_sectors));
		break;
	case TE_RECORD_END:
		te_listing_number(line, "nr_volumes", le32_to_cpu(record->end->nr_volumes));
		te_listing_number(line, "nr_ops", le64_to_cpu(record->end->nr_ops));
		te_listing_number(line, "data_sectors", le64_to_cpu(record->end->data_sectors));
		te_listing_number(line, "zero_sectors", le64_to_cpu(record->end->zero_sectors));
		te_listing_number(line, "digest", le64_to_cpu(record->end->digest));
		break;
	case TE_RECORD_RESUME:
		json_resume(line, record->resume);
		break;
	case TE_RECORD_SKIPPED:
		break;
	}
	te_listing_json(line);
	if (record->kind == TE_RECORD_OPS)
		json_ops(record);
}
