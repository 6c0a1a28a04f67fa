// SPDX-License-Identifier: GPL-2.0-or-later
/* Sending: a plan and its data become a stream. */
#include "send.h"

#include <stdio.h>

#include "catalog.h"
#include "interrupt.h"
#include "progress.h"
#include "read_ahead.h"
#include "say.h"

#define SECTOR_BYTES	512u

struct sending {
	struct te_plan *plan;
	struct te_stream_writer *writer;
	u64 block_bytes;
	struct te_send_totals *totals;

	/* Of a block larger than a chunk: zeros seen, and not yet told, from its start. */
	u64 leading_zeros;
	bool is_data;			/* something else was seen, and its op begun */
};

static const u8 zeros[64 << 10];

static bool all_zero(const u8 *data, u64 bytes)
{
	/* Pieces are multiples of 4 KiB: each byte equals the one 16 before it. */
	return !memcmp(data, zeros, 16) && !memcmp(data, data + 16, bytes - 16);
}

static int write_op(struct sending *sending, const struct te_piece *piece, enum te_op_kind kind,
		    u64 offset, u64 bytes)
{
	bool provisions = kind == TE_OP_DATA || kind == TE_OP_ZERO;
	const struct te_op op = {
		.offset = cpu_to_le64(offset / SECTOR_BYTES),
		.length = cpu_to_le64(bytes / SECTOR_BYTES),
		.source = cpu_to_le32(kind == TE_OP_SHARE ? piece->source : 0),
		.kind = cpu_to_le16((u16)kind),
		.flags = cpu_to_le16(provisions && piece->shared ? TE_OP_SHARED : 0),
	};

	if (kind == TE_OP_DATA)
		sending->totals->data_bytes += bytes;
	if (kind == TE_OP_ZERO)
		sending->totals->zero_bytes += bytes;
	return te_stream_write_op(sending->writer, &op);
}

static int write_zeros(struct sending *sending, u64 bytes)
{
	int err = 0;

	while (bytes && !err) {
		u64 part = bytes < sizeof(zeros) ? bytes : sizeof(zeros);

		err = te_stream_write_data(sending->writer, zeros, part);
		bytes -= part;
	}
	return err;
}

/*
 * A part of one block, or all of it: bytes [within, + bytes).  Whether the block
 * is ZERO or DATA is known when something else than zero is seen, or its end.
 */
static int write_part(struct sending *sending, const struct te_piece *piece, u64 at,
		      u64 within, u64 bytes)
{
	u64 block_offset = piece->offset + at - within;
	const u8 *data = piece->data + at;
	int err = 0;

	if (!within) {
		sending->leading_zeros = 0;
		sending->is_data = false;
	}
	if (!sending->is_data && all_zero(data, bytes)) {
		sending->leading_zeros += bytes;
		if (sending->leading_zeros < sending->block_bytes)
			return 0;
		return write_op(sending, piece, TE_OP_ZERO, block_offset, sending->block_bytes);
	}
	if (!sending->is_data) {
		sending->is_data = true;
		err = write_op(sending, piece, TE_OP_DATA, block_offset, sending->block_bytes);
		if (!err)
			err = write_zeros(sending, sending->leading_zeros);
	}
	return err ? err : te_stream_write_data(sending->writer, data, bytes);
}

static int write_piece(struct sending *sending, const struct te_piece *piece)
{
	u64 at, part;
	int err = 0;

	if (piece->kind != TE_OP_DATA)
		return write_op(sending, piece, piece->kind, piece->offset, piece->bytes);
	for (at = 0; at < piece->bytes && !err; at += part) {
		u64 within = (piece->offset + at) % sending->block_bytes;

		part = sending->block_bytes - within;
		if (part > piece->bytes - at)
			part = piece->bytes - at;
		err = write_part(sending, piece, at, within, part);
	}
	return err;
}

static int write_begin(struct sending *sending, const __u8 stream_id[16])
{
	const struct te_plan *plan = sending->plan;
	const struct te_source *source = plan->source;
	u32 max_creation_time = 0;
	struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(source->block_sectors),
		.nr_data_blocks = cpu_to_le64(source->nr_data_blocks),
		.transaction_id = cpu_to_le64(source->transaction_id),
		.provisioned_sectors = cpu_to_le64(plan->sent_blocks * source->block_sectors),
		.nr_volumes = cpu_to_le32((u32)plan->nr_volumes),
	};
	size_t i;

	for (i = 0; i < plan->nr_volumes; i++)
		if (plan->volumes[i].volume->details.creation_time > max_creation_time)
			max_creation_time = plan->volumes[i].volume->details.creation_time;
	begin.max_creation_time = cpu_to_le32(max_creation_time);
	memcpy(begin.stream_id, stream_id, sizeof(begin.stream_id));
	return te_stream_write_begin(sending->writer, &begin);
}

static struct te_catalog *make_catalog(const struct te_plan *plan)
{
	struct te_catalog *catalog = te_catalog_create(plan->nr_volumes);
	const struct te_source *source = plan->source;
	size_t i;

	if (!catalog)
		return NULL;
	catalog->block_sectors = source->block_sectors;
	catalog->nr_data_blocks = source->nr_data_blocks;
	catalog->transaction_id = source->transaction_id;
	if (source->pool_name) {
		catalog->pool_name = strdup(source->pool_name);
		if (!catalog->pool_name)
			goto no_memory;
	}
	for (i = 0; i < plan->nr_volumes; i++) {
		const struct te_plan_volume *planned = &plan->volumes[i];
		struct te_catalog_volume *volume = &catalog->volumes[i];

		volume->dev_id = planned->volume->details.dev_id;
		volume->sectors = planned->volume->virtual_sectors;
		volume->size_from = planned->volume->size_from;
		volume->mapped_blocks = planned->mapped_blocks;
		if (!planned->volume->name)
			continue;
		volume->name = strdup(planned->volume->name);
		if (!volume->name)
			goto no_memory;
	}
	return catalog;

no_memory:
	te_catalog_destroy(catalog);
	return NULL;
}

static int write_catalog(struct sending *sending)
{
	struct te_catalog *catalog = make_catalog(sending->plan);
	char *json = catalog ? te_catalog_write(catalog) : NULL;
	int err = -ENOMEM;

	if (json)
		err = te_stream_write_catalog(sending->writer, json);
	else
		te_error("not enough memory");
	free(json);
	te_catalog_destroy(catalog);
	return err;
}

static int write_volume(struct sending *sending, size_t index)
{
	const struct te_plan_volume *planned = &sending->plan->volumes[index];
	const struct te_volume *volume = planned->volume;
	u32 block_sectors = sending->plan->source->block_sectors;
	bool has_parent = planned->parent >= 0, known = volume->size_from != TE_SIZE_FROM_MAPPINGS;
	const struct te_volume_begin begin = {
		.index = cpu_to_le32((u32)index),
		.dev_id = cpu_to_le32(volume->details.dev_id),
		.flags = cpu_to_le32(known ? TE_VOLUME_SIZE_KNOWN : 0),
		.parent_kind = cpu_to_le32(has_parent ? TE_PARENT_VOLUME : TE_PARENT_NONE),
		.parent_index = cpu_to_le32(has_parent ? (u32)planned->parent : 0),
		.creation_time = cpu_to_le32(volume->details.creation_time),
		.virtual_sectors = cpu_to_le64(volume->virtual_sectors),
		.provisioned_sectors = cpu_to_le64(planned->mapped_blocks * block_sectors),
		.transaction_id = cpu_to_le64(volume->details.transaction_id),
	};

	return te_stream_write_volume(sending->writer, &begin);
}

static int write_sections(struct sending *sending, struct te_read_ahead *ahead)
{
	size_t begun = 0, i;
	struct te_chunk chunk;
	int r;

	while ((r = te_read_ahead_next(ahead, &chunk)) > 0) {
		int err = 0;

		if (chunk.volume == begun)
			err = write_volume(sending, begun++);
		for (i = 0; i < chunk.nr_pieces && !err; i++) {
			err = write_piece(sending, &chunk.pieces[i]);
			if (chunk.pieces[i].kind == TE_OP_DATA)
				te_progress_add(chunk.pieces[i].bytes);
		}
		if (!err && chunk.last)
			err = te_stream_write_volume_end(sending->writer);
		if (!err && te_interrupted())
			err = -EINTR;
		if (err)
			return err;
	}
	return r;
}

int te_send(struct te_plan *plan, int fd, const char *name, struct te_codec_choice codec,
	    const __u8 stream_id[16], struct te_send_totals *totals)
{
	struct sending sending = {
		.plan = plan,
		.block_bytes = (u64)plan->source->block_sectors * SECTOR_BYTES,
		.totals = totals,
	};
	struct te_read_ahead *ahead;
	int err;

	memset(totals, 0, sizeof(*totals));
	sending.writer = te_stream_writer_create(fd, name, codec);
	if (!sending.writer) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	ahead = te_read_ahead_start(plan);
	te_progress_begin(TE_PROGRESS_SEND, plan->sent_blocks * sending.block_bytes);
	err = ahead ? write_begin(&sending, stream_id) : -ENOMEM;
	if (!err)
		err = write_catalog(&sending);
	if (!err)
		err = write_sections(&sending, ahead);
	if (!err)
		err = te_stream_write_end(sending.writer);
	totals->written_bytes = te_stream_written_bytes(sending.writer);
	te_progress_end();
	te_read_ahead_stop(ahead);
	te_stream_writer_destroy(sending.writer);
	return err;
}
