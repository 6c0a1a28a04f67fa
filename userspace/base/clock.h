/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long something takes: a clock that nobody sets. */
#ifndef TE_CLOCK_H
#define TE_CLOCK_H

#include <time.h>

#include "core/seam.h"

#define TE_CLOCK_SECOND		1000000u	/* in microseconds */

/* Microseconds since some moment before the program's start. */
static inline u64 te_clock_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (u64)time.tv_sec * TE_CLOCK_SECOND + (u64)time.tv_nsec / 1000;
}

/* Seconds since te_clock_us() said `start`. */
static inline double te_clock_seconds(u64 start)
{
	return (double)(te_clock_us() - start) / TE_CLOCK_SECOND;
}

#endif
