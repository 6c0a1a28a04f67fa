// SPDX-License-Identifier: GPL-2.0-or-later
/* A stream out of an input, mended. */
#include "mended.h"

#include "stream/frame.h"
#include "model.h"
#include "streams.h"
#include "target.h"

#define SECTOR_BYTES	512u
#define HEADER_BYTES	sizeof(struct te_frame_header)
#define MOST_FRAMES	512u
#define MOST_DATA	(192u << 10)	/* of a frame */
#define MOST_BLOCKS	8u		/* of an op that provisions */
#define MAX_SECTORS	(1ULL << 54)

struct sums {
	u64 nr_ops, data_sectors, zero_sectors;
};

struct mending {
	u8 choices;
	u8 *out;
	size_t used;
	size_t frames[MOST_FRAMES];	/* where each starts in `out` */
	size_t nr_frames;
	size_t volumes[MODEL_MOST_VOLUMES];	/* payloads, in `out` */
	u32 nr_volumes;			/* that have begun */
	size_t begin;			/* BEGIN's payload; 0: none yet */
	size_t catalog;			/* where the catalog's frame belongs; 0: nowhere */
	u64 block_sectors;
	bool open;			/* a volume has begun and not ended */
	bool has_parent;
	u64 position;			/* in the volume */
	u32 newest;
	struct sums section, total;
	struct model model;
};

static loose_header *header_at(struct mending *mending, size_t frame)
{
	return (loose_header *)(mending->out + mending->frames[frame]);
}

/* The frame that is being written: its payload so far. */
static u8 *payload(struct mending *mending)
{
	return mending->out + mending->frames[mending->nr_frames - 1] + HEADER_BYTES;
}

static size_t payload_bytes(const struct mending *mending)
{
	return mending->used - mending->frames[mending->nr_frames - 1] - HEADER_BYTES;
}

static bool has_room(const struct mending *mending, size_t bytes)
{
	return bytes <= MENDED_MOST_BYTES - mending->used;
}

/* Cuts the payload, or adds zeros. */
static void resize(struct mending *mending, size_t bytes)
{
	size_t has = payload_bytes(mending);

	if (bytes > has)
		memset(mending->out + mending->used, 0, bytes - has);
	mending->used += bytes - has;
}

static bool mends(const struct mending *mending, u8 choice)
{
	return !(mending->choices & choice);
}

static void mend_begin_fields(loose_begin *begin)
{
	u32 block = le32_to_cpu(begin->data_block_sectors);

	begin->magic = cpu_to_le64(TE_STREAM_MAGIC);
	begin->version = cpu_to_le32(TE_STREAM_VERSION);
	begin->incompat = cpu_to_le32(0);
	begin->data_block_sectors = cpu_to_le32(128 * (1 + (block / 128 + 15) % 16));
	begin->nr_data_blocks = cpu_to_le64(le64_to_cpu(begin->nr_data_blocks) % 100000);
	memset(begin->zero, 0, sizeof(begin->zero));
}

static void mend_begin(struct mending *mending)
{
	loose_begin *begin = (void *)payload(mending);

	resize(mending, sizeof(*begin));
	if (mends(mending, MENDED_NO_FIELDS))
		mend_begin_fields(begin);
	mending->begin = (size_t)(payload(mending) - mending->out);
	mending->block_sectors = le32_to_cpu(begin->data_block_sectors);
	if (!mending->block_sectors)
		mending->block_sectors = 1;
}

static bool has_id(const struct mending *mending, u32 dev_id)
{
	u32 i;

	for (i = 0; i < mending->nr_volumes; i++) {
		const loose_volume *volume = (loose_volume *)(mending->out + mending->volumes[i]);

		if (le32_to_cpu(volume->dev_id) == dev_id)
			return true;
	}
	return false;
}

static void mend_volume_fields(const struct mending *mending, loose_volume *volume)
{
	u32 dev_id = le32_to_cpu(volume->dev_id) & THIN_DEV_ID_MAX;

	while (has_id(mending, dev_id))
		dev_id = (dev_id + 1) & THIN_DEV_ID_MAX;
	volume->dev_id = cpu_to_le32(dev_id);
	volume->flags = cpu_to_le32(le32_to_cpu(volume->flags) & TE_VOLUME_SIZE_KNOWN);
	volume->parent_kind =
		cpu_to_le32(mending->nr_volumes ? le32_to_cpu(volume->parent_kind) % 2 : 0);
	if (!le32_to_cpu(volume->parent_kind))
		volume->parent_index = cpu_to_le32(0);
	volume->virtual_sectors = cpu_to_le64(le64_to_cpu(volume->virtual_sectors) % MAX_SECTORS);
	volume->creation_time = cpu_to_le32(le32_to_cpu(volume->creation_time) & 0xffff);
	memset(volume->base_stream_id, 0, sizeof(volume->base_stream_id));
	volume->base_dev_id = cpu_to_le32(0);
	memset(volume->zero, 0, sizeof(volume->zero));
}

static void mend_volume(struct mending *mending)
{
	loose_volume *volume = (void *)payload(mending);
	u32 index = mending->nr_volumes, time;

	resize(mending, sizeof(*volume));
	if (mends(mending, MENDED_NO_FIELDS))
		mend_volume_fields(mending, volume);
	mending->open = true;
	mending->section = (struct sums) { .nr_ops = 0 };
	mending->position = 0;
	mending->has_parent = le32_to_cpu(volume->parent_kind) != TE_PARENT_NONE;
	if (index == MODEL_MOST_VOLUMES)
		return;
	mending->volumes[index] = (size_t)(payload(mending) - mending->out);
	mending->nr_volumes++;
	if (!mends(mending, MENDED_NO_TOTALS))
		return;
	volume->index = cpu_to_le32(index);
	if (!index || le32_to_cpu(volume->parent_kind) != TE_PARENT_VOLUME)
		volume->parent_index = cpu_to_le32(0);
	else if (le32_to_cpu(volume->parent_index) >= index)
		volume->parent_index = cpu_to_le32(le32_to_cpu(volume->parent_index) % index);
	time = le32_to_cpu(volume->creation_time);
	if (time > mending->newest)
		mending->newest = time;
	model_volume(&mending->model, le32_to_cpu(volume->dev_id),
		     le32_to_cpu(volume->parent_kind) == TE_PARENT_VOLUME && index ?
			     (long)le32_to_cpu(volume->parent_index) : -1);
}

static void mend_kind(const struct mending *mending, loose_op *op)
{
	unsigned int kind = le16_to_cpu(op->kind);
	u32 earlier = mending->nr_volumes ? mending->nr_volumes - 1 : 0;

	if (kind < TE_OP_DATA || kind > TE_OP_UNMAP)
		kind = TE_OP_DATA + kind % TE_OP_UNMAP;
	if ((kind == TE_OP_SHARE && !earlier) || (kind == TE_OP_UNMAP && !mending->has_parent))
		kind = TE_OP_ZERO;
	op->kind = cpu_to_le16((u16)kind);
	op->flags = cpu_to_le16(kind <= TE_OP_ZERO ? le16_to_cpu(op->flags) & TE_OP_SHARED : 0);
	op->source = cpu_to_le32(kind == TE_OP_SHARE ? le32_to_cpu(op->source) % earlier : 0);
}

static void mend_place(struct mending *mending, loose_op *op)
{
	u64 block = mends(mending, MENDED_CUT_BLOCKS) ? mending->block_sectors : 1;
	u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);

	offset -= offset % block;
	if (offset < mending->position || offset >= MAX_SECTORS)
		offset = mending->position;
	if (!length || length > MAX_SECTORS)
		length = block;
	length = DIV_ROUND_UP(length, block) * block;
	/* The target is small: let not everything be more than it holds. */
	if (mends(mending, MENDED_NO_FIELDS) && le16_to_cpu(op->kind) <= TE_OP_ZERO &&
	    (length > MOST_BLOCKS * block))
		length = (1 + length / block % MOST_BLOCKS) * block;
	op->offset = cpu_to_le64(offset);
	op->length = cpu_to_le64(length);
	mending->position = offset + length;
}

static void count(struct mending *mending, const struct te_op *op)
{
	u64 length = le64_to_cpu(op->length);

	mending->position = le64_to_cpu(op->offset) + length;
	mending->section.nr_ops++;
	mending->total.nr_ops++;
	if (le16_to_cpu(op->kind) == TE_OP_DATA) {
		mending->section.data_sectors += length;
		mending->total.data_sectors += length;
	} else if (le16_to_cpu(op->kind) == TE_OP_ZERO) {
		mending->section.zero_sectors += length;
		mending->total.zero_sectors += length;
	}
	if (le16_to_cpu(op->kind) != TE_OP_SHARE ||
	    le32_to_cpu(op->source) + 1 < mending->model.nr_volumes)
		model_op(&mending->model, op, NULL);
}

static void count_all(struct mending *mending, const u8 *table, size_t nr_ops)
{
	struct te_op op;
	size_t i;

	for (i = 0; i < nr_ops; i++) {
		memcpy(&op, table + i * sizeof(op), sizeof(op));
		count(mending, &op);
	}
}

/* As much data as the DATAs need, of what there is, again and again. */
static void mend_data(struct mending *mending, size_t table_bytes, size_t wanted)
{
	size_t has = payload_bytes(mending) - table_bytes;
	u8 *data = payload(mending) + table_bytes;
	size_t i;

	resize(mending, table_bytes + wanted);
	for (i = has; i < wanted; i++)
		data[i] = has ? data[i % has] : (u8)(i / SECTOR_BYTES);
}

/* The table's size. */
static size_t mend_ops(struct mending *mending, size_t table_bytes)
{
	size_t nr_ops, wanted = 0, i;
	loose_op *ops;

	if (table_bytes > payload_bytes(mending))
		table_bytes = payload_bytes(mending);
	nr_ops = table_bytes / sizeof(*ops);
	if (!nr_ops) {
		nr_ops = 1;
		resize(mending, sizeof(*ops));
	}
	if (nr_ops > TE_FRAME_MAX_OPS)
		nr_ops = TE_FRAME_MAX_OPS;
	ops = (void *)payload(mending);
	for (i = 0; mends(mending, MENDED_NO_OPS) && i < nr_ops; i++) {
		u64 length;

		mend_kind(mending, &ops[i]);
		mend_place(mending, &ops[i]);
		length = le64_to_cpu(ops[i].length);
		if (le16_to_cpu(ops[i].kind) != TE_OP_DATA)
			continue;
		if (length <= (MOST_DATA - wanted) / SECTOR_BYTES &&
		    has_room(mending, wanted + length * SECTOR_BYTES))
			wanted += length * SECTOR_BYTES;
		else
			ops[i].kind = cpu_to_le16(TE_OP_ZERO);
	}
	if (mends(mending, MENDED_NO_OPS))
		mend_data(mending, nr_ops * sizeof(*ops), wanted);
	count_all(mending, payload(mending), nr_ops);
	return nr_ops * sizeof(*ops);
}

/* Of an encoded OPS the ops are counted.  False when it does not decode, or cannot come here. */
static bool count_encoded(struct mending *mending, const loose_header *header)
{
	const struct te_codec *codec = te_codec_find(header->codec);
	size_t raw_bytes = le32_to_cpu(header->raw_bytes);
	size_t table_bytes = le32_to_cpu(header->table_bytes);
	void *decoder;
	bool good;
	u8 *raw;

	if (!codec || raw_bytes > TE_FRAME_MAX_RAW || table_bytes > raw_bytes)
		return false;
	raw = malloc(raw_bytes + 1);
	decoder = codec->decoder_create();
	keeps(raw && decoder);
	good = codec->decode(decoder, payload(mending), payload_bytes(mending), raw, raw_bytes) &&
	       (!table_bytes || le64_to_cpu(((struct te_op *)raw)->offset) >= mending->position);
	if (good)
		count_all(mending, raw, table_bytes / sizeof(struct te_op));
	codec->decoder_destroy(decoder);
	free(raw);
	return good;
}

static void mend_volume_end(struct mending *mending)
{
	loose_volume_end *end = (void *)payload(mending);
	u64 provisioned;
	loose_volume *volume;

	resize(mending, sizeof(*end));
	mending->open = false;
	if (mends(mending, MENDED_NO_FIELDS))
		end->reserved = cpu_to_le32(0);
	if (!mends(mending, MENDED_NO_TOTALS) || !mending->nr_volumes)
		return;
	end->index = cpu_to_le32(mending->nr_volumes - 1);
	end->nr_ops = cpu_to_le64(mending->section.nr_ops);
	end->data_sectors = cpu_to_le64(mending->section.data_sectors);
	end->zero_sectors = cpu_to_le64(mending->section.zero_sectors);
	provisioned = model_volume_end(&mending->model);
	volume = (loose_volume *)(mending->out + mending->volumes[mending->nr_volumes - 1]);
	if (!mending->model.too_much)
		volume->provisioned_sectors = cpu_to_le64(provisioned);
}

static void mend_end(struct mending *mending)
{
	loose_end *end = (void *)payload(mending);

	resize(mending, sizeof(*end));
	if (mends(mending, MENDED_NO_FIELDS))
		end->reserved = cpu_to_le32(0);
	if (!mends(mending, MENDED_NO_TOTALS))
		return;
	end->nr_volumes = cpu_to_le32(mending->nr_volumes);
	end->nr_ops = cpu_to_le64(mending->total.nr_ops);
	end->data_sectors = cpu_to_le64(mending->total.data_sectors);
	end->zero_sectors = cpu_to_le64(mending->total.zero_sectors);
}

static void mend_payload(struct mending *mending, loose_header *header)
{
	unsigned int kind = le16_to_cpu(header->kind);
	bool known = te_frame_kind_name(kind);
	size_t table_bytes = le32_to_cpu(header->table_bytes);

	if (kind == TE_FRAME_OPS && header->codec != TE_CODEC_NONE &&
	    !count_encoded(mending, header) && mends(mending, MENDED_NO_FIELDS))
		header->codec = TE_CODEC_NONE;
	if (known && header->codec != TE_CODEC_NONE) {
		header->stored_bytes = cpu_to_le32((u32)payload_bytes(mending));
		return;
	}
	switch (kind) {
	case TE_FRAME_BEGIN: mend_begin(mending); break;
	case TE_FRAME_VOLUME: mend_volume(mending); break;
	case TE_FRAME_OPS: table_bytes = mend_ops(mending, table_bytes); break;
	case TE_FRAME_VOLUME_END: mend_volume_end(mending); break;
	case TE_FRAME_END: mend_end(mending); break;
	}
	header->stored_bytes = cpu_to_le32((u32)payload_bytes(mending));
	if (!known && header->codec != TE_CODEC_NONE)
		return;
	header->raw_bytes = header->stored_bytes;
	if (kind != TE_FRAME_OPS)
		table_bytes = payload_bytes(mending);
	header->table_bytes = cpu_to_le32((u32)table_bytes);
}

static size_t frame_length(const u8 *input, size_t bytes)
{
	static const u8 magic[] = "TEFR";
	const u8 *next = bytes > 4 ? memmem(input + 4, bytes - 4, magic, 4) : NULL;

	return next ? (size_t)(next - input) : bytes;
}

static void mend_header(loose_header *header)
{
	unsigned int kind = le16_to_cpu(header->kind);

	header->flags = cpu_to_le16(te_frame_kind_name(kind) ? 0 : TE_FRAME_OPTIONAL);
	memset(header->reserved, 0, sizeof(header->reserved));
	header->reserved2 = cpu_to_le64(0);
	/* Only OPS stay encoded: the others are mended as they are. */
	if (te_frame_kind_name(kind) && kind != TE_FRAME_OPS)
		header->codec = TE_CODEC_NONE;
}

static void put_frame(struct mending *mending, const void *input, size_t bytes)
{
	size_t room = bytes < HEADER_BYTES ? HEADER_BYTES : bytes;
	loose_header *header;

	/* What a payload may be made longer by: a struct at most; data asks by itself. */
	if (mending->nr_frames == MOST_FRAMES || !has_room(mending, room + sizeof(struct te_begin)))
		return;
	mending->frames[mending->nr_frames++] = mending->used;
	header = header_at(mending, mending->nr_frames - 1);
	memset(header, 0, sizeof(*header));
	memcpy(header, input, bytes);
	mending->used += room;
	if (mends(mending, MENDED_NO_FIELDS))
		mend_header(header);
	if (mends(mending, MENDED_NO_SIZES))
		mend_payload(mending, header);
}

static void put_kind(struct mending *mending, enum te_frame_kind kind)
{
	const struct te_frame_header header = { .kind = cpu_to_le16((u16)kind) };

	put_frame(mending, &header, sizeof(header));
}

/* True when such a frame can come here, after what is put in before it. */
static bool make_way(struct mending *mending, unsigned int kind)
{
	if (!mending->begin && kind != TE_FRAME_BEGIN)
		put_kind(mending, TE_FRAME_BEGIN);
	switch (kind) {
	case TE_FRAME_BEGIN:
		return !mending->begin;
	case TE_FRAME_VOLUME:
		if (mending->open)
			put_kind(mending, TE_FRAME_VOLUME_END);
		return mending->nr_volumes < MODEL_MOST_VOLUMES;
	case TE_FRAME_OPS:
		if (!mending->open)
			put_kind(mending, TE_FRAME_VOLUME);
		return true;
	case TE_FRAME_VOLUME_END:
		return mending->open;
	case TE_FRAME_END:
		return false;
	default:
		return true;
	}
}

static void take_frame(struct mending *mending, const u8 *input, size_t bytes)
{
	loose_header header = { .kind = cpu_to_le16(0) };
	unsigned int kind;

	memcpy(&header, input, bytes < sizeof(header) ? bytes : sizeof(header));
	kind = le16_to_cpu(header.kind);
	if (mends(mending, MENDED_NO_ORDER) && !make_way(mending, kind))
		return;
	if (kind == TE_FRAME_CATALOG && mends(mending, MENDED_NO_TOTALS)) {
		mending->catalog = mending->nr_frames;
		return;
	}
	put_frame(mending, input, bytes);
}

static void mend_ending(struct mending *mending)
{
	if (!mending->begin)
		put_kind(mending, TE_FRAME_BEGIN);
	if (mending->open)
		put_kind(mending, TE_FRAME_VOLUME_END);
	put_kind(mending, TE_FRAME_END);
	mending->catalog = 1;
}

static void mend_beginning(struct mending *mending)
{
	loose_begin *begin = (loose_begin *)(mending->out + mending->begin);

	if (!mending->begin)
		return;
	begin->nr_volumes = cpu_to_le32(mending->nr_volumes);
	begin->provisioned_sectors = cpu_to_le64(mending->total.data_sectors +
						 mending->total.zero_sectors);
	begin->max_creation_time = cpu_to_le32(mending->newest);
}

static char *catalog_text(struct mending *mending)
{
	const loose_begin *begin = (loose_begin *)(mending->out + mending->begin);
	struct te_catalog *catalog = te_catalog_create(mending->nr_volumes);
	char *text;
	u32 i;

	keeps(catalog != NULL);
	catalog->block_sectors = le32_to_cpu(begin->data_block_sectors);
	catalog->nr_data_blocks = le64_to_cpu(begin->nr_data_blocks);
	catalog->transaction_id = le64_to_cpu(begin->transaction_id);
	catalog->plan = strdup("0123456789abcdef");	/* so that a place may be kept */
	for (i = 0; i < mending->nr_volumes; i++) {
		const loose_volume *volume = (loose_volume *)(mending->out + mending->volumes[i]);
		bool known = le32_to_cpu(volume->flags) & TE_VOLUME_SIZE_KNOWN;

		catalog->volumes[i] = (struct te_catalog_volume) {
			.dev_id = le32_to_cpu(volume->dev_id),
			.sectors = le64_to_cpu(volume->virtual_sectors),
			.size_from = known ? TE_SIZE_FROM_TABLE : TE_SIZE_FROM_MAPPINGS,
			.mapped_blocks = le64_to_cpu(volume->provisioned_sectors) /
					 mending->block_sectors,
		};
	}
	text = te_catalog_write(catalog);
	te_catalog_destroy(catalog);
	keeps(text != NULL);
	return text;
}

/* The catalog's frame goes where the input had one. */
static void put_catalog(struct mending *mending)
{
	struct te_frame_header header = { .kind = cpu_to_le16(TE_FRAME_CATALOG) };
	size_t at = mending->catalog < mending->nr_frames ? mending->frames[mending->catalog] :
							    mending->used;
	char *text = catalog_text(mending);
	size_t bytes = strlen(text), more = HEADER_BYTES + bytes, i;

	if (mending->nr_frames < MOST_FRAMES && has_room(mending, more)) {
		memmove(mending->out + at + more, mending->out + at, mending->used - at);
		mending->used += more;
		for (i = mending->nr_frames++; i > mending->catalog; i--)
			mending->frames[i] = mending->frames[i - 1] + more;
		mending->frames[mending->catalog] = at;
		header.magic = cpu_to_le32(TE_FRAME_MAGIC);
		header.table_bytes = header.raw_bytes = header.stored_bytes =
			cpu_to_le32((u32)bytes);
		memcpy(mending->out + at, &header, sizeof(header));
		memcpy(mending->out + at + sizeof(header), text, bytes);
	}
	free(text);
}

static void seal(struct mending *mending)
{
	u64 digest = 0;
	size_t i;

	for (i = 0; i < mending->nr_frames; i++) {
		size_t start = mending->frames[i] + HEADER_BYTES;
		size_t end = i + 1 < mending->nr_frames ? mending->frames[i + 1] : mending->used;
		struct te_frame_header header;
		size_t stored;

		memcpy(&header, header_at(mending, i), sizeof(header));
		stored = le32_to_cpu(header.stored_bytes);
		if (stored > end - start)
			stored = end - start;
		if (le16_to_cpu(header.kind) == TE_FRAME_END && stored >= sizeof(struct te_end))
			((loose_end *)(mending->out + start))->digest = cpu_to_le64(digest);
		header.sequence = cpu_to_le64(i);
		header.payload_csum = cpu_to_le32(te_frame_csum(mending->out + start, stored));
		te_frame_seal(&header);
		memcpy(header_at(mending, i), &header, sizeof(header));
		digest = te_frame_digest(digest, &header);
	}
}

size_t mended_stream(const u8 *input, size_t bytes, u8 choices, u8 *out)
{
	static struct mending mending;

	if (bytes > MENDED_MOST_BYTES)
		bytes = MENDED_MOST_BYTES;
	if (choices & MENDED_RAW) {
		memcpy(out, input, bytes);
		return bytes;
	}
	memset(&mending, 0, offsetof(struct mending, model));
	mending.model.nr_volumes = mending.model.nr_runs = 0;
	mending.model.placed = 0;
	mending.model.too_much = false;
	mending.choices = choices;
	mending.out = out;
	mending.block_sectors = 1;
	while (bytes) {
		size_t length = frame_length(input, bytes);

		take_frame(&mending, input, length);
		input += length;
		bytes -= length;
	}
	if (!(choices & (MENDED_NO_ORDER | MENDED_NO_SIZES)))
		mend_ending(&mending);
	if (!(choices & (MENDED_NO_TOTALS | MENDED_NO_SIZES))) {
		mend_beginning(&mending);
		if (mending.begin && mending.catalog)
			put_catalog(&mending);
	}
	seal(&mending);
	return mending.used;
}
