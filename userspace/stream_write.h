/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing a stream: frames around what the sender says, numbered, encoded,
 * checked and counted.
 */
#ifndef TE_STREAM_WRITE_H
#define TE_STREAM_WRITE_H

#include "codec.h"

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

/* BEGIN's provisioned_sectors must be what DATA and ZERO then come to: END checks. */
int te_stream_write_begin(struct te_stream_writer *writer, const struct te_begin *begin);
int te_stream_write_catalog(struct te_stream_writer *writer, const char *json);
int te_stream_write_volume(struct te_stream_writer *writer, const struct te_volume_begin *volume);

/*
 * Adds an op, in sectors.  For DATA its bytes follow by te_stream_write_data,
 * in pieces of any size.  Long ops are cut where frames end; neighbours that
 * continue each other are joined.
 */
int te_stream_write_op(struct te_stream_writer *writer, const struct te_op *op);

/*
 * To save a copy: room for up to *bytes (>= 4096) of the data that the last
 * DATA op announced, in the frame's own buffer, aligned to 4 KiB as far as
 * what came before was; then the same bytes are committed.
 */
void *te_stream_data_room(struct te_stream_writer *writer, size_t *bytes);
int te_stream_write_data(struct te_stream_writer *writer, const void *data, size_t bytes);

int te_stream_write_volume_end(struct te_stream_writer *writer);	/* counts are the writer's */
int te_stream_write_end(struct te_stream_writer *writer);

/* So far: bytes on fd, and of DATA before encoding. */
u64 te_stream_written_bytes(const struct te_stream_writer *writer);
u64 te_stream_raw_bytes(const struct te_stream_writer *writer);

#endif
