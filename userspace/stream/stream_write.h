/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing a stream: frames numbered, counted, and written one behind the other. */
#ifndef TE_STREAM_WRITE_H
#define TE_STREAM_WRITE_H

#include "stream/ops_frame.h"

struct te_stream_writer;

/*
 * To be asked before anything is written: -EINVAL after one sentence when fd is
 * a terminal.  From here on a reader that goes away is an error (EPIPE) and no
 * longer a signal.
 */
int te_stream_output_check(int fd, const char *name);

/*
 * fd is written with plain writes, never seeked.  `name` is for messages.  Every
 * call returns 0 or -errno, after one sentence on stderr; after an error only
 * destroy may follow.  NULL: no memory.
 *
 * When te_interrupted() a call returns -EINTR and says nothing.
 */
struct te_stream_writer *te_stream_writer_create(int fd, const char *name,
						 struct te_codec_choice codec);
void te_stream_writer_destroy(struct te_stream_writer *writer);

/*
 * Instead of BEGIN and CATALOG: goes on at a place of the stream that begins so.
 * With `tell` a continuation, which starts with RESUME; without, what is written
 * belongs right behind the frames that are there.
 */
int te_stream_write_resume(struct te_stream_writer *writer, const struct te_begin *begin,
			   const struct te_resume *resume, bool tell);

/* BEGIN's provisioned_sectors must be what DATA and ZERO then come to: END checks. */
int te_stream_write_begin(struct te_stream_writer *writer, const struct te_begin *begin);
int te_stream_write_catalog(struct te_stream_writer *writer, const char *json);
int te_stream_write_volume(struct te_stream_writer *writer, const struct te_volume_begin *volume);

/* An op without data.  Such ops gather in frames, those that continue each other joined. */
int te_stream_write_op(struct te_stream_writer *writer, const struct te_op *op);

/* A frame that is packed. */
int te_stream_write_frame(struct te_stream_writer *writer, struct te_ops_frame *frame);

int te_stream_write_volume_end(struct te_stream_writer *writer);	/* counts are the writer's */
int te_stream_write_end(struct te_stream_writer *writer);

/* So far: bytes on fd, and what DATA and ZERO come to. */
u64 te_stream_written_bytes(const struct te_stream_writer *writer);
u64 te_stream_data_bytes(const struct te_stream_writer *writer);
u64 te_stream_zero_bytes(const struct te_stream_writer *writer);

#endif
