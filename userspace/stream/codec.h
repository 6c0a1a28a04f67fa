/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a frame's payload is packed: one table of codecs, one file for each. */
#ifndef TE_CODEC_H
#define TE_CODEC_H

#include <thinexport/stream.h>
#include "core/seam.h"

struct te_codec_choice {
	enum te_codec_id id;
	int level;
};

/*
 * A codec packs each frame by itself.  A state serves one thread and many
 * frames.  NONE has no functions at all: its payload is the raw one.
 */
struct te_codec {
	enum te_codec_id id;
	const char *name;
	int level_min;
	int level_max;
	int level_default;

	void *(*encoder_create)(int level);	/* NULL: no memory */
	void (*encoder_destroy)(void *encoder);

	/*
	 * Packs raw into at most `room` bytes at out.  How many it took; 0 when
	 * it does not fit, and the frame is stored as it is.
	 */
	size_t (*encode)(void *encoder, const void *raw, size_t raw_bytes, void *out, size_t room);

	void *(*decoder_create)(void);
	void (*decoder_destroy)(void *decoder);

	/* True when stored, all of it, gave just raw_bytes. */
	bool (*decode)(void *decoder, const void *stored, size_t stored_bytes, void *raw,
		       size_t raw_bytes);
};

extern const struct te_codec te_codec_zlib;
extern const struct te_codec te_codec_zstd;

/* NULL when it is not known. */
const struct te_codec *te_codec_find(unsigned int id);

/* Its name, or NULL likewise. */
const char *te_codec_name(unsigned int id);

/* "none", "zlib", "zstd:3".  -EINVAL after one sentence that names what there is. */
int te_codec_parse(const char *text, struct te_codec_choice *choice);

#endif
