// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * large-frames CODEC FRAMES: a stream, on standard output, of one volume whose frames
 * are as large as frames may be.  Send does not make such.
 */
#include <stdio.h>

#include "stream/codec.h"
#include "stream/frame.h"

#define BLOCK_SECTORS	128u
#define FRAME_SECTORS	((TE_FRAME_MAX_RAW - 512) / (BLOCK_SECTORS * 512) * BLOCK_SECTORS)
#define DATA_BYTES	(FRAME_SECTORS * 512)

/* An op, and behind it its data. */
static struct {
	struct te_op op;
	u8 data[DATA_BYTES];
} raw;

static u8 stored[sizeof(raw)];
static u64 sequence, digest;

/* p: the payload as it travels. */
static void put(enum te_frame_kind kind, enum te_codec_id codec, size_t table_bytes, size_t raw_bytes,
		const void *p, size_t bytes)
{
	struct te_frame_header header = {
		.sequence = cpu_to_le64(sequence++),
		.kind = cpu_to_le16(kind),
		.codec = (u8)codec,
		.table_bytes = cpu_to_le32((u32)table_bytes),
		.raw_bytes = cpu_to_le32((u32)raw_bytes),
		.stored_bytes = cpu_to_le32((u32)bytes),
		.payload_csum = cpu_to_le32(te_frame_csum(p, bytes)),
	};

	te_frame_seal(&header);
	digest = te_frame_digest(digest, &header);
	if (fwrite(&header, sizeof(header), 1, stdout) != 1 || fwrite(p, bytes, 1, stdout) != 1)
		exit(1);
}

static void put_table(enum te_frame_kind kind, const void *p, size_t bytes)
{
	put(kind, TE_CODEC_NONE, bytes, bytes, p, bytes);
}

/* Seven eighths noise, so that what is stored is large too. */
static void put_data(const struct te_codec *codec, void *encoder, u64 frame)
{
	u64 x = frame + 1, *words = (u64 *)raw.data;
	size_t i, bytes = 0;

	raw.op = (struct te_op){
		.offset = cpu_to_le64(frame * FRAME_SECTORS),
		.length = cpu_to_le64(FRAME_SECTORS),
		.kind = cpu_to_le16(TE_OP_DATA),
	};
	for (i = 0; i < DATA_BYTES / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = i / 512 % 8 ? x : frame;
	}
	if (encoder)
		bytes = codec->encode(encoder, &raw, sizeof(raw), stored, sizeof(raw) - 1);
	put(TE_FRAME_OPS, bytes ? codec->id : TE_CODEC_NONE, sizeof(raw.op), sizeof(raw),
	    bytes ? stored : (u8 *)&raw, bytes ? bytes : sizeof(raw));
}

int main(int argc, char **argv)
{
	struct te_codec_choice choice;
	u64 frames = argc == 3 ? strtoull(argv[2], NULL, 10) : 0, sectors = frames * FRAME_SECTORS, i;
	struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(BLOCK_SECTORS),
		.nr_data_blocks = cpu_to_le64(sectors / BLOCK_SECTORS),
		.provisioned_sectors = cpu_to_le64(sectors),
		.nr_volumes = cpu_to_le32(1),
	};
	struct te_volume_begin volume = {
		.virtual_sectors = cpu_to_le64(sectors),
		.provisioned_sectors = cpu_to_le64(sectors),
	};
	struct te_volume_end volume_end = {
		.nr_ops = cpu_to_le64(frames),
		.data_sectors = cpu_to_le64(sectors),
	};
	struct te_end end = {
		.nr_volumes = cpu_to_le32(1),
		.nr_ops = cpu_to_le64(frames),
		.data_sectors = cpu_to_le64(sectors),
	};
	const struct te_codec *codec;
	char catalog[300];
	void *encoder;

	if (!frames || te_codec_parse(argv[1], &choice)) {
		fprintf(stderr, "Usage: large-frames CODEC FRAMES\n");
		return 2;
	}
	codec = te_codec_find(choice.id);
	encoder = codec->encode ? codec->encoder_create(choice.level) : NULL;
	put_table(TE_FRAME_BEGIN, &begin, sizeof(begin));
	snprintf(catalog, sizeof(catalog),
		 "{\"pool\":{\"block_sectors\":%u,\"data_blocks\":%llu,\"transaction_id\":0},"
		 "\"volumes\":[{\"id\":0,\"sectors\":%llu,\"size_from\":\"mappings\","
		 "\"mapped_blocks\":%llu}]}", BLOCK_SECTORS,
		 (unsigned long long)sectors / BLOCK_SECTORS, (unsigned long long)sectors,
		 (unsigned long long)sectors / BLOCK_SECTORS);
	put_table(TE_FRAME_CATALOG, catalog, strlen(catalog));
	put_table(TE_FRAME_VOLUME, &volume, sizeof(volume));
	for (i = 0; i < frames; i++)
		put_data(codec, encoder, i);
	put_table(TE_FRAME_VOLUME_END, &volume_end, sizeof(volume_end));
	end.digest = cpu_to_le64(digest);
	put_table(TE_FRAME_END, &end, sizeof(end));
	return fflush(stdout) ? 1 : 0;
}
