// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sink that is a new pool.
 *
 * Data goes to the data device as it arrives; for the metadata each volume is
 * told to the builder as an ascending row of pieces.
 *
 * Until te_build_commit, after everything else is on disk, there is no pool: an
 * error, a signal or a crash anywhere before leaves two devices without one.
 */
#include "receive/sink_pool.h"

#include <thinexport/thin_disk.h>
#include "base/interrupt.h"
#include "base/say.h"
#include "receive/receive_keep.h"

#define SECTOR_BYTES	512u

struct pool_sink {
	struct te_sink sink;
	struct te_target *target;
	const struct te_receive_options *options;
	struct te_place_writer *place;
	struct te_build *build;
	struct te_receive_keeper *keeper;
	u32 block_sectors;
};

static struct pool_sink *pool_of(struct te_sink *sink)
{
	return container_of(sink, struct pool_sink, sink);
}

static struct te_build_pool describe(struct pool_sink *pool, const struct te_begin *begin,
				     const struct te_room *room)
{
	u64 least = pool->target->least_transaction_id;
	u64 transaction_id = le64_to_cpu(begin->transaction_id);

	pool->block_sectors = room->block_sectors;
	return (struct te_build_pool) {
		.block_sectors = room->block_sectors,
		.nr_data_blocks = room->data_blocks,
		.nr_metadata_blocks = room->metadata_blocks,
		.transaction_id = transaction_id < least ? least : transaction_id,
		.time = le32_to_cpu(begin->max_creation_time) + 1,
		.kept_from = te_receive_keeper_from(pool->keeper),
	};
}

static int create_place(struct pool_sink *pool, const struct te_room *room)
{
	pool->place = te_place_create(pool->target->data.fd, pool->target->data.path,
				      room->block_sectors, room->data_blocks);
	return pool->place ? 0 : -EIO;
}

static int pool_measure(struct te_sink *sink, const struct te_sink_beginning *beginning,
			struct te_room *room)
{
	struct te_target *target = pool_of(sink)->target;
	u32 newest = le32_to_cpu(beginning->begin->max_creation_time);
	int err = 0;

	if (newest >= THIN_TIME_MASK - 1) {
		te_error("%s: its pool has used up its snapshot times (%u of %llu)", beginning->name,
			 newest, THIN_TIME_MASK);
		return -EOVERFLOW;
	}
	if (target->make)
		err = target->make(target, beginning->begin, beginning->catalog,
				   beginning->choice);
	if (!err)
		te_room_measure(room, target, beginning->begin, beginning->choice);
	return err;
}

static int pool_begin(struct te_sink *sink, const struct te_sink_beginning *beginning,
		      const struct te_room *room)
{
	struct pool_sink *pool = pool_of(sink);
	struct te_build_pool new;
	int err = 0;

	if (beginning->catalog->plan)
		err = te_receive_keeper_begin(pool->keeper, room, beginning->begin,
					      beginning->record, beginning->choice);
	if (err)
		return err;
	/*
	 * First of all this ends the pool that may be here.  Its data may hold
	 * signatures too, and must not lose them while somebody can activate it.
	 */
	new = describe(pool, beginning->begin, room);
	pool->build = te_build_create(pool->target->metadata.fd, pool->target->metadata.path,
				      &new);
	if (!pool->build)
		return -EIO;
	err = pool->options->force ? te_target_wipe(pool->target) : 0;
	return err ? err : create_place(pool, room);
}

static int pool_volume_begin(struct te_sink *sink, const struct te_volume_begin *volume,
			     const struct te_choice_volume *chosen)
{
	struct te_build_volume begin = {
		.dev_id = chosen->dev_id,
		.transaction_id = le64_to_cpu(volume->transaction_id),
		.creation_time = le32_to_cpu(volume->creation_time),
		.dropped = chosen->use != TE_CHOICE_WANTED,
	};

	return te_build_volume_begin(pool_of(sink)->build, &begin);
}

static int pool_run_begin(struct te_sink *sink, struct te_receive_run *run)
{
	run->pool_block = te_place_next_block(pool_of(sink)->place);
	return 0;
}

static int pool_write(struct te_sink *sink, const void *data, u64 bytes)
{
	return te_place_write(pool_of(sink)->place, data, bytes);
}

static int pool_run_end(struct te_sink *sink, const struct te_receive_run *run)
{
	struct pool_sink *pool = pool_of(sink);

	return te_build_map(pool->build, run->start / pool->block_sectors, run->pool_block,
			    run->sectors / pool->block_sectors, run->shared);
}

static int pool_copy(struct te_sink *sink, u32 source, u64 block, u64 count)
{
	return te_build_copy(pool_of(sink)->build, source, block, count);
}

/* What nobody tells the builder of is not mapped. */
static int pool_unmap(struct te_sink *sink, u64 block, u64 count)
{
	(void)sink;
	(void)block;
	(void)count;
	return 0;
}

static int pool_volume_end(struct te_sink *sink, u64 *mapped)
{
	return te_build_volume_end(pool_of(sink)->build, mapped);
}

static void sum_up(const struct pool_sink *pool, u64 placed_blocks,
		   struct te_receive_totals *totals)
{
	u64 used_blocks = te_build_used_data_blocks(pool->build);

	totals->unused_bytes = (placed_blocks - used_blocks) * pool->block_sectors * SECTOR_BYTES;
	totals->metadata_bytes = te_build_used_blocks(pool->build) * THIN_METADATA_BLOCK_BYTES;
}

/* Data to disk, then metadata, then the superblock. */
static int pool_finish(struct te_sink *sink, struct te_receive_totals *totals)
{
	struct pool_sink *pool = pool_of(sink);
	u64 placed_blocks = te_place_next_block(pool->place);
	int err;

	err = te_place_finish(pool->place);
	te_place_destroy(pool->place);
	pool->place = NULL;
	if (!err)
		err = te_build_finish(pool->build);
	if (!err && te_interrupted())
		err = -EINTR;
	if (!err)
		err = te_build_commit(pool->build);
	if (!err)
		te_receive_keeper_wipe(pool->keeper, pool->build);
	if (!err)
		sum_up(pool, placed_blocks, totals);
	return err;
}

static int pool_open(struct te_sink *sink, struct te_stream_reader *reader,
		     struct te_choice *choice)
{
	return te_receive_keeper_open(pool_of(sink)->keeper, reader, choice);
}

/* RESUME is just of the place where the earlier receive was interrupted. */
static int pool_go_on(struct te_sink *sink, const struct te_choice *choice,
		      struct te_begin *begin, struct te_receive_state *state,
		      struct te_receive_totals *totals)
{
	struct pool_sink *pool = pool_of(sink);
	struct te_receive_kept *kept = te_receive_keeper_kept(pool->keeper);
	struct te_build_pool old;
	struct te_room room;
	int err;

	*begin = kept->before.begin;
	*state = kept->state;
	*totals = kept->totals;
	totals->before_bytes = kept->totals.data_bytes + kept->totals.zero_bytes;
	te_room_measure(&room, pool->target, begin, choice);
	old = describe(pool, begin, &room);
	pool->build = te_build_go_on(pool->target->metadata.fd, pool->target->metadata.path, &old,
				     &kept->slot);
	if (!pool->build)
		return -EIO;
	err = create_place(pool, &room);
	return err ? err : te_place_go_on(pool->place, kept->position);
}

static bool pool_note(struct te_sink *sink, const struct te_stream_reader *reader,
		      u64 received_bytes)
{
	return te_receive_keeper_note(pool_of(sink)->keeper, reader, received_bytes);
}

static int pool_keep(struct te_sink *sink, bool last, const struct te_receive_state *state,
		     const struct te_receive_totals *totals)
{
	struct pool_sink *pool = pool_of(sink);

	return te_receive_keep(pool->keeper, last, pool->build, pool->place, state, totals);
}

static const struct te_sink_keep_ops keep_ops = {
	.open = pool_open,
	.go_on = pool_go_on,
	.note = pool_note,
	.keep = pool_keep,
};

static const struct te_sink_ops pool_ops = {
	.measure = pool_measure,
	.begin = pool_begin,
	.volume_begin = pool_volume_begin,
	.run_begin = pool_run_begin,
	.write = pool_write,
	.run_end = pool_run_end,
	.copy = pool_copy,
	.unmap = pool_unmap,
	.volume_end = pool_volume_end,
	.finish = pool_finish,
	.keep = &keep_ops,
};

struct te_sink *te_sink_pool_create(struct te_target *target,
				    const struct te_receive_options *options)
{
	struct pool_sink *pool = te_alloc(sizeof(*pool));

	if (!pool) {
		te_error("not enough memory");
		return NULL;
	}
	*pool = (struct pool_sink) {
		.sink = { .ops = &pool_ops, .interrupted = target->interrupted },
		.target = target,
		.options = options,
		.keeper = te_receive_keeper_create(target, options->window_bytes),
	};
	if (pool->keeper)
		return &pool->sink;
	te_free(pool);
	return NULL;
}

void te_sink_pool_destroy(struct te_sink *sink)
{
	struct pool_sink *pool = pool_of(sink);

	te_place_destroy(pool->place);
	te_build_destroy(pool->build);
	te_receive_keeper_destroy(pool->keeper);
	te_free(pool);
}
