// SPDX-License-Identifier: GPL-2.0-or-later
/* How a frame's payload is packed: the table of codecs, and `--codec`. */
#include "stream/codec.h"

#include <stdio.h>

#include "base/say.h"

static const struct te_codec none = { .id = TE_CODEC_NONE, .name = "none" };

static const struct te_codec *const codecs[] = { &none, &te_codec_zlib, &te_codec_zstd };

const struct te_codec *te_codec_find(unsigned int id)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codecs); i++)
		if (codecs[i]->id == id)
			return codecs[i];
	return NULL;
}

const char *te_codec_name(unsigned int id)
{
	const struct te_codec *codec = te_codec_find(id);

	return codec ? codec->name : NULL;
}

static const struct te_codec *find_by_name(const char *name, size_t bytes)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codecs); i++)
		if (strlen(codecs[i]->name) == bytes && !memcmp(codecs[i]->name, name, bytes))
			return codecs[i];
	return NULL;
}

static int refuse_name(const char *text)
{
	char built[64] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codecs); i++) {
		size_t used = strlen(built);

		snprintf(built + used, sizeof(built) - used, "%s%s", i ? ", " : "",
			 codecs[i]->name);
	}
	te_error("--codec %s: no such codec; there are %s", text, built);
	return -EINVAL;
}

int te_codec_parse(const char *text, struct te_codec_choice *choice)
{
	const char *colon = strchrnul(text, ':');
	const struct te_codec *codec = find_by_name(text, (size_t)(colon - text));
	char *end;
	long level;

	if (!codec)
		return refuse_name(text);
	choice->id = codec->id;
	choice->level = codec->level_default;
	if (!*colon)
		return 0;
	if (!codec->encode) {
		te_error("--codec %s: %s has no levels", text, codec->name);
		return -EINVAL;
	}
	level = strtol(colon + 1, &end, 10);
	if (end == colon + 1 || *end || level < codec->level_min || level > codec->level_max) {
		te_error("--codec %s: the levels of %s are %d to %d", text, codec->name,
			 codec->level_min, codec->level_max);
		return -EINVAL;
	}
	choice->level = (int)level;
	return 0;
}
