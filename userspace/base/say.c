// SPDX-License-Identifier: GPL-2.0-or-later
/* What the command tells a person, on stderr: one sentence a fact. */
#include "base/say.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/utf8.h"

static void (*before)(void);
static _Thread_local char *kept;

void te_say_before(void (*make_room)(void))
{
	before = make_room;
}

static void say(const char *kind, const char *format, va_list arguments)
{
	char line[TE_SAID_BYTES], *clean;

	/* One write a line, so that a child's words and ours do not mix. */
	vsnprintf(line, sizeof(line), format, arguments);
	/* Names may come from a stream. */
	clean = te_utf8_printable(line, sizeof(line));
	if (before)
		before();
	fprintf(stderr, "thinexport: %s%s\n", kind, clean ? clean : "not enough memory");
	te_free(clean);
}

void te_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	if (kept)
		vsnprintf(kept, TE_SAID_BYTES, format, arguments);
	else
		say("error: ", format, arguments);
	va_end(arguments);
}

void te_say_keep(char said[TE_SAID_BYTES])
{
	kept = said;
	if (said)
		said[0] = '\0';
}

void te_say_kept(const char said[TE_SAID_BYTES])
{
	te_error("%s", said);
}

void te_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("warning: ", format, arguments);
	va_end(arguments);
}

void te_note(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	say("", format, arguments);
	va_end(arguments);
}

void te_error_fault(const char *name, const struct te_fault *fault)
{
	if (fault->kind == TE_FAULT_IO) {
		te_error("%s: cannot read metadata block %llu: %s", name,
			 (unsigned long long)fault->block, strerror(-(int)(int64_t)fault->found));
		return;
	}
	te_error("%s: metadata block %llu: %s (found %llu, wanted %llu)", name,
		 (unsigned long long)fault->block, te_fault_words(fault->kind),
		 (unsigned long long)fault->found, (unsigned long long)fault->wanted);
}

const char *te_bytes(u64 bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	static char ring[8][16];
	static unsigned int turn;
	char *text = ring[turn++ % ARRAY_SIZE(ring)];
	double value = (double)bytes;
	unsigned int unit = 0;

	while (value >= 999.5 && unit + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		unit++;
	}
	if (unit == 0 || value == (u64)value)
		snprintf(text, sizeof(ring[0]), "%llu %s", (unsigned long long)value, units[unit]);
	else
		snprintf(text, sizeof(ring[0]), "%.*f %s",
			 value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, units[unit]);
	return text;
}
