/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Not more bytes a second than asked for. */
#ifndef TE_RATE_H
#define TE_RATE_H

#include "core/seam.h"

struct te_rate {
	u64 most;			/* bytes a second; 0: any */
	u64 bytes;			/* since the start */
	u64 start;			/* te_clock_us() */
};

void te_rate_start(struct te_rate *rate, u64 most);

/* So many bytes more have gone: waits until that many may have; a signal ends it. */
void te_rate_add(struct te_rate *rate, u64 bytes);

/* Seconds since the start. */
double te_rate_seconds(const struct te_rate *rate);

#endif
