// SPDX-License-Identifier: GPL-2.0-or-later
/* A frame of ops: its table and data gathered, then packed. */
#include "stream/ops_frame.h"

#include "stream/frame.h"

#define PAGE_BYTES	4096u
#define TABLE_ROOM	(TE_FRAME_MAX_OPS * sizeof(struct te_op))
#define MEMORY_BYTES	(PAGE_BYTES + TABLE_ROOM + TE_OPS_FRAME_DATA)

_Static_assert(TABLE_ROOM % PAGE_BYTES == 0, "data after the table is aligned");
_Static_assert(TE_OPS_FRAME_DATA + TABLE_ROOM <= TE_FRAME_MAX_RAW, "a full frame is allowed");
_Static_assert(sizeof(struct te_frame_header) <= PAGE_BYTES, "there is room for a header");

static void lay_out(struct te_ops_frame *frame, u8 *memory)
{
	frame->memory = memory;
	frame->ops = (struct te_op *)(memory + PAGE_BYTES);
	frame->data = memory + PAGE_BYTES + TABLE_ROOM;
}

static u8 *new_memory(void)
{
	return aligned_alloc(PAGE_BYTES, MEMORY_BYTES);
}

int te_ops_frame_init(struct te_ops_frame *frame)
{
	u8 *memory = new_memory();

	memset(frame, 0, sizeof(*frame));
	if (!memory)
		return -ENOMEM;
	lay_out(frame, memory);
	return 0;
}

void te_ops_frame_exit(struct te_ops_frame *frame)
{
	free(frame->memory);
}

void te_ops_frame_clear(struct te_ops_frame *frame)
{
	frame->nr_ops = 0;
	frame->zero_sectors = 0;
	frame->data_bytes = 0;
	frame->payload = NULL;
}

static bool goes_on(const struct te_op *last, const struct te_op *op)
{
	return last->kind == op->kind && last->flags == op->flags && last->source == op->source &&
	       le64_to_cpu(last->offset) + le64_to_cpu(last->length) == le64_to_cpu(op->offset);
}

bool te_ops_frame_add(struct te_ops_frame *frame, const struct te_op *op)
{
	struct te_op *last = frame->ops + frame->nr_ops - 1;

	if (frame->nr_ops && goes_on(last, op))
		last->length = cpu_to_le64(le64_to_cpu(last->length) + le64_to_cpu(op->length));
	else if (frame->nr_ops < TE_FRAME_MAX_OPS)
		frame->ops[frame->nr_ops++] = *op;
	else
		return false;
	if (le16_to_cpu(op->kind) == TE_OP_ZERO)
		frame->zero_sectors += le64_to_cpu(op->length);
	return true;
}

/* `spare` is as a frame's memory, and changes places with it when a frame is encoded. */
struct te_packer {
	const struct te_codec *codec;
	void *encoder;			/* NULL for none */
	u8 *spare;
};

struct te_packer *te_packer_create(struct te_codec_choice choice)
{
	struct te_packer *packer = te_alloc(sizeof(*packer));

	if (!packer)
		return NULL;
	packer->codec = te_codec_find(choice.id);
	if (!packer->codec->encode)
		return packer;
	packer->encoder = packer->codec->encoder_create(choice.level);
	packer->spare = new_memory();
	if (packer->encoder && packer->spare)
		return packer;
	te_packer_destroy(packer);
	return NULL;
}

void te_packer_destroy(struct te_packer *packer)
{
	if (!packer)
		return;
	if (packer->encoder)
		packer->codec->encoder_destroy(packer->encoder);
	free(packer->spare);
	te_free(packer);
}

/* How many bytes of the frame's memory are the payload now; 0: it did not shrink. */
static size_t encode(struct te_packer *packer, struct te_ops_frame *frame, const u8 *raw,
		     size_t raw_bytes)
{
	u8 *memory = packer->spare;
	size_t stored_bytes = packer->codec->encode(packer->encoder, raw, raw_bytes,
						    memory + PAGE_BYTES, raw_bytes - 1);

	if (!stored_bytes)
		return 0;
	packer->spare = frame->memory;
	lay_out(frame, memory);
	frame->payload = memory + PAGE_BYTES;
	return stored_bytes;
}

void te_packer_pack(struct te_packer *packer, struct te_ops_frame *frame)
{
	size_t table_bytes = frame->nr_ops * sizeof(struct te_op);
	size_t raw_bytes = table_bytes + frame->data_bytes, stored_bytes = 0;
	u8 *raw = frame->data - table_bytes;
	enum te_codec_id codec = packer->codec->id;

	memmove(raw, frame->ops, table_bytes);
	frame->payload = raw;
	if (packer->encoder)
		stored_bytes = encode(packer, frame, raw, raw_bytes);
	if (!stored_bytes) {
		stored_bytes = raw_bytes;
		codec = TE_CODEC_NONE;
	}
	frame->header = (struct te_frame_header){
		.kind = cpu_to_le16(TE_FRAME_OPS),
		.codec = (u8)codec,
		.table_bytes = cpu_to_le32((u32)table_bytes),
		.raw_bytes = cpu_to_le32((u32)raw_bytes),
		.stored_bytes = cpu_to_le32((u32)stored_bytes),
		.payload_csum = cpu_to_le32(te_frame_csum(frame->payload, stored_bytes)),
	};
}
