// SPDX-License-Identifier: GPL-2.0-or-later
/* How many threads to use. */
#include "base/threads.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/say.h"

/* Each has its buffers, so that memory bounds them. */
#define MOST_THREADS	256u

unsigned int te_threads_usable(void)
{
	cpu_set_t usable;
	int nr;

	if (sched_getaffinity(0, sizeof(usable), &usable))
		return 1;
	nr = CPU_COUNT(&usable);
	return (unsigned int)nr < MOST_THREADS ? (unsigned int)nr : MOST_THREADS;
}

int te_threads_parse(const char *text, unsigned int *threads)
{
	unsigned long nr = strtoul(text, NULL, 10);

	if (nr && nr <= MOST_THREADS && !text[strspn(text, "0123456789")]) {
		*threads = (unsigned int)nr;
		return 0;
	}
	te_error("--threads takes 1 to %u, not '%s'", MOST_THREADS, text);
	return -EINVAL;
}
