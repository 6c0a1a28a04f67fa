// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes as a person reads them. */
#include "base/say.h"
#include "streams.h"
#include "unit.h"

static void bytes_carry_three_figures_and_a_unit(void)
{
	CHECK_STR(te_bytes(0), "0 B");
	CHECK_STR(te_bytes(999), "999 B");
	CHECK_STR(te_bytes(65536), "64 KiB");
	CHECK_STR(te_bytes(1536), "1.50 KiB");
	CHECK_STR(te_bytes(1000 * 1024), "0.98 MiB");
	CHECK_STR(te_bytes(~0ULL), "16 EiB");
}

/* Names come from streams, and a terminal obeys what it gets. */
static void nothing_that_is_said_is_a_command_to_a_terminal(void)
{
	const char *said;

	hear();
	te_error("volume %s", "a\033]0;b\007c\xc2\x9b" "d\xff");
	said = heard();
	CHECK_STR(said, "thinexport: error: volume a?]0;b?c?d?\n");
	hear();
	te_error("volume %s", "\xc3\xa4");
	said = heard();
	CHECK_STR(said, "thinexport: error: volume \xc3\xa4\n");
}

UNIT_MAIN(UNIT(nothing_that_is_said_is_a_command_to_a_terminal),
	  UNIT(bytes_carry_three_figures_and_a_unit))
