// SPDX-License-Identifier: GPL-2.0-or-later
/* The zlib codec: each frame is one zlib stream (RFC 1950). */
#include <zlib.h>

#include "codec.h"

static void *encoder_create(int level)
{
	z_stream *z = te_alloc(sizeof(*z));

	if (z && deflateInit(z, level) != Z_OK) {
		te_free(z);
		z = NULL;
	}
	return z;
}

static void encoder_destroy(void *encoder)
{
	if (encoder)
		deflateEnd(encoder);
	te_free(encoder);
}

static size_t encode(void *encoder, const void *raw, size_t raw_bytes, void *out, size_t room)
{
	z_stream *z = encoder;

	if (deflateReset(z) != Z_OK)
		return 0;
	z->next_in = (Bytef *)raw;
	z->avail_in = (uInt)raw_bytes;
	z->next_out = out;
	z->avail_out = (uInt)room;
	/* One call: anything but the end of the stream means the room was too small. */
	if (deflate(z, Z_FINISH) != Z_STREAM_END)
		return 0;
	return room - z->avail_out;
}

static void *decoder_create(void)
{
	z_stream *z = te_alloc(sizeof(*z));

	if (z && inflateInit(z) != Z_OK) {
		te_free(z);
		z = NULL;
	}
	return z;
}

static void decoder_destroy(void *decoder)
{
	if (decoder)
		inflateEnd(decoder);
	te_free(decoder);
}

static bool decode(void *decoder, const void *stored, size_t stored_bytes, void *raw,
		   size_t raw_bytes)
{
	z_stream *z = decoder;

	if (inflateReset(z) != Z_OK)
		return false;
	z->next_in = (Bytef *)stored;
	z->avail_in = (uInt)stored_bytes;
	z->next_out = raw;
	z->avail_out = (uInt)raw_bytes;
	return inflate(z, Z_FINISH) == Z_STREAM_END && !z->avail_in && !z->avail_out;
}

const struct te_codec te_codec_zlib = {
	.id = TE_CODEC_ZLIB,
	.name = "zlib",
	.level_min = 1,
	.level_max = 9,
	.level_default = 1,
	.encoder_create = encoder_create,
	.encoder_destroy = encoder_destroy,
	.encode = encode,
	.decoder_create = decoder_create,
	.decoder_destroy = decoder_destroy,
	.decode = decode,
};
