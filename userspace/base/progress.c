// SPDX-License-Identifier: GPL-2.0-or-later
/* How far long work is: a line on a terminal, or objects for a program. */
#include "base/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/say.h"

#define REDRAW_SECONDS	0.5
#define REPORT_SECONDS	1.0

/* The word in JSON, and before the bytes that are done. */
static const struct {
	const char *word;
	const char *done;
} phases[] = {
	[TE_PROGRESS_SEND] = { "send", "sent" },
	[TE_PROGRESS_RECEIVE] = { "receive", "received" },
	[TE_PROGRESS_VERIFY] = { "verify", "verified" },
	[TE_PROGRESS_SCAN] = { "scan", "looked through" },
	[TE_PROGRESS_FINISH] = { "finish", "finishing" },
};

static enum { AUTO, JSON, NONE } mode;

static struct {
	bool running;
	enum te_progress_phase phase;
	u64 total;			/* bytes, as is `done` */
	u64 done;
	bool terminal;
	bool drawn;
	u64 begun;			/* te_clock_us() then */
	double next;			/* seconds from there: when to draw or report again */
} progress;

bool te_progress_option(const char *word)
{
	if (!strcmp(word, "auto"))
		mode = AUTO;
	else if (!strcmp(word, "json"))
		mode = JSON;
	else if (!strcmp(word, "none"))
		mode = NONE;
	else
		te_error("--progress takes auto, json or none, not '%s'", word);
	return !strcmp(word, "auto") || mode != AUTO;
}

void te_progress_hide(void)
{
	if (progress.drawn)
		fputs("\r\033[K", stderr);
	progress.drawn = false;
}

/* Of what is left at the mean rate so far; false when that cannot be told. */
static bool seconds_left(double rate, u64 *left)
{
	if (!progress.total || progress.done > progress.total || rate < 1)
		return false;
	*left = (u64)((double)(progress.total - progress.done) / rate);
	return true;
}

/* "3:07" or "2:03:07". */
static void format_left(char *text, size_t bytes, double rate)
{
	u64 left;

	text[0] = '\0';
	if (!seconds_left(rate, &left) || progress.done == progress.total)
		return;
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
	fprintf(stderr, "\r%s %s", phases[progress.phase].done, te_bytes(progress.done));
	if (progress.total)
		fprintf(stderr, " of %s, %u %%", te_bytes(progress.total),
			(unsigned int)((double)progress.done * 100 / (double)progress.total));
	fprintf(stderr, ", %s/s%s\033[K", te_bytes((u64)rate), left);
	fflush(stderr);
	progress.drawn = true;
}

static void report(double seconds)
{
	double rate = seconds > 0 ? (double)progress.done / seconds : 0;
	char total[48] = "", left_text[48] = "";
	u64 left;

	if (progress.total)
		snprintf(total, sizeof(total), ",\"total_bytes\":%llu",
			 (unsigned long long)progress.total);
	if (seconds_left(rate, &left))
		snprintf(left_text, sizeof(left_text), ",\"seconds_left\":%llu",
			 (unsigned long long)left);
	fprintf(stderr, "{\"phase\":\"%s\",\"done_bytes\":%llu%s,\"rate\":%llu,\"seconds\":%.1f%s}\n",
		phases[progress.phase].word, (unsigned long long)progress.done, total,
		(unsigned long long)rate, seconds, left_text);
	fflush(stderr);
}

static void show(double seconds)
{
	if (mode == JSON)
		report(seconds);
	else
		draw(seconds);
	progress.next = seconds + (mode == JSON ? REPORT_SECONDS : REDRAW_SECONDS);
}

static bool is_shown(void)
{
	return progress.running && (mode == JSON || (mode == AUTO && progress.terminal));
}

void te_progress_begin(enum te_progress_phase phase, u64 total_bytes)
{
	progress.running = true;
	progress.phase = phase;
	progress.total = total_bytes;
	progress.done = 0;
	progress.terminal = isatty(STDERR_FILENO);
	progress.begun = te_clock_us();
	progress.next = REDRAW_SECONDS;
	te_say_before(te_progress_hide);
	if (mode == JSON)
		show(0);
}

void te_progress_add(u64 bytes)
{
	double seconds;

	progress.done += bytes;
	if (!is_shown())
		return;
	seconds = te_clock_seconds(progress.begun);
	if (seconds >= progress.next)
		show(seconds);
}

void te_progress_turn(enum te_progress_phase phase)
{
	progress.phase = phase;
	if (is_shown())
		show(te_clock_seconds(progress.begun));
}

void te_progress_end(void)
{
	if (progress.running && mode == JSON)
		report(te_clock_seconds(progress.begun));
	te_progress_hide();
	progress.running = false;
}

double te_progress_seconds(void)
{
	double seconds = te_clock_seconds(progress.begun);

	return seconds > 1e-9 ? seconds : 1e-9;
}
