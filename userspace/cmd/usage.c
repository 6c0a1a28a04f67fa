// SPDX-License-Identifier: GPL-2.0-or-later
/* How a verb is used: when asked, and when it was used otherwise. */
#include <stdio.h>

#include "cmd/cmd.h"

static void print_usage(FILE *to, const struct te_cmd *cmd)
{
	fprintf(to, "Usage: thinexport %s %s\n%s", cmd->verb, cmd->synopsis, cmd->help);
}

enum te_exit te_usage(const struct te_cmd *cmd)
{
	print_usage(stderr, cmd);
	return TE_EXIT_USAGE;
}

enum te_exit te_help(const struct te_cmd *cmd)
{
	print_usage(stdout, cmd);
	return fflush(stdout) ? TE_EXIT_FAILED : TE_EXIT_DONE;
}
