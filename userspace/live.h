/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A live pool's moment: frozen in a short window, kept by pins, read as a source.
 */
#ifndef TE_LIVE_H
#define TE_LIVE_H

#include "source.h"

enum te_live_reader {
	TE_LIVE_AUTO,			/* the view when the module is there, else directly */
	TE_LIVE_VIEW,			/* the view or fail */
	TE_LIVE_DIRECT,			/* metadata and data device */
};

struct te_live_options {
	const char *pool;		/* dm name or path of a thin-pool */
	char *const *volumes;		/* ids or dm names; none: all of the pool */
	size_t nr_volumes;
	enum te_live_reader reader;
};

struct te_live;

/*
 * Takes the lock, freezes the moment, opens a source of it whose volumes know
 * their dm names and their lengths where they are active.  NULL after one
 * sentence, with everything undone.  The source is closed by te_live_close.
 */
struct te_live *te_live_open(const struct te_live_options *options, struct te_source **source);

/* How long the volumes stood still, microseconds. */
u64 te_live_window_us(const struct te_live *live);

/*
 * Takes down view, pins and snapshots and drops the record.  0, or -errno after one
 * sentence when something was left; `thinexport cleanup` then tries again.
 */
int te_live_close(struct te_live *live);

#endif
