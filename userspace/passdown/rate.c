// SPDX-License-Identifier: GPL-2.0-or-later
/* Not more bytes a second than asked for. */
#include "passdown/rate.h"

#include <time.h>

#include "base/clock.h"

void te_rate_start(struct te_rate *rate, u64 most)
{
	*rate = (struct te_rate) { .most = most, .start = te_clock_us() };
}

double te_rate_seconds(const struct te_rate *rate)
{
	return te_clock_seconds(rate->start);
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
