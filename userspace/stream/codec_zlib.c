// SPDX-License-Identifier: GPL-2.0-or-later
/* The zlib codec: each frame is one zlib stream (RFC 1950).  libdeflate has a frame in memory at once. */
#include <libdeflate.h>

#include "stream/codec.h"

static void *encoder_create(int level)
{
	return libdeflate_alloc_compressor(level);
}

static void encoder_destroy(void *encoder)
{
	libdeflate_free_compressor(encoder);
}

static size_t encode(void *encoder, const void *raw, size_t raw_bytes, void *out, size_t room)
{
	return libdeflate_zlib_compress(encoder, raw, raw_bytes, out, room);
}

static void *decoder_create(void)
{
	return libdeflate_alloc_decompressor();
}

static void decoder_destroy(void *decoder)
{
	libdeflate_free_decompressor(decoder);
}

static bool decode(void *decoder, const void *stored, size_t stored_bytes, void *raw,
		   size_t raw_bytes)
{
	size_t used;

	/* Without a place for how many bytes came out, fewer are an error, as more are. */
	return libdeflate_zlib_decompress_ex(decoder, stored, stored_bytes, raw, raw_bytes, &used,
					     NULL) == LIBDEFLATE_SUCCESS &&
	       used == stored_bytes;
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
