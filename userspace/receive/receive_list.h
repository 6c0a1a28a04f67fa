/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `receive -n` lists: what would become of a stream; and what became of it, in JSON. */
#ifndef TE_RECEIVE_LIST_H
#define TE_RECEIVE_LIST_H

#include "receive/sink.h"

/*
 * Reads the stream's beginning - or, when volumes are chosen from a file, all of
 * it - and lists volumes, sizes and the room they need.  Changes nothing.  0 when
 * it fits, or may fit as far as a pipe's beginning tells; else -errno after one
 * sentence.
 */
int te_receive_list(int fd, const char *name, struct te_sink *sink, struct te_choice *choice,
		    bool json);

/* After te_receive(): one object on standard output. */
void te_receive_totals_json(const struct te_choice *choice,
			    const struct te_receive_totals *totals, double seconds);

#endif
