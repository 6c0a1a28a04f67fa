/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options by which verbs name a source and say what is not written in it.  A
 * verb puts the groups that it takes into its table for getopt_long() and hands
 * what it does not know itself to te_source_take_option().
 */
#ifndef TE_SOURCE_OPTIONS_H
#define TE_SOURCE_OPTIONS_H

#include <getopt.h>

#include "cmd/cmd.h"
#include "source/source_any.h"
#include "base/words.h"

/* Their codes, above those of all characters. */
enum te_source_option {
	TE_OPTION_METADATA = 256,
	TE_OPTION_DATA,
	TE_OPTION_VOLUME,
	TE_OPTION_WINDOW_LIMIT,
	TE_OPTION_DIRECT,
	TE_OPTION_SIZE,
	TE_OPTION_NAME,
	TE_OPTION_POOL_NAME,
};

/* A pool that is not active, by its devices or images of them. */
#define TE_SOURCE_DEVICE_OPTIONS						\
	{ "metadata", required_argument, NULL, TE_OPTION_METADATA },		\
	{ "data", required_argument, NULL, TE_OPTION_DATA }

/* Of what a moment is taken, and how long that may last. */
#define TE_SOURCE_MOMENT_OPTIONS						\
	{ "volume", required_argument, NULL, TE_OPTION_VOLUME },		\
	{ "window-limit", required_argument, NULL, TE_OPTION_WINDOW_LIMIT }

/* How it is read, and what its metadata does not tell. */
#define TE_SOURCE_TELLING_OPTIONS						\
	{ "direct", no_argument, NULL, TE_OPTION_DIRECT },			\
	{ "size", required_argument, NULL, TE_OPTION_SIZE },			\
	{ "name", required_argument, NULL, TE_OPTION_NAME },			\
	{ "pool-name", required_argument, NULL, TE_OPTION_POOL_NAME }

struct te_source_options {
	struct te_source_named named;
	struct te_words volumes;
	struct te_words sizes;
	struct te_words names;
	const char *pool_name;
};

/* Takes option `c` with its optarg, or says how the verb is used. */
enum te_exit te_source_take_option(struct te_source_options *options, int c,
				   const struct te_cmd *cmd);

/*
 * The words behind SOURCE, which only LVM's names of volumes may have.  0, or
 * -EINVAL.
 */
int te_source_options_more(struct te_source_options *options, char **words, int nr);

/*
 * When all are taken: how many sources they name with `what`, a SOURCE or NULL.
 * 0 or 1; -EINVAL for half a one, and for two.
 */
int te_source_options_count(struct te_source_options *options, const char *what);

/* Gives an opened source its names, sizes and choice.  0, or -errno after one sentence. */
int te_source_apply_options(struct te_source *source, const struct te_source_options *options,
			    bool live);

void te_source_options_exit(struct te_source_options *options);

#endif
