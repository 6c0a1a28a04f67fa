// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Receiving: what a stream says, done.
 *
 * Each volume is told to the sink as an ascending row of pieces.  Ops count in sectors
 * and a sender may cut them anywhere, even inside a block, as long as the next goes on
 * there; so what is contiguous is gathered into a run first, and a run must
 * begin and end with a block.
 */
#include "receive/receive.h"

#include <inttypes.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/say.h"
#include "receive/sink.h"

#define SECTOR_BYTES	512u

struct receive {
	const char *name;		/* of the stream */
	struct te_sink *sink;
	struct te_choice *choice;
	const struct te_receive_options *options;
	struct te_receive_totals *totals;
	struct te_stream_reader *reader;
	struct te_begin begin;
	u32 block_sectors;
	u64 provisioned_sectors;	/* that BEGIN announced */
	struct te_receive_state at;	/* behind the last record */
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

static struct te_sink_beginning beginning_of(const struct receive *receive,
					     const struct te_record *record)
{
	return (struct te_sink_beginning) {
		.name = receive->name,
		.begin = &receive->begin,
		.catalog = te_stream_catalog(receive->reader),
		.record = record,
		.choice = receive->choice,
	};
}

/* Goes on where an earlier receive was interrupted. */
static int take_resume(struct receive *receive)
{
	struct te_begin begin;
	int err = receive->sink->ops->keep->go_on(receive->sink, receive->choice, &begin,
						  &receive->at, receive->totals);

	if (err)
		return err;
	take_begin(receive, &begin);
	te_progress_begin(TE_PROGRESS_RECEIVE, to_bytes(receive->provisioned_sectors -
							receive->at.received_sectors));
	return 0;
}

static int take_catalog(struct receive *receive, const struct te_record *record)
{
	const struct te_sink_ops *ops = receive->sink->ops;
	struct te_sink_beginning beginning = beginning_of(receive, record);
	struct te_room room;
	int err = te_choice_settle(receive->choice, beginning.catalog, receive->name);

	if (!err)
		err = ops->measure(receive->sink, &beginning, &room);
	if (!err)
		err = te_room_check(&room);
	if (!err)
		err = ops->begin(receive->sink, &beginning, &room);
	if (!err)
		te_progress_begin(TE_PROGRESS_RECEIVE, to_bytes(receive->provisioned_sectors));
	return err;
}

static int take_volume(struct receive *receive, const struct te_volume_begin *volume)
{
	const struct te_choice_volume *chosen =
		&receive->choice->settled[le32_to_cpu(volume->index)];
	u32 creation_time = le32_to_cpu(volume->creation_time);

	if (creation_time > receive->at.newest_creation_time)
		receive->at.newest_creation_time = creation_time;
	receive->at.dev_id = le32_to_cpu(volume->dev_id);
	receive->at.use = chosen->use;
	receive->at.skipped_sectors = 0;
	if (le32_to_cpu(volume->parent_kind) == TE_PARENT_BASE) {
		te_error("%s: volume %u is told as what changed since a base, which the target does not hold: receive a stream sent without a base",
			 receive->name, receive->at.dev_id);
		return -EOPNOTSUPP;
	}
	receive->at.has_parent = le32_to_cpu(volume->parent_kind) == TE_PARENT_VOLUME;
	receive->at.parent = le32_to_cpu(volume->parent_index);
	receive->at.volume_sectors = le64_to_cpu(volume->provisioned_sectors);
	receive->at.position = 0;
	receive->at.run = (struct te_receive_run) { .sectors = 0 };
	return receive->sink->ops->volume_begin(receive->sink, volume, chosen);
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
	return receive->sink->ops->copy(receive->sink, source, block,
					to / receive->block_sectors - block);
}

static int unmap(struct receive *receive, u64 from, u64 to)
{
	u64 block = from / receive->block_sectors;

	if (receive->at.use == TE_CHOICE_IGNORED)
		return 0;
	return receive->sink->ops->unmap(receive->sink, block,
					 to / receive->block_sectors - block);
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

/* Tells the sink of the run that has come to its end. */
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
		return unmap(receive, run.start, end);
	}
	return receive->sink->ops->run_end(receive->sink, &run);
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
	return receive->sink->ops->write(receive->sink, data, bytes);
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
		*run = (struct te_receive_run) { .start = offset, .shared = shared };
		if (!err && !skips(receive, shared))
			err = receive->sink->ops->run_begin(receive->sink, run);
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
	if (err)
		return err;
	if (le16_to_cpu(op->kind) == TE_OP_UNMAP)
		return unmap(receive, offset, end);
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
		err = receive->sink->ops->volume_end(receive->sink, &mapped);
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
		return receive->sink->interrupted ? take_resume(receive) : 0;
	case TE_RECORD_SKIPPED:
		break;
	}
	return 0;
}

static int keep(struct receive *receive, bool last)
{
	const struct te_sink_keep_ops *ops = receive->sink->ops->keep;

	return ops ? ops->keep(receive->sink, last, &receive->at, receive->totals) : 0;
}

/* Behind END there is nothing to go on with. */
static bool is_time_to_keep(struct receive *receive, const struct te_record *record)
{
	const struct te_sink_keep_ops *ops = receive->sink->ops->keep;

	return ops && record->kind != TE_RECORD_END &&
	       ops->note(receive->sink, receive->reader, to_bytes(receive->at.received_sectors));
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
		if (!err && is_time_to_keep(receive, &record))
			err = keep(receive, false);
		if (err)
			return err;
	}
}

static int open_reader(struct receive *receive, int fd)
{
	const struct te_sink_keep_ops *ops = receive->sink->ops->keep;
	int err = 0;

	receive->reader = te_stream_reader_create(fd, receive->name);
	if (!receive->reader) {
		te_error("no memory to read %s", receive->name);
		return -ENOMEM;
	}
	if (ops)
		err = ops->open(receive->sink, receive->reader, receive->choice);
	if (!err)
		err = te_stream_reader_use_threads(receive->reader, receive->options->threads);
	return err;
}

int te_receive(int fd, const char *name, struct te_sink *sink, struct te_choice *choice,
	       const struct te_receive_options *options, struct te_receive_totals *totals)
{
	struct receive receive = {
		.name = name,
		.sink = sink,
		.choice = choice,
		.options = options,
		.totals = totals,
	};
	int err = sink->interrupted ? 0 : te_choice_scan(choice, fd, name);

	*totals = (struct te_receive_totals) { .nr_volumes = 0 };
	if (err)
		return err;
	err = open_reader(&receive, fd);
	if (!err)
		err = take_stream(&receive);
	te_stream_reader_destroy(receive.reader);
	if (!err) {
		te_progress_turn(TE_PROGRESS_FINISH);
		err = sink->ops->finish(sink, totals);
	}
	te_progress_end();
	return err;
}
