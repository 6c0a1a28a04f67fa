// SPDX-License-Identifier: GPL-2.0-or-later
/* How far long work is, in one line on a terminal. */
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "say.h"

#define REDRAW_SECONDS	0.5

static struct {
	const char *verb;		/* NULL: nothing is under way */
	u64 total;			/* bytes, as is `done` */
	u64 done;
	bool terminal;
	bool drawn;
	double begun;			/* seconds of the monotonic clock */
	double next;			/* when to draw again */
} progress;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void clear(void)
{
	if (progress.drawn)
		fputs("\r\033[K", stderr);
	progress.drawn = false;
}

/* "3:07" or "2:03:07", of what is left at the mean rate so far. */
static void format_left(char *text, size_t bytes, double rate)
{
	u64 left;

	text[0] = '\0';
	if (progress.total <= progress.done || rate < 1)
		return;
	left = (u64)((double)(progress.total - progress.done) / rate);
	if (left >= 3600)
		snprintf(text, bytes, ", %llu:%02u:%02u left", (unsigned long long)left / 3600,
			 (unsigned int)(left / 60 % 60), (unsigned int)(left % 60));
	else
		snprintf(text, bytes, ", %u:%02u left", (unsigned int)(left / 60),
			 (unsigned int)(left % 60));
}

static void draw(double seconds)
{
	double rate = seconds > 0 ? (double)progress.done / seconds : 0;
	char left[40];

	format_left(left, sizeof(left), rate);
	fprintf(stderr, "\r%s %s", progress.verb, te_bytes(progress.done));
	if (progress.total)
		fprintf(stderr, " of %s, %u %%", te_bytes(progress.total),
			(unsigned int)((double)progress.done * 100 / (double)progress.total));
	fprintf(stderr, ", %s/s%s\033[K", te_bytes((u64)rate), left);
	fflush(stderr);
	progress.drawn = true;
}

void te_progress_begin(const char *verb, u64 total_bytes)
{
	progress.verb = verb;
	progress.total = total_bytes;
	progress.done = 0;
	progress.terminal = isatty(STDERR_FILENO);
	progress.begun = now();
	progress.next = progress.begun + REDRAW_SECONDS;
	te_say_before(clear);
}

void te_progress_add(u64 bytes)
{
	double time;

	progress.done += bytes;
	if (!progress.verb || !progress.terminal)
		return;
	time = now();
	if (time < progress.next)
		return;
	progress.next = time + REDRAW_SECONDS;
	draw(time - progress.begun);
}

void te_progress_end(void)
{
	clear();
	progress.verb = NULL;
}

double te_progress_seconds(void)
{
	double seconds = now() - progress.begun;

	return seconds > 1e-9 ? seconds : 1e-9;
}
