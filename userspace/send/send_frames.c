// SPDX-License-Identifier: GPL-2.0-or-later
/* A plan's frames, read and packed ahead by several threads, and given in stream order. */
#include "send/send_frames.h"

#include <pthread.h>

#include "send/batch.h"
#include "base/interrupt.h"
#include "base/say.h"
#include "send/send_fill.h"

#define SECTOR_BYTES	512u

/* Of a batch: frames for so many reads in flight, and one for each who packs. */
#define BATCH_FRAMES	12u

/* Workers beyond those that pack: as many reads may wait for the device. */
#define STANDING_BY	16u

/* Pieces in a frame, few enough that data which splits them does not fill the table. */
#define FRAME_PIECES	2048u

/* Data pieces in a frame at most: one a block, and one of a block begun before. */
#define FRAME_EXTENTS	(TE_OPS_FRAME_DATA / (THIN_DATA_BLOCK_MIN_SECTORS * SECTOR_BYTES) + 1)

/* A frame on its way.  The planner's, then the workers' (`to_read` under the lock), ... */
struct slot {
	size_t volume;
	bool last;
	size_t nr_pieces, nr_went;	/* of the pieces, the first ones went before */
	struct te_send_piece *pieces;
	u64 read_bytes;
	size_t to_read;			/* extents that are not there yet */
	struct te_ops_frame frame;
	bool complete;			/* all read, and to be packed */
	bool ready;			/* ... then the caller's */
	int err;
	char said[TE_SAID_BYTES];	/* the sentence for that */
};

struct te_send_frames {
	struct te_plan *plan;
	u64 block_bytes;
	size_t batch_slots, nr_slots;
	struct slot *slots;
	pthread_t planner;
	pthread_t *workers;
	unsigned int nr_workers;
	bool planning;			/* there is a planner */

	/* The planner's own; slots are counted from the start. */
	size_t volume;
	struct te_send_place from;
	u64 planned;

	/* `lock` guards the rest. */
	pthread_mutex_t lock;
	pthread_cond_t work;		/* a batch was queued */
	pthread_cond_t room;		/* a slot was taken */
	pthread_cond_t ready;		/* a slot is ready, or the plan at its end */
	pthread_cond_t idle;		/* a packer is */
	struct te_batch batches[2];
	u64 queued, working;		/* batches: queued, and up to where none has reads left */
	struct te_packer **packers;	/* those that are idle come first */
	unsigned int nr_packers, nr_idle;
	u64 taken;
	bool holding;			/* slot `taken` is with the caller */
	bool stop;			/* the caller wants no more */
	bool ended;			/* `planned` slots are all there are */
	int err;			/* of the plan, or 0 */
	char said[TE_SAID_BYTES];
};

static struct slot *planning(struct te_send_frames *frames)
{
	return &frames->slots[frames->planned % frames->nr_slots];
}

static struct te_batch *planned_batch(struct te_send_frames *frames)
{
	return &frames->batches[frames->queued % ARRAY_SIZE(frames->batches)];
}

/* The first in stream order of those that are complete, of which there is one. */
static struct slot *first_complete(struct te_send_frames *frames)
{
	u64 number = frames->taken;

	while (!frames->slots[number % frames->nr_slots].complete)
		number++;
	return &frames->slots[number % frames->nr_slots];
}

/*
 * Packs a frame: this one, unless an earlier one waits for it too, since the caller
 * waits for the earliest.  To be called with the lock held, which is dropped meanwhile.
 */
static void pack(struct te_send_frames *frames, struct slot *slot)
{
	struct te_packer *packer;

	slot->complete = true;
	while (!frames->nr_idle)
		pthread_cond_wait(&frames->idle, &frames->lock);
	packer = frames->packers[--frames->nr_idle];
	slot = first_complete(frames);
	slot->complete = false;
	pthread_mutex_unlock(&frames->lock);
	te_send_fill(&slot->frame, slot->pieces, slot->nr_pieces, frames->block_bytes);
	if (slot->frame.data_bytes)
		te_packer_pack(packer, &slot->frame);
	pthread_mutex_lock(&frames->lock);
	frames->packers[frames->nr_idle++] = packer;
	pthread_cond_signal(&frames->idle);
	slot->ready = true;
	pthread_cond_signal(&frames->ready);
}

static int read_extents(struct te_send_frames *frames, const struct te_read *read, char *said)
{
	struct te_source *source = frames->plan->source;
	struct iovec iov[TE_READ_EXTENTS];
	unsigned int i;
	int err;

	for (i = 0; i < read->nr_extents; i++)
		iov[i] = (struct iovec){ read->extents[i].to, read->extents[i].bytes };
	te_say_keep(said);
	err = source->ops->read(source, read->extents[0].pool_offset, iov, (int)read->nr_extents);
	te_say_keep(NULL);
	return err;
}

/* Does a read, and packs the frames that are complete with it.  The lock is held, and dropped. */
static void work_on(struct te_send_frames *frames, const struct te_read *read)
{
	/* With its last extent accounted for, the batch may be planned anew. */
	unsigned int nr_extents = read->nr_extents, i;
	char said[TE_SAID_BYTES];
	int err;

	pthread_mutex_unlock(&frames->lock);
	err = read_extents(frames, read, said);
	pthread_mutex_lock(&frames->lock);
	for (i = 0; i < nr_extents; i++) {
		struct slot *slot = &frames->slots[read->extents[i].slot];

		if (err && !slot->err) {
			slot->err = err;
			memcpy(slot->said, said, sizeof(said));
		}
		if (--slot->to_read)
			continue;
		if (!slot->err && !frames->stop) {
			pack(frames, slot);
			continue;
		}
		slot->ready = true;
		pthread_cond_signal(&frames->ready);
	}
}

/* The oldest batch of which reads are left, or NULL. */
static struct te_batch *unread(struct te_send_frames *frames)
{
	for (; frames->working < frames->queued; frames->working++) {
		struct te_batch *batch =
			&frames->batches[frames->working % ARRAY_SIZE(frames->batches)];

		if (batch->next < batch->nr_reads)
			return batch;
	}
	return NULL;
}

static void *work(void *context)
{
	struct te_send_frames *frames = context;
	struct te_batch *batch;

	te_interrupt_leave_to_main();
	pthread_mutex_lock(&frames->lock);
	while (!frames->stop) {
		batch = unread(frames);
		if (batch)
			work_on(frames, &batch->reads[batch->next++]);
		else
			pthread_cond_wait(&frames->work, &frames->lock);
	}
	pthread_mutex_unlock(&frames->lock);
	return NULL;
}

/* Gives the planned batch to the workers.  `last`: there will be no more, for this reason. */
static void queue_batch(struct te_send_frames *frames, bool last, int err)
{
	te_batch_order(planned_batch(frames));
	pthread_mutex_lock(&frames->lock);
	frames->queued++;
	frames->ended = last;
	frames->err = err;
	pthread_cond_broadcast(&frames->work);
	pthread_cond_signal(&frames->ready);
	pthread_mutex_unlock(&frames->lock);
}

/* Waits until the batch that is to be planned next is out of use. */
static int begin_batch(struct te_send_frames *frames)
{
	int err;

	pthread_mutex_lock(&frames->lock);
	while (frames->planned - frames->taken > frames->batch_slots && !frames->stop)
		pthread_cond_wait(&frames->room, &frames->lock);
	err = frames->stop ? -ECANCELED : 0;
	pthread_mutex_unlock(&frames->lock);
	te_batch_clear(planned_batch(frames));
	return err;
}

static void empty(struct slot *slot)
{
	slot->nr_pieces = 0;
	slot->nr_went = 0;
	slot->read_bytes = 0;
}

/* The slot holds what it is to hold; on to the next. */
static int end_slot(struct te_send_frames *frames, bool last)
{
	struct slot *slot = planning(frames);
	int err = te_interrupted() ? -EINTR : 0;

	/* The last one goes on, to tell that it is. */
	if (slot->nr_went && slot->nr_went == slot->nr_pieces && !last) {
		empty(slot);
		return err;
	}
	slot->volume = frames->volume;
	slot->last = last;
	if (!slot->to_read) {
		te_send_fill(&slot->frame, slot->pieces, slot->nr_pieces, frames->block_bytes);
		pthread_mutex_lock(&frames->lock);
		slot->ready = true;
		pthread_cond_signal(&frames->ready);
		pthread_mutex_unlock(&frames->lock);
	}
	frames->planned++;
	if (frames->planned % frames->batch_slots == 0) {
		queue_batch(frames, false, 0);
		if (!err)
			err = begin_batch(frames);
	}
	return err;
}

/* How much of `bytes` of DATA the slot still takes: whole blocks if they fit one at all. */
static u64 room_for(const struct te_send_frames *frames, const struct slot *slot, u64 bytes)
{
	u64 room = TE_OPS_FRAME_DATA - slot->read_bytes;

	if (slot->nr_pieces == FRAME_PIECES)
		return 0;
	if (bytes <= room)
		return bytes;
	return frames->block_bytes <= TE_OPS_FRAME_DATA ? room - room % frames->block_bytes : room;
}

static void put_piece(struct slot *slot, const struct te_send_piece *piece)
{
	slot->pieces[slot->nr_pieces++] = *piece;
	slot->nr_went += piece->went;
}

/* Frames end where pieces do: a place inside one is of another plan. */
static int look_back(const struct te_send_frames *frames, struct te_send_piece *piece)
{
	u64 from = frames->from.position * SECTOR_BYTES;

	if (frames->volume != frames->from.volume)
		return 0;
	piece->went = piece->offset + piece->bytes <= from;
	if (piece->went || piece->offset >= from)
		return 0;
	te_error("the place to go on at, sector %llu of volume %u, is where no frame of this stream ends",
		 (unsigned long long)frames->from.position,
		 frames->plan->volumes[frames->volume].volume->details.dev_id);
	return -EBADMSG;
}

static void put_data(struct te_send_frames *frames, struct slot *slot, const struct te_send_piece *piece,
		     u64 pool_offset)
{
	const struct te_extent extent = {
		.pool_offset = pool_offset,
		.bytes = piece->bytes,
		.to = slot->frame.data + slot->read_bytes,
		.slot = (size_t)(slot - frames->slots),
	};

	if (!piece->went) {
		te_batch_add(planned_batch(frames), &extent);
		slot->to_read++;
	}
	put_piece(slot, piece);
	slot->read_bytes += piece->bytes;
}

static int plan_data(struct te_send_frames *frames, struct te_send_piece piece, u64 pool_offset)
{
	u64 bytes = piece.bytes;
	int err;

	while (bytes) {
		piece.bytes = room_for(frames, planning(frames), bytes);
		if (!piece.bytes) {
			err = end_slot(frames, false);
			if (err)
				return err;
			continue;
		}
		err = look_back(frames, &piece);
		if (err)
			return err;
		put_data(frames, planning(frames), &piece, pool_offset);
		piece.offset += piece.bytes;
		pool_offset += piece.bytes;
		bytes -= piece.bytes;
	}
	return 0;
}

static int plan_op(void *context, const struct te_plan_op *op)
{
	struct te_send_frames *frames = context;
	struct te_send_piece piece = {
		.kind = op->kind,
		.shared = op->shared,
		.source = op->source,
		.offset = op->virtual_block * frames->block_bytes,
		.bytes = op->count * frames->block_bytes,
	};
	int err;

	if (op->kind == TE_OP_DATA)
		return plan_data(frames, piece, op->pool_block * frames->block_bytes);
	if (planning(frames)->nr_pieces == FRAME_PIECES) {
		err = end_slot(frames, false);
		if (err)
			return err;
	}
	err = look_back(frames, &piece);
	if (!err)
		put_piece(planning(frames), &piece);
	return err;
}

static int ignore_op(void *context, const struct te_plan_op *op)
{
	return te_interrupted() ? -EINTR : 0;
}

/* A plan gives the ops of each volume in order. */
static int pass_volumes(struct te_send_frames *frames)
{
	int err = 0;

	for (; frames->volume < frames->from.volume && !err; frames->volume++)
		err = te_plan_ops(frames->plan, frames->volume, ignore_op, NULL);
	return err;
}

static void *plan_frames(void *context)
{
	struct te_send_frames *frames = context;
	int err;

	te_interrupt_leave_to_main();
	te_say_keep(frames->said);
	err = pass_volumes(frames);
	for (; frames->volume < frames->plan->nr_volumes && !err; frames->volume++) {
		err = te_plan_ops(frames->plan, frames->volume, plan_op, frames);
		if (!err)
			err = end_slot(frames, true);
	}
	te_say_keep(NULL);
	/* A slot that was not finished when the plan failed is not among the planned. */
	queue_batch(frames, true, err);
	return NULL;
}

static int start_threads(struct te_send_frames *frames)
{
	unsigned int wanted = frames->nr_packers + STANDING_BY;

	frames->workers = calloc(wanted, sizeof(*frames->workers));
	if (!frames->workers)
		return -ENOMEM;
	while (frames->nr_workers < wanted) {
		if (pthread_create(&frames->workers[frames->nr_workers], NULL, work, frames))
			return -EAGAIN;
		frames->nr_workers++;
	}
	if (pthread_create(&frames->planner, NULL, plan_frames, frames))
		return -EAGAIN;
	frames->planning = true;
	return 0;
}

static int make_slots(struct te_send_frames *frames, struct te_codec_choice codec,
		      unsigned int threads)
{
	size_t i;

	frames->batch_slots = BATCH_FRAMES + threads;
	frames->nr_slots = frames->batch_slots * ARRAY_SIZE(frames->batches);
	frames->slots = calloc(frames->nr_slots, sizeof(*frames->slots));
	frames->packers = calloc(threads, sizeof(struct te_packer *));
	if (!frames->slots || !frames->packers)
		return -ENOMEM;
	for (i = 0; i < frames->nr_slots; i++) {
		struct slot *slot = &frames->slots[i];

		slot->pieces = calloc(FRAME_PIECES, sizeof(*slot->pieces));
		if (!slot->pieces || te_ops_frame_init(&slot->frame))
			return -ENOMEM;
	}
	for (i = 0; i < ARRAY_SIZE(frames->batches); i++)
		if (te_batch_init(&frames->batches[i], frames->batch_slots * FRAME_EXTENTS))
			return -ENOMEM;
	for (; frames->nr_packers < threads; frames->nr_packers++) {
		frames->packers[frames->nr_packers] = te_packer_create(codec);
		if (!frames->packers[frames->nr_packers])
			return -ENOMEM;
	}
	frames->nr_idle = threads;
	return 0;
}

struct te_send_frames *te_send_frames_start(struct te_plan *plan, struct te_codec_choice codec,
					    unsigned int threads,
					    const struct te_send_place *from)
{
	struct te_send_frames *frames = calloc(1, sizeof(*frames));
	int err;

	if (!frames) {
		te_error("not enough memory");
		return NULL;
	}
	frames->plan = plan;
	frames->from = *from;
	frames->block_bytes = (u64)plan->source->block_sectors * SECTOR_BYTES;
	pthread_mutex_init(&frames->lock, NULL);
	pthread_cond_init(&frames->work, NULL);
	pthread_cond_init(&frames->room, NULL);
	pthread_cond_init(&frames->ready, NULL);
	pthread_cond_init(&frames->idle, NULL);
	err = make_slots(frames, codec, threads);
	if (!err)
		err = start_threads(frames);
	if (!err)
		return frames;
	te_error(err == -ENOMEM ? "not enough memory for %u threads: --threads takes fewer" :
				  "cannot start %u threads: --threads takes fewer", threads);
	te_send_frames_stop(frames);
	return NULL;
}

/* The caller is done with the slot it holds. */
static void release(struct te_send_frames *frames)
{
	struct slot *slot = &frames->slots[frames->taken % frames->nr_slots];

	if (!frames->holding)
		return;
	slot->ready = false;
	empty(slot);
	frames->holding = false;
	frames->taken++;
	pthread_cond_signal(&frames->room);
}

/* The next slot as soon as it is ready; NULL behind the last. */
static struct slot *wait_for_slot(struct te_send_frames *frames)
{
	struct slot *slot = &frames->slots[frames->taken % frames->nr_slots];

	while (!frames->ended || frames->taken < frames->planned) {
		if (slot->ready)
			return slot;
		pthread_cond_wait(&frames->ready, &frames->lock);
	}
	return NULL;
}

int te_send_frames_next(struct te_send_frames *frames, struct te_send_frame *frame)
{
	const char *said = frames->said;
	struct slot *slot;
	int err;

	pthread_mutex_lock(&frames->lock);
	release(frames);
	slot = wait_for_slot(frames);
	frames->holding = slot != NULL;
	err = slot ? slot->err : frames->err;
	pthread_mutex_unlock(&frames->lock);
	if (slot && !err) {
		*frame = (struct te_send_frame){ slot->volume, slot->last, slot->read_bytes,
						 &slot->frame };
		return 1;
	}
	if (slot)
		said = slot->said;
	if (*said)
		te_say_kept(said);
	return err;
}

static void free_all(struct te_send_frames *frames)
{
	size_t i;

	for (i = 0; frames->slots && i < frames->nr_slots; i++) {
		free(frames->slots[i].pieces);
		te_ops_frame_exit(&frames->slots[i].frame);
	}
	for (i = 0; i < frames->nr_packers; i++)
		te_packer_destroy(frames->packers[i]);
	for (i = 0; i < ARRAY_SIZE(frames->batches); i++)
		te_batch_exit(&frames->batches[i]);
	pthread_cond_destroy(&frames->idle);
	pthread_cond_destroy(&frames->ready);
	pthread_cond_destroy(&frames->room);
	pthread_cond_destroy(&frames->work);
	pthread_mutex_destroy(&frames->lock);
	free(frames->packers);
	free(frames->workers);
	free(frames->slots);
	free(frames);
}

void te_send_frames_stop(struct te_send_frames *frames)
{
	unsigned int i;

	if (!frames)
		return;
	pthread_mutex_lock(&frames->lock);
	frames->stop = true;
	pthread_cond_broadcast(&frames->work);
	pthread_cond_broadcast(&frames->room);
	pthread_mutex_unlock(&frames->lock);
	if (frames->planning)
		pthread_join(frames->planner, NULL);
	for (i = 0; i < frames->nr_workers; i++)
		pthread_join(frames->workers[i], NULL);
	free_all(frames);
}
