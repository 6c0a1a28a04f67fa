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
#include "receive/receive.h"

#include <inttypes.h>

#include <thinexport/thin_disk.h>
#include "base/interrupt.h"
#include "base/progress.h"
#include "receive/receive_keep.h"
#include "receive/room.h"
#include "base/say.h"
#include "stream/stream_read.h"

#define SECTOR_BYTES	512u

struct receive {
	const char *name;		/* of the stream */
	struct te_target *target;
	struct te_choice *choice;
	const struct te_receive_options *options;
	struct te_receive_totals *totals;
	struct te_stream_reader *reader;
	struct te_begin begin;
	struct te_place_writer *place;
	struct te_build *build;
	u32 block_sectors;
	u64 provisioned_sectors;	/* that BEGIN announced */
	struct te_receive_state at;	/* behind the last record */
	struct te_receive_keeper *keeper;
};

static u64 to_bytes(u64 sectors)
{
	return sectors * SECTOR_BYTES;
}

/* The target is not touched before the catalog says what there is to choose from. */
static void take_begin(struct receive *receive, const struct te_begin *begin)
{
	receive->begin = *begin;
	receive->block_sectors = le32_to_cpu(begin->data_block_sectors);
	receive->provisioned_sectors = le64_to_cpu(begin->provisioned_sectors);
}

static struct te_build_pool pool_of(const struct receive *receive, const struct te_room *room)
{
	u64 least = receive->target->least_transaction_id;
	u64 transaction_id = le64_to_cpu(receive->begin.transaction_id);

	return (struct te_build_pool) {
		.block_sectors = room->block_sectors,
		.nr_data_blocks = room->data_blocks,
		.nr_metadata_blocks = room->metadata_blocks,
		.transaction_id = transaction_id < least ? least : transaction_id,
		.time = le32_to_cpu(receive->begin.max_creation_time) + 1,
		.kept_from = te_receive_keeper_from(receive->keeper),
	};
}

/* From here on the target is changed. */
static int begin_pool(struct receive *receive, const struct te_room *room)
{
	struct te_build_pool pool = pool_of(receive, room);
	int err;

	/*
	 * First of all this ends the pool that may be here.  Its data may hold
	 * signatures too, and must not lose them while somebody can activate it.
	 */
	receive->build = te_build_create(receive->target->metadata.fd,
					 receive->target->metadata.path, &pool);
	if (!receive->build)
		return -EIO;
	err = receive->options->force ? te_target_wipe(receive->target) : 0;
	if (err)
		return err;
	receive->place = te_place_create(receive->target->data.fd, receive->target->data.path,
					 pool.block_sectors, pool.nr_data_blocks);
	return receive->place ? 0 : -EIO;
}

/* Goes on where an earlier receive was interrupted: RESUME is just of its place. */
static int take_resume(struct receive *receive)
{
	struct te_receive_kept *kept = te_receive_keeper_kept(receive->keeper);
	struct te_build_pool pool;
	struct te_room room;

	take_begin(receive, &kept->before.begin);
	receive->at = kept->state;
	*receive->totals = kept->totals;
	receive->totals->before_bytes = kept->totals.data_bytes + kept->totals.zero_bytes;
	te_room_measure(&room, receive->target, &receive->begin, receive->choice);
	pool = pool_of(receive, &room);
	receive->build = te_build_go_on(receive->target->metadata.fd,
					receive->target->metadata.path, &pool, &kept->slot);
	if (!receive->build)
		return -EIO;
	receive->place = te_place_create(receive->target->data.fd, receive->target->data.path,
					 pool.block_sectors, pool.nr_data_blocks);
	if (!receive->place)
		return -EIO;
	te_progress_begin(TE_PROGRESS_RECEIVE, to_bytes(receive->provisioned_sectors -
							receive->at.received_sectors));
	return te_place_go_on(receive->place, kept->position);
}

static int take_catalog(struct receive *receive, const struct te_record *record)
{
	const struct te_catalog *catalog = te_stream_catalog(receive->reader);
	u32 newest = le32_to_cpu(receive->begin.max_creation_time);
	struct te_room room;
	int err;

	if (newest >= THIN_TIME_MASK - 1) {
		te_error("%s: its pool has used up its snapshot times (%u of %llu)", receive->name,
			 newest, THIN_TIME_MASK);
		return -EOVERFLOW;
	}
	err = te_choice_settle(receive->choice, catalog, receive->name);
	if (!err && receive->target->make)
		err = receive->target->make(receive->target, &receive->begin, catalog,
					    receive->choice);
	if (err)
		return err;
	te_room_measure(&room, receive->target, &receive->begin, receive->choice);
	err = te_room_check(&room, receive->target);
	if (!err && catalog->plan)
		err = te_receive_keeper_begin(receive->keeper, &room, &receive->begin, record,
					      receive->choice);
	if (!err)
		err = begin_pool(receive, &room);
	if (!err)
		te_progress_begin(TE_PROGRESS_RECEIVE, to_bytes(receive->provisioned_sectors));
	return err;
}

static int take_volume(struct receive *receive, const struct te_volume_begin *volume)
{
	const struct te_choice_volume *chosen =
		&receive->choice->settled[le32_to_cpu(volume->index)];
	struct te_build_volume begin = {
		.dev_id = chosen->dev_id,
		.transaction_id = le64_to_cpu(volume->transaction_id),
		.creation_time = le32_to_cpu(volume->creation_time),
		.dropped = chosen->use != TE_CHOICE_WANTED,
	};

	if (begin.creation_time > receive->at.newest_creation_time)
		receive->at.newest_creation_time = begin.creation_time;
	receive->at.dev_id = le32_to_cpu(volume->dev_id);
	receive->at.use = chosen->use;
	receive->at.skipped_sectors = 0;
	if (le32_to_cpu(volume->parent_kind) == TE_PARENT_BASE) {
		te_error("%s: volume %u is told as what changed since a base, which a new pool does not hold: receive a stream sent without a base",
			 receive->name, receive->at.dev_id);
		return -EOPNOTSUPP;
	}
	receive->at.has_parent = le32_to_cpu(volume->parent_kind) == TE_PARENT_VOLUME;
	receive->at.parent = le32_to_cpu(volume->parent_index);
	receive->at.volume_sectors = le64_to_cpu(volume->provisioned_sectors);
	receive->at.position = 0;
	receive->at.run = (struct te_receive_run) { .sectors = 0 };
	return te_build_volume_begin(receive->build, &begin);
}

static int refuse_cut(const struct receive *receive, u64 sector)
{
	te_error("%s: volume %u: what it has at sector %" PRIu64 " begins or ends inside a block of %s",
		 receive->name, receive->at.dev_id, sector, te_bytes(to_bytes(receive->block_sectors)));
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

/* Blocks that no wanted volume has: they are not written, and mapped nowhere. */
static bool skips(const struct receive *receive, bool shared)
{
	return receive->at.use == TE_CHOICE_IGNORED ||
	       (receive->at.use == TE_CHOICE_NEEDED && !shared);
}

static int copy(struct receive *receive, u32 source, u64 from, u64 to)
{
	u64 block = from / receive->block_sectors;

	if (receive->at.use == TE_CHOICE_IGNORED)
		return 0;
	return te_build_copy(receive->build, source, block, to / receive->block_sectors - block);
}

/* What stands between the position and `sector` is as in the parent. */
static int fill_gap(struct receive *receive, u64 sector)
{
	u64 from = receive->at.position;

	receive->at.position = sector;
	if (!receive->at.has_parent || from == sector)
		return 0;
	return copy(receive, receive->at.parent, from, sector);
}

/* Tells the builder of the run that has come to its end. */
static int end_run(struct receive *receive)
{
	struct te_receive_run run = receive->at.run;
	u64 end = run.start + run.sectors;
	int err;

	if (!run.sectors)
		return 0;
	if (end % receive->block_sectors)
		return refuse_cut(receive, end);
	receive->at.run.sectors = 0;
	err = fill_gap(receive, run.start);
	receive->at.position = end;
	if (err)
		return err;
	if (skips(receive, run.shared)) {
		receive->at.skipped_sectors += run.sectors;
		return 0;
	}
	return te_build_map(receive->build, run.start / receive->block_sectors, run.pool_block,
			    run.sectors / receive->block_sectors, run.shared);
}

static int place(struct receive *receive, const void *data, u64 bytes, bool shared)
{
	struct te_receive_totals *totals = receive->totals;

	if (skips(receive, shared)) {
		totals->skipped_bytes += bytes;
		return 0;
	}
	if (data)
		totals->data_bytes += bytes;
	else
		totals->zero_bytes += bytes;
	return te_place_write(receive->place, data, bytes);
}

/* DATA or ZERO: the bytes, or NULL. */
static int take_blocks(struct receive *receive, const struct te_op *op, const void *data)
{
	u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);
	bool shared = le16_to_cpu(op->flags) & TE_OP_SHARED;
	struct te_receive_run *run = &receive->at.run;
	int err = 0;

	if (!run->sectors || run->start + run->sectors != offset || run->shared != shared) {
		err = end_run(receive);
		if (!err && offset % receive->block_sectors)
			err = refuse_cut(receive, offset);
		*run = (struct te_receive_run) {
			.start = offset,
			.pool_block = te_place_next_block(receive->place),
			.shared = shared,
		};
	}
	if (err)
		return err;
	if (length > receive->provisioned_sectors - receive->at.received_sectors) {
		te_error("%s: more data arrives than the %s it announced", receive->name,
			 te_bytes(to_bytes(receive->provisioned_sectors)));
		return -EBADMSG;
	}
	run->sectors += length;
	receive->at.received_sectors += length;
	te_progress_add(to_bytes(length));
	return place(receive, data, to_bytes(length), shared);
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
	receive->at.position = end;
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
			break;
		case TE_OP_ZERO:
			err = take_blocks(receive, op, NULL);
			break;
		default:
			err = take_reference(receive, op);
			break;
		}
	}
	return err;
}

/* Of a dropped volume what was skipped counts too; an ignored one maps nothing. */
static bool maps_as_announced(const struct receive *receive, u64 mapped)
{
	return receive->at.use == TE_CHOICE_IGNORED ||
	       mapped * receive->block_sectors + receive->at.skipped_sectors ==
		       receive->at.volume_sectors;
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
	receive->totals->nr_volumes += receive->at.use == TE_CHOICE_WANTED;
	if (maps_as_announced(receive, mapped))
		return 0;
	te_error("%s: volume %u maps %s, not the %s it announced", receive->name, receive->at.dev_id,
		 te_bytes(mapped * to_bytes(receive->block_sectors) + to_bytes(receive->at.skipped_sectors)),
		 te_bytes(to_bytes(receive->at.volume_sectors)));
	return -EBADMSG;
}

static int take_end(struct receive *receive)
{
	if (receive->at.received_sectors == receive->provisioned_sectors)
		return 0;
	te_error("%s: it brought %s of data, not the %s it announced", receive->name,
		 te_bytes(to_bytes(receive->at.received_sectors)),
		 te_bytes(to_bytes(receive->provisioned_sectors)));
	return -EBADMSG;
}

static int take_record(struct receive *receive, const struct te_record *record)
{
	switch (record->kind) {
	case TE_RECORD_BEGIN:
		take_begin(receive, record->begin);
		break;
	case TE_RECORD_CATALOG:
		return take_catalog(receive, record);
	case TE_RECORD_VOLUME:
		return take_volume(receive, record->volume);
	case TE_RECORD_OPS:
		return take_ops(receive, record);
	case TE_RECORD_VOLUME_END:
		return take_volume_end(receive);
	case TE_RECORD_END:
		return take_end(receive);
	case TE_RECORD_RESUME:
		return receive->target->interrupted ? take_resume(receive) : 0;
	case TE_RECORD_SKIPPED:
		break;
	}
	return 0;
}

static int keep(struct receive *receive, bool now)
{
	return te_receive_keep(receive->keeper, now, receive->build, receive->place, &receive->at,
			       receive->totals);
}

/* What was interrupted between two records is kept as it is. */
static int take_stream(struct receive *receive)
{
	struct te_record record;
	int more, err;

	for (;;) {
		more = te_stream_next(receive->reader, &record);
		if (more == 1 && te_interrupted())
			more = -EINTR;
		if (more < 0)
			keep(receive, true);
		if (more != 1)
			return more;
		err = take_record(receive, &record);
		/* Behind END there is nothing to go on with. */
		if (!err && record.kind != TE_RECORD_END &&
		    te_receive_keeper_note(receive->keeper, receive->reader,
						   to_bytes(receive->at.received_sectors)))
			err = keep(receive, false);
		if (err)
			return err;
	}
}

static void sum_up(struct receive *receive, u64 placed_blocks)
{
	u64 used_blocks = te_build_used_data_blocks(receive->build);

	receive->totals->unused_bytes = (placed_blocks - used_blocks) *
					to_bytes(receive->block_sectors);
	receive->totals->metadata_bytes = te_build_used_blocks(receive->build) *
					  THIN_METADATA_BLOCK_BYTES;
}

/* Everything has arrived: data to disk, then metadata, then the superblock. */
static int finish(struct receive *receive)
{
	u64 placed_blocks = te_place_next_block(receive->place);
	int err;

	te_progress_turn(TE_PROGRESS_FINISH);
	err = te_place_finish(receive->place);
	te_place_destroy(receive->place);
	receive->place = NULL;
	if (!err)
		err = te_build_finish(receive->build);
	if (!err && te_interrupted())
		err = -EINTR;
	if (!err)
		err = te_build_commit(receive->build);
	if (!err)
		te_receive_keeper_wipe(receive->keeper, receive->build);
	if (!err)
		sum_up(receive, placed_blocks);
	return err;
}

static int receive_stream(struct receive *receive, int fd)
{
	int err;

	receive->reader = te_stream_reader_create(fd, receive->name);
	if (!receive->reader) {
		te_error("no memory to read %s", receive->name);
		return -ENOMEM;
	}
	err = te_receive_keeper_open(receive->keeper, receive->reader, receive->choice);
	if (!err)
		err = te_stream_reader_use_threads(receive->reader, receive->options->threads);
	if (!err)
		err = take_stream(receive);
	te_stream_reader_destroy(receive->reader);
	if (!err)
		err = finish(receive);
	te_progress_end();
	te_place_destroy(receive->place);
	te_build_destroy(receive->build);
	return err;
}

int te_receive(int fd, const char *name, struct te_target *target,
	       struct te_choice *choice, const struct te_receive_options *options,
	       struct te_receive_totals *totals)
{
	struct receive receive = {
		.name = name,
		.target = target,
		.choice = choice,
		.options = options,
		.totals = totals,
	};
	int err = te_target_check_stream(target, fd, name);

	*totals = (struct te_receive_totals) { .nr_volumes = 0 };
	if (!err && !target->interrupted)
		err = te_choice_scan(choice, fd, name);
	if (err)
		return err;
	receive.keeper = te_receive_keeper_create(target, options->window_bytes);
	if (!receive.keeper)
		return -ENOMEM;
	err = receive_stream(&receive, fd);
	te_receive_keeper_destroy(receive.keeper);
	return err;
}
