/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a stream: everything te_stream_next returns has been checked -
 * frame, checksums, order of frames, bounds, ascending ops, totals, digest - and
 * nothing is returned of a frame of which any part is wrong.  END is returned
 * when the input has ended behind it: bytes that follow are an error.
 */
#ifndef TE_STREAM_READ_H
#define TE_STREAM_READ_H

#include "stream/catalog.h"

enum te_record_kind {
	TE_RECORD_BEGIN,
	TE_RECORD_CATALOG,
	TE_RECORD_VOLUME,
	TE_RECORD_OPS,
	TE_RECORD_VOLUME_END,
	TE_RECORD_END,
	TE_RECORD_RESUME,		/* the first record, of a continuation */
	TE_RECORD_SKIPPED,		/* an optional frame of unknown kind */
};

/* Valid until the next call.  Structs are the frame's own, little-endian. */
struct te_record {
	enum te_record_kind kind;
	const struct te_frame_header *header;
	u64 offset;			/* of the frame in the stream, bytes */
	union {
		const struct te_begin *begin;
		const char *catalog;	/* NUL-terminated JSON */
		const struct te_volume_begin *volume;
		struct {
			const struct te_op *ops;
			size_t nr_ops;
			const void *data;	/* aligned to 4 KiB; DATAs' bytes in order */
			size_t data_bytes;
		} ops;
		const struct te_volume_end *volume_end;
		const struct te_end *end;
		const struct te_resume *resume;
	};
};

struct te_stream_reader;

/*
 * Opens a stream's file for reading, or standard input for NULL and "-", whose
 * name it then sets.  -errno after one sentence: also for a directory and for a
 * terminal.
 */
int te_stream_open(const char *path, const char **name);

/*
 * `name` is for messages.  NULL: no memory.  When te_interrupted() next returns
 * -EINTR and says nothing.
 */
struct te_stream_reader *te_stream_reader_create(int fd, const char *name);
void te_stream_reader_destroy(struct te_stream_reader *reader);

/*
 * Before the first record: frames are read ahead, checked and decoded by so many
 * threads.  Records and errors are the same, and come in the same order, as
 * without.  0, or -errno after one sentence.
 */
int te_stream_reader_use_threads(struct te_stream_reader *reader, unsigned int threads);

/*
 * Before the first record, and before threads: the stream goes on behind a place, of
 * which `before` says all there is to know, and which must be just RESUME's.  `before`
 * stays.  0, or -EBADMSG after one sentence.
 *
 * Without this a continuation's RESUME is returned as a record, and then an error.
 */
struct te_stream_before;
int te_stream_reader_continue(struct te_stream_reader *reader,
			      const struct te_stream_before *before);

/* What is wrong with the stream is kept in `said`, TE_SAID_BYTES of room, and not said. */
void te_stream_reader_keep(struct te_stream_reader *reader, char *said);

/* The place behind the last record; false before CATALOG. */
bool te_stream_reader_place(const struct te_stream_reader *reader, struct te_resume *place);

/*
 * The next record: 1, or 0 after END, or -errno after one sentence that says
 * what is wrong at which byte.  -EBADMSG damaged, -EOPNOTSUPP too new.
 */
int te_stream_next(struct te_stream_reader *reader, struct te_record *record);

/* After CATALOG: what it says, checked against BEGIN and then against each VOLUME. */
const struct te_catalog *te_stream_catalog(const struct te_stream_reader *reader);

/* The stream's bytes read so far. */
u64 te_stream_read_bytes(const struct te_stream_reader *reader);

#endif
