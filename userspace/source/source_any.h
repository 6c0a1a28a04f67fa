/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening whatever a user names as a source: devices, a view, or a live pool. */
#ifndef TE_SOURCE_ANY_H
#define TE_SOURCE_ANY_H

#include "live/live.h"

struct te_source_named {
	const char *metadata;		/* these two, or `what` */
	const char *data;
	const char *what;		/* a view or an image of one, else a pool's name */
	struct te_live_options live;	/* for a pool; its `pool` is filled in */
};

struct te_source_opened {
	struct te_source *source;
	struct te_live *live;		/* NULL: not a live pool */
};

/* True when `what` can only be a source: a view, a block device, a pool's name. */
bool te_source_is_named(const char *what);

/* 0, or -errno after one sentence. */
int te_source_open_any(const struct te_source_named *named, struct te_source_opened *opened);

/* As te_live_close; what was never opened is fine. */
int te_source_close_any(struct te_source_opened *opened);

#endif
