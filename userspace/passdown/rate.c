// SPDX-License-Identifier: GPL-2.0-or-later
/* Not more bytes a second than asked for. */
#include "passdown/rate.h"

void te_rate_start(struct te_rate *rate, u64 most)
{
	*rate = (struct te_rate) { .most = most };
	clock_gettime(CLOCK_MONOTONIC, &rate->start);
}

double te_rate_seconds(const struct te_rate *rate)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - rate->start.tv_sec) +
	       (double)(now.tv_nsec - rate->start.tv_nsec) / 1e9;
}

void te_rate_add(struct te_rate *rate, u64 bytes)
{
	struct timespec pause;
	double ahead;

	rate->bytes += bytes;
	if (!rate->most)
		return;
	ahead = (double)rate->bytes / (double)rate->most - te_rate_seconds(rate);
	if (ahead <= 0)
		return;
	pause.tv_sec = (time_t)ahead;
	pause.tv_nsec = (long)((ahead - (double)pause.tv_sec) * 1e9);
	nanosleep(&pause, NULL);
}
