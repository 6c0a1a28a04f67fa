/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the frames of a stream must be to each other: their order, and what each
 * says against what those before it said.  Sees decoded payloads; knows no input.
 */
#ifndef TE_STREAM_CHECK_H
#define TE_STREAM_CHECK_H

#include "stream/stream_read.h"

/*
 * What a reader must know of what came before, to go on behind a place: kept by who
 * was interrupted.
 */
struct te_stream_before {
	struct te_resume resume;
	struct te_begin begin;
	const char *catalog;		/* its text, a NUL behind it */
	size_t catalog_bytes;
	u32 newest_creation_time;	/* of the volumes so far */
	bool has_parent;		/* of the section that is open */
	u64 volume_sectors;		/* likewise: provisioned in all, as VOLUME says */
};

/* Sums over ops, of a section or of all. */
struct te_stream_sums {
	u64 nr_ops;
	u64 data_sectors;
	u64 zero_sectors;
};

struct te_stream_check {
	unsigned int wanted;		/* bits 1 << te_frame_kind that may come next */
	struct te_catalog *catalog;	/* NULL before CATALOG */
	struct te_begin begin;
	u64 beginning;			/* digest of BEGIN's and CATALOG's payloads */
	const struct te_stream_before *before;	/* NULL: the stream starts with BEGIN */
	u32 newest_creation_time;	/* of the volumes so far */
	u32 index;			/* of the section that is open, or comes next */
	bool has_parent;		/* of the section that is open */
	u64 volume_sectors;		/* in it: what it has provisioned in all */
	u64 position;			/* in it: where the last op ended */
	struct te_stream_sums section;
	struct te_stream_sums total;
	u64 *seen_ids;			/* one bit a device id */
	char why[256];			/* after an error: the rest of the sentence */
};

int te_stream_check_init(struct te_stream_check *check);	/* -ENOMEM */
void te_stream_check_exit(struct te_stream_check *check);

/*
 * Before the first frame: it is to be RESUME, of just this place.  `before` stays.
 * -EBADMSG with the reason in check->why when it cannot be a place of its stream.
 */
int te_stream_check_continue(struct te_stream_check *check,
			     const struct te_stream_before *before);

/* The place behind the last frame, once CATALOG has come. */
void te_stream_check_place(const struct te_stream_check *check, u64 sequence, u64 digest,
			   struct te_resume *place);

/*
 * Takes up the next frame of a known kind, decoded: `raw` aligned to 8 bytes,
 * for CATALOG a NUL behind it.  `digest` is that of the headers before this
 * one.  0; -EBADMSG, -EOPNOTSUPP, -ENOMEM with the reason in check->why.
 */
int te_stream_check_frame(struct te_stream_check *check, const struct te_frame_header *header,
			  const void *raw, u64 digest);

#endif
