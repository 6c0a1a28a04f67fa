/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pending send: a live pool's moment that outlives its sender, so that a stream
 * which was interrupted can be gone on with.
 *
 * A continuation needs the same blocks and the same beginning.  The blocks are kept
 * by the run's snapshots, whatever becomes of their volumes: a thin snapshot that
 * nobody writes to keeps its root, its nodes and its data.  That they are the
 * snapshots of that moment shows in what is recorded of each: its id, the time and
 * the transaction of its creation, its root, and how much it maps.  Its first write
 * would move the root.  What the stream tells of a volume (id, creation,
 * transaction) is not the snapshot's, so it is recorded too.  Names, sizes and what
 * LVM knew are in the stream's catalog, which is kept word for word: a source that
 * is made of it gives the same catalog and the same plan again, and the send
 * compares both with the place where it goes on.
 *
 * The roots being known, neither metadata snapshot nor window nor view is needed to
 * go on: the pool's devices are read, under new pins.  Pins end with the machine, and
 * while they stand the pool cannot be deactivated; so a sender that can takes
 * them down, and only the snapshots stay.
 *
 * Nobody can tell a pipe's writer what has arrived behind it.  So a send into a
 * file ends with the file; any other stays until its user drops it, by `thinexport
 * cleanup --pending`.
 */
#ifndef TE_PENDING_H
#define TE_PENDING_H

#include "live/record.h"
#include "stream/catalog.h"

/* What a pending send's source is made of; zero it. */
struct te_pending {
	struct te_catalog *catalog;	/* that the stream began with */
	struct te_lvm lvm;		/* what it tells of LVM: the pool's part alone */
};

/*
 * From here on the run, open until now, is pending; on disk when it returns.  `most`:
 * bytes that its snapshots can come to hold.  -EEXIST: another send is pending under
 * this id.  -errno after one sentence, and the run is as it was.
 */
int te_pending_begin(struct te_run *run, const __u8 stream_id[16], const char *catalog, u64 most);

/* And from here on it is open again: what is left of it is for cleanup. */
int te_pending_end(struct te_run *run);

/* The run of the pool's send of this stream; te_run_exit() it.  -ENOENT after one sentence. */
int te_pending_find(const __u8 stream_id[16], const struct te_pool *pool, struct te_run *run);

/* Reads what the stream began with.  -errno after one sentence. */
int te_pending_load(struct te_pending *pending, const struct te_run *run);
void te_pending_exit(struct te_pending *pending);

/*
 * The pool's snapshots are those of the moment.  -ESTALE after one sentence: one is
 * gone, or is another.
 */
int te_pending_check(const struct te_pending *pending, const struct te_run *run,
		     const struct te_pool *pool);

/*
 * A source of the moment, while its snapshots are pinned.  It points into `pending`.
 * NULL after one sentence.
 */
struct te_source *te_pending_open(struct te_pending *pending, const struct te_run *run,
				  const struct te_pool *pool);

#endif
