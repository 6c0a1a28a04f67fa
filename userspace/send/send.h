/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sending: a plan and its data become a stream. */
#ifndef TE_SEND_H
#define TE_SEND_H

#include "send/plan.h"
#include "stream/stream_write.h"

struct te_send_totals {
	u64 data_bytes;			/* in DATA, before encoding */
	u64 zero_bytes;			/* in ZERO */
	u64 written_bytes;		/* of the stream */
};

struct te_send_options {
	struct te_codec_choice codec;
	unsigned int threads;		/* that read, look for zeros and encode */
	__u8 stream_id[16];

	/* NULL, or where to go on: the id is that stream's. */
	const struct te_resume *resume;
	bool append;			/* right behind the frames that are there: no RESUME */

	/*
	 * NULL, or told the catalog before a new stream's first byte is written, so that
	 * its moment can be kept.  -errno after one sentence ends the send.
	 */
	int (*keep)(void *context, const __u8 stream_id[16], const char *catalog);
	void *keep_context;
};

/*
 * Writes the whole stream to fd, or what follows a place of it.  -ESTALE after one
 * sentence, before anything is written: the place is of another stream than this
 * plan and id make.  0, or -errno after one sentence (none for -EINTR): then what
 * was written is no stream.
 */
int te_send(struct te_plan *plan, int fd, const char *name, const struct te_send_options *options,
	    struct te_send_totals *totals);

#endif
