// SPDX-License-Identifier: GPL-2.0-or-later
/* A plan's ops with their data, read ahead in a thread of its own. */
#include "read_ahead.h"

#include <pthread.h>

#include "interrupt.h"
#include "say.h"

#define NR_CHUNKS	4u
#define CHUNK_BYTES	(2u << 20)
#define CHUNK_PIECES	4096u
#define BUFFER_ALIGN	4096u

struct slot {
	size_t volume;
	bool last;
	size_t nr_pieces;
	u64 bytes;			/* of data so far */
	u8 *data;
	struct te_piece *pieces;
};

struct te_read_ahead {
	struct te_plan *plan;
	u64 block_bytes;
	pthread_t thread;
	size_t volume;			/* the thread's: which one it is in */

	/* Slots [taken, filled) wait, counted from the start; `lock` guards both. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	u64 filled;
	u64 taken;			/* up to here the thread may fill again */
	bool holding;			/* slot `taken` is with the caller */
	bool stop;			/* the caller wants no more */
	bool ended;			/* the thread gives no more */
	int err;			/* why, or 0 */
	struct slot slots[NR_CHUNKS];
};

static struct slot *filling(struct te_read_ahead *ahead)
{
	return &ahead->slots[ahead->filled % NR_CHUNKS];
}

/* Reads what the slot's DATA pieces need, neighbours in the pool together. */
static int read_slot(struct te_read_ahead *ahead, struct slot *slot)
{
	struct te_source *source = ahead->plan->source;
	size_t i, next;
	int err = 0;

	for (i = 0; i < slot->nr_pieces && !err; i = next) {
		const struct te_piece *first = &slot->pieces[i];
		u64 bytes = first->bytes;

		next = i + 1;
		if (first->kind != TE_OP_DATA)
			continue;
		while (next < slot->nr_pieces && slot->pieces[next].kind == TE_OP_DATA &&
		       slot->pieces[next].pool_offset == first->pool_offset + bytes)
			bytes += slot->pieces[next++].bytes;
		err = source->ops->read(source, first->pool_offset, (void *)first->data, bytes);
	}
	return err;
}

/* Gives the slot to the caller and waits until the next may be filled. */
static int hand_over(struct te_read_ahead *ahead, bool last)
{
	struct slot *slot = filling(ahead);
	int err;

	slot->volume = ahead->volume;
	slot->last = last;
	err = te_interrupted() ? -EINTR : read_slot(ahead, slot);
	if (err)
		return err;

	pthread_mutex_lock(&ahead->lock);
	ahead->filled++;
	pthread_cond_broadcast(&ahead->changed);
	while (ahead->filled - ahead->taken == NR_CHUNKS && !ahead->stop)
		pthread_cond_wait(&ahead->changed, &ahead->lock);
	err = ahead->stop ? -ECANCELED : 0;
	pthread_mutex_unlock(&ahead->lock);

	filling(ahead)->nr_pieces = 0;
	filling(ahead)->bytes = 0;
	return err;
}

/* How much of `bytes` of DATA the slot still takes: whole blocks if they fit one at all. */
static u64 room_for(const struct te_read_ahead *ahead, const struct slot *slot, u64 bytes)
{
	u64 room = CHUNK_BYTES - slot->bytes;

	if (slot->nr_pieces == CHUNK_PIECES)
		return 0;
	if (bytes <= room)
		return bytes;
	return ahead->block_bytes <= CHUNK_BYTES ? room - room % ahead->block_bytes : room;
}

static int take_data(struct te_read_ahead *ahead, struct te_piece piece, u64 bytes)
{
	while (bytes) {
		struct slot *slot = filling(ahead);

		piece.bytes = room_for(ahead, slot, bytes);
		if (!piece.bytes) {
			int err = hand_over(ahead, false);

			if (err)
				return err;
			continue;
		}
		piece.data = slot->data + slot->bytes;
		slot->pieces[slot->nr_pieces++] = piece;
		slot->bytes += piece.bytes;
		piece.offset += piece.bytes;
		piece.pool_offset += piece.bytes;
		bytes -= piece.bytes;
	}
	return 0;
}

static int take_op(void *context, const struct te_plan_op *op)
{
	struct te_read_ahead *ahead = context;
	struct te_piece piece = {
		.kind = op->kind,
		.shared = op->shared,
		.source = op->source,
		.offset = op->virtual_block * ahead->block_bytes,
		.bytes = op->count * ahead->block_bytes,
		.pool_offset = op->pool_block * ahead->block_bytes,
	};
	struct slot *slot;

	if (op->kind == TE_OP_DATA)
		return take_data(ahead, piece, piece.bytes);
	if (filling(ahead)->nr_pieces == CHUNK_PIECES) {
		int err = hand_over(ahead, false);

		if (err)
			return err;
	}
	slot = filling(ahead);
	slot->pieces[slot->nr_pieces++] = piece;
	return 0;
}

static void *run(void *context)
{
	struct te_read_ahead *ahead = context;
	int err = 0;

	te_interrupt_leave_to_main();
	for (; ahead->volume < ahead->plan->nr_volumes && !err; ahead->volume++) {
		err = te_plan_ops(ahead->plan, ahead->volume, take_op, ahead);
		if (!err)
			err = hand_over(ahead, true);
	}
	pthread_mutex_lock(&ahead->lock);
	ahead->ended = true;
	ahead->err = err;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	return NULL;
}

static void destroy(struct te_read_ahead *ahead)
{
	unsigned int i;

	for (i = 0; i < NR_CHUNKS; i++) {
		free(ahead->slots[i].data);
		free(ahead->slots[i].pieces);
	}
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}

struct te_read_ahead *te_read_ahead_start(struct te_plan *plan)
{
	struct te_read_ahead *ahead = calloc(1, sizeof(*ahead));
	unsigned int i;

	if (!ahead)
		goto no_memory;
	ahead->plan = plan;
	ahead->block_bytes = (u64)plan->source->block_sectors * 512;
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->changed, NULL);
	for (i = 0; i < NR_CHUNKS; i++) {
		struct slot *slot = &ahead->slots[i];

		slot->data = aligned_alloc(BUFFER_ALIGN, CHUNK_BYTES);
		slot->pieces = calloc(CHUNK_PIECES, sizeof(*slot->pieces));
		if (!slot->data || !slot->pieces)
			goto no_memory;
	}
	if (pthread_create(&ahead->thread, NULL, run, ahead)) {
		te_error("cannot start a thread that reads ahead");
		destroy(ahead);
		return NULL;
	}
	return ahead;

no_memory:
	te_error("not enough memory");
	if (ahead)
		destroy(ahead);
	return NULL;
}

int te_read_ahead_next(struct te_read_ahead *ahead, struct te_chunk *chunk)
{
	const struct slot *slot;
	int r;

	pthread_mutex_lock(&ahead->lock);
	if (ahead->holding) {
		ahead->holding = false;
		ahead->taken++;
		pthread_cond_broadcast(&ahead->changed);
	}
	while (ahead->filled == ahead->taken && !ahead->ended)
		pthread_cond_wait(&ahead->changed, &ahead->lock);
	if (ahead->filled != ahead->taken) {
		slot = &ahead->slots[ahead->taken % NR_CHUNKS];
		*chunk = (struct te_chunk){ slot->volume, slot->last, slot->pieces,
					    slot->nr_pieces };
		ahead->holding = true;
		r = 1;
	} else {
		r = ahead->err;
	}
	pthread_mutex_unlock(&ahead->lock);
	return r;
}

void te_read_ahead_stop(struct te_read_ahead *ahead)
{
	if (!ahead)
		return;
	pthread_mutex_lock(&ahead->lock);
	ahead->stop = true;
	pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
	pthread_join(ahead->thread, NULL);
	destroy(ahead);
}
