/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live pool's moment: frozen in a short window, kept by pins, read as a source.
 */
#ifndef TE_LIVE_H
#define TE_LIVE_H

#include "source/source.h"

enum te_live_reader {
	TE_LIVE_AUTO,			/* the view when the module is there, else directly */
	TE_LIVE_VIEW,			/* the view or fail */
	TE_LIVE_DIRECT,			/* metadata and data device */
};

struct te_live_options {
	const char *pool;		/* dm name, path or MAJOR:MINOR of a thin-pool; or LVM's
					 * name of a pool, or of a volume: then that is chosen */
	char *const *more;		/* LVM's names of further volumes */
	size_t nr_more;
	char *const *volumes;		/* ids, LVM's or dm names; none: all of the pool */
	size_t nr_volumes;
	enum te_live_reader reader;
	unsigned int window_limit_ms;	/* the watchdog's patience; 0: ten seconds */
	bool strict;			/* LVM and the pool must agree on transaction and volumes */
	const __u8 *stream_id;		/* NULL, or of the pending send whose moment it is to be */
};

struct te_live;

/*
 * Takes the lock, freezes the moment, opens a source of it whose volumes know
 * their dm names and their lengths where they are active; by LVM's names, what LVM
 * knows of all of them.  NULL after one
 * sentence, with everything undone.  The source is closed by te_live_close.
 *
 * The moment of a pending send (pending.h) is taken up instead of a new one: no
 * window, and its volumes are as they were told when it began.
 */
struct te_live *te_live_open(const struct te_live_options *options, struct te_source **source);

/*
 * Freezes the moment as a view of its own, /dev/mapper/NAME, exactly as long as
 * what it holds, which stays until te_live_close_view(), the command's end or not.
 * The bytes of it to *bytes.  0 or -errno after one sentence.
 */
int te_live_open_view(const struct te_live_options *options, const char *name, u64 *window_us,
		      u64 *bytes);
int te_live_close_view(const char *name);

/* How long the volumes stood still, microseconds. */
u64 te_live_window_us(const struct te_live *live);

/*
 * The send becomes pending (pending.h): its moment is to outlive this process.  To be
 * called before the stream's first byte is written.  -errno after one sentence.
 */
int te_live_keep(struct te_live *live, const __u8 stream_id[16], const char *catalog, u64 most);
bool te_live_is_kept(const struct te_live *live);

/* The stream is where it was to go: its send is not pending any more. */
int te_live_let_go(struct te_live *live);

/*
 * Takes down view, pins and, unless the send is pending, snapshots, and drops the
 * record.  0, or -errno after one
 * sentence when something was left; `thinexport cleanup` then tries again.
 */
int te_live_close(struct te_live *live);

#endif
