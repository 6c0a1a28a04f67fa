/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sink: where the volumes of a stream go.  Reading a stream, and what its sections
 * and ops mean, is one thing (receive.c); what becomes of them is another:
 *
 *	sink_pool.c	a new pool on two devices: blocks are placed, metadata is built
 *	sink_thin.c	an active pool of LVM's: volumes are made and written through
 *
 * In the order of the calls:
 *
 *	measure  begin  { volume_begin { run_begin write... run_end | copy | unmap }...
 *	volume_end }... finish
 *
 * Virtual blocks of a section ascend over all its calls, and none comes twice.  What is
 * between them is as in the parent: also told, by copy, when there is one.
 *
 * Calls return 0, or -errno after one sentence (none for -EINTR).
 */
#ifndef TE_SINK_H
#define TE_SINK_H

#include "receive/receive_state.h"
#include "receive/room.h"
#include "stream/stream_read.h"

struct te_sink;

/* All that a stream's beginning tells. */
struct te_sink_beginning {
	const char *name;		/* of the stream */
	const struct te_begin *begin;
	const struct te_catalog *catalog;
	const struct te_record *record;	/* CATALOG's; NULL when only measured */
	const struct te_choice *choice;	/* settled */
};

/* A sink that can be gone on with when it was interrupted. */
struct te_sink_keep_ops {
	/* Before the first record: has the reader go on there. */
	int (*open)(struct te_sink *sink, struct te_stream_reader *reader,
		    struct te_choice *choice);

	/* RESUME has come: gives back where it stood. */
	int (*go_on)(struct te_sink *sink, const struct te_choice *choice, struct te_begin *begin,
		     struct te_receive_state *state, struct te_receive_totals *totals);

	/* A record was taken.  True when it is time to keep the place. */
	bool (*note)(struct te_sink *sink, const struct te_stream_reader *reader,
		     u64 received_bytes);
	int (*keep)(struct te_sink *sink, bool last, const struct te_receive_state *state,
		    const struct te_receive_totals *totals);
};

struct te_sink_ops {
	/* What there is room for; changes nothing that was there. */
	int (*measure)(struct te_sink *sink, const struct te_sink_beginning *beginning,
		       struct te_room *room);

	/* The room is enough: from here on the target is changed. */
	int (*begin)(struct te_sink *sink, const struct te_sink_beginning *beginning,
		     const struct te_room *room);

	/* Not of volumes that are ignored: they have no calls at all but this and volume_end. */
	int (*volume_begin)(struct te_sink *sink, const struct te_volume_begin *volume,
			    const struct te_choice_volume *chosen);

	/* run->start is where what write() takes will go; NULL data: provisioned zeros. */
	int (*run_begin)(struct te_sink *sink, struct te_receive_run *run);
	int (*write)(struct te_sink *sink, const void *data, u64 bytes);
	int (*run_end)(struct te_sink *sink, const struct te_receive_run *run);

	/* [block, + count) as section `source` has it; and not provisioned. */
	int (*copy)(struct te_sink *sink, u32 source, u64 block, u64 count);
	int (*unmap)(struct te_sink *sink, u64 block, u64 count);

	/* *mapped: how many blocks the volume now maps. */
	int (*volume_end)(struct te_sink *sink, u64 *mapped);

	/* All has arrived: on disk, and the totals that only the sink knows. */
	int (*finish)(struct te_sink *sink, struct te_receive_totals *totals);

	const struct te_sink_keep_ops *keep;	/* NULL: it begins anew */
};

struct te_sink {
	const struct te_sink_ops *ops;
	bool interrupted;		/* it was; its keep ops know where */
};

#endif
