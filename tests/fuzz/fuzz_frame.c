// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing one frame: its header, its codec, and packing.
 *
 * The input is a byte of choices, a header and a stored payload.  The header's
 * checksum is put right, so that kind, flags, codec and the three sizes decide.  A
 * header that passes keeps the bounds of stream.h, whatever it declares; then the
 * payload is decoded into memory of just the size that the header says, and no
 * byte beyond may be touched.  And the other way: the payload taken for the table
 * and data of an OPS frame is packed by each codec, which must give a header
 * that passes and a payload that decodes to the same.
 */
#include "stream/frame.h"
#include "stream/ops_frame.h"
#include "target.h"

#define CHOICE_RAW	(1u << 0)	/* header as it is */
#define CHOICE_NUMBER	(1u << 1)	/* but for the number */
#define CHOICE_PACK	(1u << 2)	/* the payload is also packed */

#define SEQUENCE	3

static void keeps_bounds(const struct te_frame_header *header)
{
	u32 table = le32_to_cpu(header->table_bytes), raw = le32_to_cpu(header->raw_bytes);
	u32 stored = le32_to_cpu(header->stored_bytes);
	bool known = te_frame_kind_name(le16_to_cpu(header->kind));

	keeps(raw <= TE_FRAME_MAX_RAW && stored <= TE_FRAME_MAX_RAW && table <= raw);
	keeps(le64_to_cpu(header->sequence) == SEQUENCE);
	keeps(known != (le16_to_cpu(header->flags) == TE_FRAME_OPTIONAL));
	keeps(!known || te_codec_find(header->codec));
	if (le16_to_cpu(header->kind) == TE_FRAME_OPS)
		keeps(table && table % sizeof(struct te_op) == 0 &&
		      table / sizeof(struct te_op) <= TE_FRAME_MAX_OPS);
}

/* True when `stored` gave just raw_bytes; they are then in `raw`. */
static bool decode(unsigned int id, const u8 *stored, size_t stored_bytes, u8 *raw,
		   size_t raw_bytes)
{
	const struct te_codec *codec = te_codec_find(id);
	void *decoder;
	bool good;

	if (!codec->decode) {
		memcpy(raw, stored, raw_bytes < stored_bytes ? raw_bytes : stored_bytes);
		return raw_bytes == stored_bytes;
	}
	decoder = codec->decoder_create();
	keeps(decoder != NULL);
	good = codec->decode(decoder, stored, stored_bytes, raw, raw_bytes);
	codec->decoder_destroy(decoder);
	return good;
}

static void unpack(const struct te_frame_header *header, const u8 *payload, size_t bytes)
{
	size_t raw_bytes = le32_to_cpu(header->raw_bytes);
	size_t stored_bytes = le32_to_cpu(header->stored_bytes);
	u8 *raw, *stored;

	if (!te_frame_kind_name(le16_to_cpu(header->kind)))
		return;
	raw = malloc(raw_bytes);
	/* What the input is too short for is zero. */
	stored = calloc(1, stored_bytes ? stored_bytes : 1);
	keeps(raw && stored);
	memcpy(stored, payload, bytes < stored_bytes ? bytes : stored_bytes);
	decode(header->codec, stored, stored_bytes, raw, raw_bytes);
	free(stored);
	free(raw);
}

static void pack(enum te_codec_id id, const u8 *payload, size_t bytes)
{
	const struct te_codec_choice choice = { id, te_codec_find(id)->level_default };
	struct te_packer *packer = te_packer_create(choice);
	struct te_ops_frame frame;
	size_t raw_bytes;
	char why[200];
	u8 *raw;

	keeps(packer && !te_ops_frame_init(&frame));
	frame.nr_ops = bytes / sizeof(struct te_op);
	if (frame.nr_ops)
		frame.nr_ops = 1 + payload[0] % frame.nr_ops;
	frame.data_bytes = bytes - frame.nr_ops * sizeof(struct te_op);
	if (frame.nr_ops && frame.data_bytes <= TE_OPS_FRAME_DATA) {
		memcpy(frame.ops, payload, bytes - frame.data_bytes);
		memcpy(frame.data, payload + bytes - frame.data_bytes, frame.data_bytes);
		te_packer_pack(packer, &frame);
		te_frame_seal(&frame.header);
		keeps(!te_frame_check(&frame.header, 0, why, sizeof(why)));
		raw_bytes = le32_to_cpu(frame.header.raw_bytes);
		raw = malloc(raw_bytes);
		keeps(raw && raw_bytes == bytes);
		keeps(decode(frame.header.codec, frame.payload,
			     le32_to_cpu(frame.header.stored_bytes), raw, raw_bytes));
		keeps(!memcmp(raw, payload, bytes));
		free(raw);
	}
	te_ops_frame_exit(&frame);
	te_packer_destroy(packer);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	struct te_frame_header header;
	char why[200] = "";
	u8 choices;

	if (bytes < 1 + sizeof(header))
		return 0;
	choices = *input++;
	memcpy(&header, input, sizeof(header));
	input += sizeof(header);
	bytes -= 1 + sizeof(header);
	if (!(choices & (CHOICE_RAW | CHOICE_NUMBER)))
		header.sequence = cpu_to_le64(SEQUENCE);
	if (!(choices & CHOICE_RAW))
		te_frame_seal(&header);
	if (te_frame_check(&header, SEQUENCE, why, sizeof(why))) {
		keeps(why[0]);
	} else {
		keeps_bounds(&header);
		unpack(&header, input, bytes);
	}
	if (choices & CHOICE_PACK) {
		pack(TE_CODEC_NONE, input, bytes);
		pack(TE_CODEC_ZLIB, input, bytes);
		pack(TE_CODEC_ZSTD, input, bytes);
	}
	return 0;
}
