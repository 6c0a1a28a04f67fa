// SPDX-License-Identifier: GPL-2.0-or-later
/* The zstd codec: each frame is one zstd frame (RFC 8878), which says its size. */
#include <zstd.h>

#include "stream/codec.h"

static void *encoder_create(int level)
{
	ZSTD_CCtx *context = ZSTD_createCCtx();

	if (context &&
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level))) {
		ZSTD_freeCCtx(context);
		context = NULL;
	}
	return context;
}

static void encoder_destroy(void *encoder)
{
	ZSTD_freeCCtx(encoder);
}

static size_t encode(void *encoder, const void *raw, size_t raw_bytes, void *out, size_t room)
{
	/* The only error there can be is that the room was too small. */
	size_t bytes = ZSTD_compress2(encoder, out, room, raw, raw_bytes);

	return ZSTD_isError(bytes) ? 0 : bytes;
}

static void *decoder_create(void)
{
	return ZSTD_createDCtx();
}

static void decoder_destroy(void *decoder)
{
	ZSTD_freeDCtx(decoder);
}

/*
 * In one call and into the room itself, so that no window is kept, however large
 * a one the frame asks for.  The library would also take several frames, or none.
 */
static bool decode(void *decoder, const void *stored, size_t stored_bytes, void *raw,
		   size_t raw_bytes)
{
	return ZSTD_getFrameContentSize(stored, stored_bytes) == raw_bytes &&
	       ZSTD_findFrameCompressedSize(stored, stored_bytes) == stored_bytes &&
	       ZSTD_decompressDCtx(decoder, raw, raw_bytes, stored, stored_bytes) == raw_bytes;
}

const struct te_codec te_codec_zstd = {
	.id = TE_CODEC_ZSTD,
	.name = "zstd",
	.level_min = 1,
	.level_max = 19,
	.level_default = 1,
	.encoder_create = encoder_create,
	.encoder_destroy = encoder_destroy,
	.encode = encode,
	.decoder_create = decoder_create,
	.decoder_destroy = decoder_destroy,
	.decode = decode,
};
