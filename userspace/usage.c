// SPDX-License-Identifier: GPL-2.0-or-later
/* How a verb is used, said when it was used otherwise. */
#include <stdio.h>

#include "cmd.h"

enum te_exit te_usage(const struct te_cmd *cmd)
{
	fprintf(stderr, "Usage: thinexport %s %s\n%s", cmd->verb, cmd->synopsis, cmd->help);
	return TE_EXIT_USAGE;
}
