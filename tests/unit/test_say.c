// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes as a person reads them. */
#include "base/say.h"
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

UNIT_MAIN(UNIT(bytes_carry_three_figures_and_a_unit))
