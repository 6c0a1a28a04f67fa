/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sink that is a new pool, on two devices or in two files. */
#ifndef TE_SINK_POOL_H
#define TE_SINK_POOL_H

#include "receive/sink.h"

/*
 * Until finish() has ended well there is no pool, but perhaps a place to go on at.  NULL
 * after one sentence.
 */
struct te_sink *te_sink_pool_create(struct te_target *target,
				    const struct te_receive_options *options);
void te_sink_pool_destroy(struct te_sink *sink);

#endif
