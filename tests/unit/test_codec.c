// SPDX-License-Identifier: GPL-2.0-or-later
/* Codecs, beside the libraries they are made with. */
#include <zlib.h>
#include <zstd.h>

#include "stream/codec.h"
#include "generate.h"
#include "streams.h"
#include "unit.h"

#define BYTES	(1u << 20)

static u8 raw[BYTES], packed[BYTES], back[BYTES + 1];

/* A mebibyte of which a part is noise, and a part is not. */
static void fill(u64 seed)
{
	size_t at;

	memset(raw, 0, sizeof(raw));
	for (at = 0; at < BYTES; at += 4096)
		te_gen_content(seed, at, 20, raw + at, 4096);
}

static void zlib_itself_unpacks_what_was_packed(void)
{
	int level;

	for (level = 1; level <= 9; level++) {
		void *encoder = te_codec_zlib.encoder_create(level);
		size_t nr;
		uLongf nr_back = BYTES;

		fill((u64)level);
		nr = te_codec_zlib.encode(encoder, raw, BYTES, packed, BYTES - 1);
		CHECK(nr > 0 && nr < BYTES);
		CHECK_EQ(uncompress(back, &nr_back, packed, nr), Z_OK);
		CHECK_EQ(nr_back, BYTES);
		CHECK(!memcmp(raw, back, BYTES));
		te_codec_zlib.encoder_destroy(encoder);
	}
}

static void what_zlib_itself_packed_is_unpacked(void)
{
	void *decoder = te_codec_zlib.decoder_create();
	int level;

	for (level = 0; level <= 9; level++) {
		uLongf nr = BYTES;

		fill((u64)level);
		/* Level 0 makes it longer: a part of it then. */
		CHECK_EQ(compress2(packed, &nr, raw, BYTES / 2, level), Z_OK);
		CHECK(te_codec_zlib.decode(decoder, packed, nr, back, BYTES / 2));
		CHECK(!memcmp(raw, back, BYTES / 2));
	}
	te_codec_zlib.decoder_destroy(decoder);
}

static void zstd_itself_unpacks_what_was_packed(void)
{
	int level;

	for (level = 1; level <= 19; level += 3) {
		void *encoder = te_codec_zstd.encoder_create(level);
		size_t nr;

		fill((u64)level);
		nr = te_codec_zstd.encode(encoder, raw, BYTES, packed, BYTES - 1);
		CHECK(nr > 0 && nr < BYTES);
		CHECK_EQ(ZSTD_decompress(back, BYTES, packed, nr), BYTES);
		CHECK(!memcmp(raw, back, BYTES));
		te_codec_zstd.encoder_destroy(encoder);
	}
}

static void what_zstd_itself_packed_is_unpacked(void)
{
	void *decoder = te_codec_zstd.decoder_create();
	int level;

	for (level = 1; level <= 19; level += 3) {
		size_t nr;

		fill((u64)level);
		nr = ZSTD_compress(packed, BYTES, raw, BYTES / 2, level);
		CHECK(!ZSTD_isError(nr));
		CHECK(te_codec_zstd.decode(decoder, packed, nr, back, BYTES / 2));
		CHECK(!memcmp(raw, back, BYTES / 2));
	}
	te_codec_zstd.decoder_destroy(decoder);
}

/* The library would take all of these. */
static void just_one_zstd_frame_that_says_its_size_is_taken(void)
{
	static const u8 skippable[] = { 0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 'x' };
	void *decoder = te_codec_zstd.decoder_create();
	ZSTD_CCtx *context = ZSTD_createCCtx();
	size_t one, two;

	fill(1);
	one = ZSTD_compress(packed, BYTES, raw, 1000, 1);
	CHECK(te_codec_zstd.decode(decoder, packed, one, back, 1000));
	two = ZSTD_compress(packed + one, BYTES - one, raw + 1000, 1000, 1);
	CHECK_EQ(ZSTD_decompress(back, BYTES, packed, one + two), 2000);
	CHECK(!te_codec_zstd.decode(decoder, packed, one + two, back, 2000));
	CHECK(!te_codec_zstd.decode(decoder, packed, one + two, back, 1000));
	memcpy(packed + one, skippable, sizeof(skippable));
	CHECK_EQ(ZSTD_decompress(back, BYTES, packed, one + sizeof(skippable)), 1000);
	CHECK(!te_codec_zstd.decode(decoder, packed, one + sizeof(skippable), back, 1000));
	CHECK(!te_codec_zstd.decode(decoder, packed + one, sizeof(skippable), back, 1));
	ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
	one = ZSTD_compress2(context, packed, BYTES, raw, 1000);
	CHECK_EQ(ZSTD_decompress(back, BYTES, packed, one), 1000);
	CHECK(!te_codec_zstd.decode(decoder, packed, one, back, 1000));
	ZSTD_freeCCtx(context);
	te_codec_zstd.decoder_destroy(decoder);
}

static void pack_twice(const struct te_codec *codec)
{
	void *encoder = codec->encoder_create(6), *fresh;
	static u8 again[BYTES];
	size_t nr, nr_again;

	fill(1);
	nr = codec->encode(encoder, raw, BYTES, packed, BYTES - 1);
	fill(2);
	nr = codec->encode(encoder, raw, BYTES, packed, BYTES - 1);
	fresh = codec->encoder_create(6);
	nr_again = codec->encode(fresh, raw, BYTES, again, BYTES - 1);
	CHECK_EQ(nr, nr_again);
	CHECK(!memcmp(packed, again, nr));
	codec->encoder_destroy(encoder);
	codec->encoder_destroy(fresh);
}

static void one_encoder_packs_each_frame_by_itself(void)
{
	pack_twice(&te_codec_zlib);
	pack_twice(&te_codec_zstd);
}

static void pack_noise(const struct te_codec *codec)
{
	void *encoder = codec->encoder_create(codec->level_max);
	u64 state = 1;
	size_t i;

	for (i = 0; i < BYTES; i++) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		raw[i] = (u8)(state >> 56);
	}
	CHECK_EQ(codec->encode(encoder, raw, BYTES, packed, BYTES - 1), 0);
	CHECK_EQ(codec->encode(encoder, raw, 1, packed, 0), 0);
	codec->encoder_destroy(encoder);
}

static void what_does_not_shrink_is_not_packed(void)
{
	pack_noise(&te_codec_zlib);
	pack_noise(&te_codec_zstd);
}

static void unpack_changed(const struct te_codec *codec)
{
	void *encoder = codec->encoder_create(1), *decoder = codec->decoder_create();
	size_t nr;

	fill(3);
	nr = codec->encode(encoder, raw, BYTES, packed, BYTES - 1);
	CHECK(codec->decode(decoder, packed, nr, back, BYTES));
	CHECK(!codec->decode(decoder, packed, nr, back, BYTES - 1));
	CHECK(!codec->decode(decoder, packed, nr, back, BYTES + 1));
	CHECK(!codec->decode(decoder, packed, nr - 1, back, BYTES));
	CHECK(!codec->decode(decoder, packed, nr + 1, back, BYTES));
	/* zstd has no checksum of its own: it may decode, to something else. */
	packed[nr / 2] ^= 4;
	CHECK(!codec->decode(decoder, packed, nr, back, BYTES) || memcmp(raw, back, BYTES));
	packed[nr / 2] ^= 4;
	CHECK(codec->decode(decoder, packed, nr, back, BYTES));
	codec->encoder_destroy(encoder);
	codec->decoder_destroy(decoder);
}

static void a_packed_frame_gives_just_its_bytes_or_nothing(void)
{
	unpack_changed(&te_codec_zlib);
	unpack_changed(&te_codec_zstd);
}

static void parse_gives(const char *text, enum te_codec_id id, int level)
{
	struct te_codec_choice choice;

	CHECK_EQ(te_codec_parse(text, &choice), 0);
	CHECK_EQ(choice.id, id);
	CHECK_EQ(choice.level, level);
}

static void the_option_names_codec_and_level(void)
{
	parse_gives("none", TE_CODEC_NONE, 0);
	parse_gives("zlib", TE_CODEC_ZLIB, 1);
	parse_gives("zlib:1", TE_CODEC_ZLIB, 1);
	parse_gives("zlib:9", TE_CODEC_ZLIB, 9);
	parse_gives("zstd", TE_CODEC_ZSTD, 1);
	parse_gives("zstd:19", TE_CODEC_ZSTD, 19);
}

static void refused(const char *text, const char *words)
{
	struct te_codec_choice choice;
	const char *said;

	hear();
	CHECK_EQ(te_codec_parse(text, &choice), -EINVAL);
	said = heard();
	if (!strstr(said, words))
		UNIT_FAIL("\"%s\" does not say \"%s\"", said, words);
}

static void other_options_are_refused_in_words(void)
{
	refused("", "no such codec; there are none, zlib, zstd");
	refused("lzma", "no such codec; there are none, zlib, zstd");
	refused("zstd:0", "the levels of zstd are 1 to 19");
	refused("zstd:20", "the levels of zstd are 1 to 19");
	refused("zstd:-1", "the levels of zstd are 1 to 19");
	refused("none:1", "none has no levels");
	refused("zlib:", "the levels of zlib are 1 to 9");
	refused("zlib:0", "the levels of zlib are 1 to 9");
	refused("zlib:10", "the levels of zlib are 1 to 9");
	refused("zlib:3x", "the levels of zlib are 1 to 9");
	refused("zlib:99999999999999999999", "the levels of zlib are 1 to 9");
}

UNIT_MAIN(UNIT(zlib_itself_unpacks_what_was_packed),
	  UNIT(what_zlib_itself_packed_is_unpacked),
	  UNIT(zstd_itself_unpacks_what_was_packed),
	  UNIT(what_zstd_itself_packed_is_unpacked),
	  UNIT(just_one_zstd_frame_that_says_its_size_is_taken),
	  UNIT(one_encoder_packs_each_frame_by_itself),
	  UNIT(what_does_not_shrink_is_not_packed),
	  UNIT(a_packed_frame_gives_just_its_bytes_or_nothing),
	  UNIT(the_option_names_codec_and_level),
	  UNIT(other_options_are_refused_in_words))
