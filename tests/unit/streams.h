/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams for the tests: written to memory, taken apart, forged, read back. */
#ifndef TE_TEST_STREAMS_H
#define TE_TEST_STREAMS_H

#include "stream/stream_read.h"
#include "stream/stream_write.h"

/* Bytes of a stream. */
struct bytes {
	u8 *p;
	size_t nr;
};

/* A frame where it lies in the bytes, at any address. */
typedef struct te_frame_header loose_header __attribute__((aligned(1)));
typedef struct te_begin loose_begin __attribute__((aligned(1)));
typedef struct te_volume_begin loose_volume __attribute__((aligned(1)));
typedef struct te_op loose_op __attribute__((aligned(1)));
typedef struct te_volume_end loose_volume_end __attribute__((aligned(1)));
typedef struct te_end loose_end __attribute__((aligned(1)));

struct frame {
	loose_header *header;
	u8 *payload;
	size_t offset;
	size_t bytes;			/* header and payload */
};

/* All that was written to, or is to be read from, an unnamed file. */
struct bytes bytes_of_fd(int fd);
int fd_of_bytes(const struct bytes *bytes);
struct bytes copy_of(const struct bytes *bytes);

/* Frame `index`; false when there is none. */
bool find_frame(const struct bytes *bytes, size_t index, struct frame *frame);
/* The first of a kind, which there must be. */
struct frame find_kind(const struct bytes *bytes, enum te_frame_kind kind);
size_t count_frames(const struct bytes *bytes);

/* Makes right again: payload and header checksums, numbers, and END's digest. */
void reseal(struct bytes *bytes);
/* The same, but for the numbers. */
void reseal_checksums(struct bytes *bytes);

/*
 * Reads a stream to its end, handing records to each() (may be NULL): what
 * te_stream_next returned last.  *said: what was said on stderr, until the
 * next call.
 */
int read_all_of(const struct bytes *bytes, void (*each)(const struct te_record *record),
		const char **said);

/* What is said on stderr between the two calls; until the next time. */
void hear(void);
const char *heard(void);

/*
 * A writer, one at a time, whose frames are filled here: an op, for DATA its bytes in
 * pieces of any size.  Ops and data are cut where a frame is full.
 */
struct te_stream_writer *writer_create(int fd, const char *name, struct te_codec_choice codec);
int writer_op(struct te_stream_writer *writer, const struct te_op *op);
int writer_data(struct te_stream_writer *writer, const void *data, size_t bytes);
int writer_volume_end(struct te_stream_writer *writer);
void writer_destroy(struct te_stream_writer *writer);

/*
 * A small stream with everything in it: two volumes, the second a snapshot of
 * the first, all four kinds of op, of this codec.
 */
struct bytes small_stream(struct te_codec_choice codec);

#endif
