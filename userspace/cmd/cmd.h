/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs: one cmd_<verb>.c each, called from the table in thinexport.c. */
#ifndef TE_CMD_H
#define TE_CMD_H

/* What a verb returns, and the command exits with. */
enum te_exit {
	TE_EXIT_DONE	= 0,
	TE_EXIT_FAILED	= 1,	/* said why, in one sentence, on stderr */
	TE_EXIT_USAGE	= 2,
};

struct te_cmd {
	const char *verb;
	const char *synopsis;	/* behind the verb */
	const char *summary;	/* one line for the list of verbs */
	const char *help;	/* options, a line each */
	enum te_exit (*run)(int argc, char **argv);	/* argv[0] is the verb */
};

extern const struct te_cmd te_cmd_send, te_cmd_receive, te_cmd_info, te_cmd_verify,
	te_cmd_dump, te_cmd_view, te_cmd_cleanup, te_cmd_passdown,
	te_cmd_trim;

/* Says how the verb is used, on stderr, and returns TE_EXIT_USAGE. */
enum te_exit te_usage(const struct te_cmd *cmd);

/* The same on stdout, for one who asked. */
enum te_exit te_help(const struct te_cmd *cmd);

#endif
