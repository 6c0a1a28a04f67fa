// SPDX-License-Identifier: GPL-2.0-or-later
/* thinexport: send and receive for device-mapper thin pools.  The table of verbs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "core/seam.h"

static const struct te_cmd *const verbs[] = {
	&te_cmd_send,
	&te_cmd_receive,
	&te_cmd_view,
	&te_cmd_cleanup,
	&te_cmd_passdown,
	&te_cmd_trim,
	&te_cmd_info,
	&te_cmd_verify,
	&te_cmd_dump,
	NULL,
};

static void list_verbs(FILE *to)
{
	size_t i;

	fprintf(to, "Usage: thinexport VERB [OPTION]... \n\n"
		    "Sends and receives device-mapper thin pools.\n\n");
	for (i = 0; verbs[i]; i++)
		fprintf(to, "  %-10s %s\n", verbs[i]->verb, verbs[i]->summary);
	fprintf(to, "\n`thinexport VERB --help` tells more; so does thinexport(8).\n");
}

static enum te_exit run_verb(const struct te_cmd *cmd, int argc, char **argv)
{
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--"); i++)
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h"))
			return te_help(cmd);
	return cmd->run(argc, argv);
}

/*
 * Takes up what the caller closed of standard input, output and error: the next
 * device opened would be that, and what we say would be written to it.  The wrong
 * way round, so that using them is an error as before.
 */
static int hold_standard(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	return 0;
}

int main(int argc, char **argv)
{
	size_t i;

	if (hold_standard())
		return TE_EXIT_FAILED;
	if (argc < 2) {
		list_verbs(stderr);
		return TE_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("thinexport %s\n", TE_VERSION);
		return TE_EXIT_DONE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		list_verbs(stdout);
		return TE_EXIT_DONE;
	}
	for (i = 0; verbs[i]; i++)
		if (!strcmp(argv[1], verbs[i]->verb))
			return run_verb(verbs[i], argc - 1, argv + 1);
	fprintf(stderr, "thinexport: no verb '%s'; `thinexport --help` lists them\n", argv[1]);
	return TE_EXIT_USAGE;
}
