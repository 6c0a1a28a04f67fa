// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Receiving: what a stream says, done.
 *
 * Data goes to the data device as it arrives; for the metadata each volume is
 * told to the builder as an ascending row of pieces.  Ops count in sectors and a
 * sender may cut them anywhere, even inside a block, as long as the next goes on
 * there; so what is contiguous is gathered into a run first, and a run must
 * begin and end with a block.
 *
 * Until te_build_commit, after everything else is on disk, there is no pool: an
 * error, a signal or a crash anywhere before leaves two devices without one.
 */
#include "receive.h"

#include <inttypes.h>

#include <thinexport/thin_disk.h>
#include "build.h"
#include "interrupt.h"
#include "place.h"
#include "progress.h"
#include "say.h"
#include "stream_read.h"

#define SECTOR_BYTES	512u

/* Consecutive virtual sectors that go to consecutive sectors of the data device. */
struct run {
	u64 start;			/* sectors into the volume */
	u64 sectors;			/* 0: there is none */
	u64 pool_block;			/* where it starts */
	bool shared;
};

struct receive {
	const char *name;		/* of the stream */
	const struct te_target *target;
	bool force;
	struct te_receive_totals *totals;
	struct te_place_writer *place;
	struct te_build *build;
	u32 block_sectors;
	u64 provisioned_sectors;	/* that BEGIN announced */
	u64 received_sectors;

	/* Of the volume that is arriving. */
	u32 dev_id;
	bool has_parent;
	u32 parent;
	u64 volume_sectors;		/* that it announced to map */
	u64 position;			/* sectors: what is before it is told to the builder */
	struct run run;
};

static u64 to_bytes(u64 sectors)
{
	return sectors * SECTOR_BYTES;
}

static u64 target_blocks(const struct receive *receive, const struct te_begin *begin)
{
	return receive->target->data.bytes / to_bytes(le32_to_cpu(begin->data_block_sectors));
}

static u64 metadata_blocks(const struct receive *receive)
{
	u64 blocks = receive->target->metadata.bytes / THIN_METADATA_BLOCK_BYTES;

	return blocks < THIN_METADATA_MAX_BLOCKS ? blocks : THIN_METADATA_MAX_BLOCKS;
}

static int refuse_size(const struct te_target_part *part, const char *what, u64 wanted_blocks,
		       u64 blocks, u64 block_bytes)
{
	te_error("%s is too small: %s needs %s%" PRIu64 " blocks of %s, it has %" PRIu64
		 "; %" PRIu64 " bytes more are needed", part->path, what,
		 block_bytes == THIN_METADATA_BLOCK_BYTES ? "at least " : "", wanted_blocks,
		 te_bytes(block_bytes), blocks, wanted_blocks * block_bytes - part->bytes);
	return -ENOSPC;
}

/* Room for all that BEGIN announces, on both. */
static int check_room(const struct receive *receive, const struct te_begin *begin)
{
	u64 block_sectors = le32_to_cpu(begin->data_block_sectors);
	u64 wanted = DIV_ROUND_UP(receive->provisioned_sectors, block_sectors);
	u64 blocks = target_blocks(receive, begin);

	if (blocks < wanted || !blocks)
		return refuse_size(&receive->target->data, "the data", wanted ? wanted : 1, blocks,
				   to_bytes(block_sectors));
	wanted = te_build_estimate(blocks, metadata_blocks(receive),
				   le32_to_cpu(begin->nr_volumes), wanted);
	if (metadata_blocks(receive) < wanted)
		return refuse_size(&receive->target->metadata, "the metadata", wanted,
				   metadata_blocks(receive), THIN_METADATA_BLOCK_BYTES);
	return 0;
}

static int take_begin(struct receive *receive, const struct te_begin *begin)
{
	u32 newest = le32_to_cpu(begin->max_creation_time);
	struct te_build_pool pool = {
		.block_sectors = le32_to_cpu(begin->data_block_sectors),
		.nr_data_blocks = target_blocks(receive, begin),
		.nr_metadata_blocks = metadata_blocks(receive),
		.transaction_id = le64_to_cpu(begin->transaction_id),
		.time = newest + 1,
	};
	int err;

	receive->block_sectors = pool.block_sectors;
	receive->provisioned_sectors = le64_to_cpu(begin->provisioned_sectors);
	if (newest >= THIN_TIME_MASK - 1) {
		te_error("%s: its pool has used up its snapshot times (%u of %llu)", receive->name,
			 newest, THIN_TIME_MASK);
		return -EOVERFLOW;
	}
	err = check_room(receive, begin);
	if (!err && receive->force)
		err = te_target_wipe(receive->target);
	if (err)
		return err;
	/* From here on the target is changed. */
	receive->build = te_build_create(receive->target->metadata.fd,
					 receive->target->metadata.path, &pool);
	if (!receive->build)
		return -EIO;
	receive->place = te_place_create(receive->target->data.fd, receive->target->data.path,
					 pool.block_sectors, pool.nr_data_blocks);
	if (!receive->place)
		return -EIO;
	te_progress_begin("received", to_bytes(receive->provisioned_sectors));
	return 0;
}

static int take_volume(struct receive *receive, const struct te_volume_begin *volume)
{
	struct te_build_volume begin = {
		.dev_id = le32_to_cpu(volume->dev_id),
		.transaction_id = le64_to_cpu(volume->transaction_id),
		.creation_time = le32_to_cpu(volume->creation_time),
	};

	if (le32_to_cpu(volume->parent_kind) == TE_PARENT_BASE) {
		te_error("%s: volume %u is told as what changed since a base, which a new pool does not hold: receive a stream sent without a base",
			 receive->name, begin.dev_id);
		return -EOPNOTSUPP;
	}
	receive->dev_id = begin.dev_id;
	receive->has_parent = le32_to_cpu(volume->parent_kind) == TE_PARENT_VOLUME;
	receive->parent = le32_to_cpu(volume->parent_index);
	receive->volume_sectors = le64_to_cpu(volume->provisioned_sectors);
	receive->position = 0;
	receive->run = (struct run) { .sectors = 0 };
	return te_build_volume_begin(receive->build, &begin);
}

static int refuse_cut(const struct receive *receive, u64 sector)
{
	te_error("%s: volume %u: what it has at sector %" PRIu64 " begins or ends inside a block of %s",
		 receive->name, receive->dev_id, sector, te_bytes(to_bytes(receive->block_sectors)));
	return -EBADMSG;
}

static int refuse_odd(const struct receive *receive, const struct te_op *op)
{
	u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);

	if (offset % receive->block_sectors)
		return refuse_cut(receive, offset);
	if (length % receive->block_sectors)
		return refuse_cut(receive, offset + length);
	return 0;
}

static int copy(struct receive *receive, u32 source, u64 from, u64 to)
{
	u64 block = from / receive->block_sectors;

	return te_build_copy(receive->build, source, block, to / receive->block_sectors - block);
}

/* What stands between the position and `sector` is as in the parent. */
static int fill_gap(struct receive *receive, u64 sector)
{
	u64 from = receive->position;

	receive->position = sector;
	if (!receive->has_parent || from == sector)
		return 0;
	return copy(receive, receive->parent, from, sector);
}

/* Tells the builder of the run that has come to its end. */
static int end_run(struct receive *receive)
{
	struct run run = receive->run;
	u64 end = run.start + run.sectors;
	int err;

	if (!run.sectors)
		return 0;
	if (end % receive->block_sectors)
		return refuse_cut(receive, end);
	receive->run.sectors = 0;
	err = fill_gap(receive, run.start);
	receive->position = end;
	if (err)
		return err;
	return te_build_map(receive->build, run.start / receive->block_sectors, run.pool_block,
			    run.sectors / receive->block_sectors, run.shared);
}

/* DATA or ZERO: the bytes, or NULL. */
static int take_blocks(struct receive *receive, const struct te_op *op, const void *data)
{
	u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);
	bool shared = le16_to_cpu(op->flags) & TE_OP_SHARED;
	struct run *run = &receive->run;
	int err = 0;

	if (!run->sectors || run->start + run->sectors != offset || run->shared != shared) {
		err = end_run(receive);
		if (!err && offset % receive->block_sectors)
			err = refuse_cut(receive, offset);
		*run = (struct run) {
			.start = offset,
			.pool_block = te_place_next_block(receive->place),
			.shared = shared,
		};
	}
	if (err)
		return err;
	if (length > receive->provisioned_sectors - receive->received_sectors) {
		te_error("%s: more data arrives than the %s it announced", receive->name,
			 te_bytes(to_bytes(receive->provisioned_sectors)));
		return -EBADMSG;
	}
	run->sectors += length;
	receive->received_sectors += length;
	te_progress_add(to_bytes(length));
	return te_place_write(receive->place, data, to_bytes(length));
}

/* SHARE or UNMAP. */
static int take_reference(struct receive *receive, const struct te_op *op)
{
	u64 offset = le64_to_cpu(op->offset), end = offset + le64_to_cpu(op->length);
	int err = refuse_odd(receive, op);

	if (!err)
		err = end_run(receive);
	if (!err)
		err = fill_gap(receive, offset);
	receive->position = end;
	if (err || le16_to_cpu(op->kind) == TE_OP_UNMAP)
		return err;
	return copy(receive, le32_to_cpu(op->source), offset, end);
}

static int take_ops(struct receive *receive, const struct te_record *record)
{
	const u8 *data = record->ops.data;
	size_t i;
	int err = 0;

	for (i = 0; !err && i < record->ops.nr_ops; i++) {
		const struct te_op *op = &record->ops.ops[i];
		u64 bytes = to_bytes(le64_to_cpu(op->length));

		switch (le16_to_cpu(op->kind)) {
		case TE_OP_DATA:
			err = take_blocks(receive, op, data);
			data += bytes;
			receive->totals->data_bytes += bytes;
			break;
		case TE_OP_ZERO:
			err = take_blocks(receive, op, NULL);
			receive->totals->zero_bytes += bytes;
			break;
		default:
			err = take_reference(receive, op);
			break;
		}
	}
	return err;
}

static int take_volume_end(struct receive *receive)
{
	u64 end = UINT64_MAX - UINT64_MAX % receive->block_sectors;
	u64 mapped;
	int err = end_run(receive);

	if (!err)
		err = fill_gap(receive, end);
	if (!err)
		err = te_build_volume_end(receive->build, &mapped);
	if (err)
		return err;
	receive->totals->nr_volumes++;
	if (mapped == receive->volume_sectors / receive->block_sectors &&
	    receive->volume_sectors % receive->block_sectors == 0)
		return 0;
	te_error("%s: volume %u maps %s, not the %s it announced", receive->name, receive->dev_id,
		 te_bytes(mapped * to_bytes(receive->block_sectors)),
		 te_bytes(to_bytes(receive->volume_sectors)));
	return -EBADMSG;
}

static int take_end(struct receive *receive)
{
	if (receive->received_sectors == receive->provisioned_sectors)
		return 0;
	te_error("%s: it brought %s of data, not the %s it announced", receive->name,
		 te_bytes(to_bytes(receive->received_sectors)),
		 te_bytes(to_bytes(receive->provisioned_sectors)));
	return -EBADMSG;
}

static int take_record(struct receive *receive, const struct te_record *record)
{
	switch (record->kind) {
	case TE_RECORD_BEGIN:
		return take_begin(receive, record->begin);
	case TE_RECORD_VOLUME:
		return take_volume(receive, record->volume);
	case TE_RECORD_OPS:
		return take_ops(receive, record);
	case TE_RECORD_VOLUME_END:
		return take_volume_end(receive);
	case TE_RECORD_END:
		return take_end(receive);
	case TE_RECORD_CATALOG:
	case TE_RECORD_SKIPPED:
		break;
	}
	return 0;
}

static int take_stream(struct receive *receive, struct te_stream_reader *reader)
{
	struct te_record record;
	int more, err;

	while ((more = te_stream_next(reader, &record)) == 1) {
		err = te_interrupted() ? -EINTR : take_record(receive, &record);
		if (err)
			return err;
	}
	return more;
}

/* Everything has arrived: data to disk, then metadata, then the superblock. */
static int finish(struct receive *receive)
{
	int err = te_place_finish(receive->place);

	te_place_destroy(receive->place);
	receive->place = NULL;
	if (!err)
		err = te_build_finish(receive->build);
	if (!err && te_interrupted())
		err = -EINTR;
	if (!err)
		err = te_build_commit(receive->build);
	receive->totals->metadata_bytes = te_build_used_blocks(receive->build) *
					  THIN_METADATA_BLOCK_BYTES;
	return err;
}

int te_receive(int fd, const char *name, const struct te_target *target, bool force,
	       struct te_receive_totals *totals)
{
	struct receive receive = {
		.name = name,
		.target = target,
		.force = force,
		.totals = totals,
	};
	struct te_stream_reader *reader = te_stream_reader_create(fd, name);
	int err;

	*totals = (struct te_receive_totals) { .nr_volumes = 0 };
	if (!reader) {
		te_error("no memory to read %s", name);
		return -ENOMEM;
	}
	err = take_stream(&receive, reader);
	te_stream_reader_destroy(reader);
	if (!err)
		err = finish(&receive);
	te_progress_end();
	te_place_destroy(receive.place);
	te_build_destroy(receive.build);
	return err;
}
