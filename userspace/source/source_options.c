// SPDX-License-Identifier: GPL-2.0-or-later
/* The options by which verbs name a source and say what is not written in it. */
#include "source/source_options.h"

#include "lvm/lvm.h"
#include "base/say.h"

#define MOST_WINDOW_MS	600000ul

static enum te_exit take_window(const char *text, struct te_live_options *live)
{
	unsigned long ms = strtoul(text, NULL, 10);

	if (ms && ms <= MOST_WINDOW_MS && !text[strspn(text, "0123456789")]) {
		live->window_limit_ms = (unsigned int)ms;
		return TE_EXIT_DONE;
	}
	te_error("--window-limit takes 1 to %lu (milliseconds), not '%s'", MOST_WINDOW_MS, text);
	return TE_EXIT_USAGE;
}

static enum te_exit take_word(struct te_words *words)
{
	return te_words_add(words, optarg) ? TE_EXIT_FAILED : TE_EXIT_DONE;
}

enum te_exit te_source_take_option(struct te_source_options *options, int c,
				   const struct te_cmd *cmd)
{
	switch (c) {
	case TE_OPTION_METADATA:
		options->named.metadata = optarg;
		return TE_EXIT_DONE;
	case TE_OPTION_DATA:
		options->named.data = optarg;
		return TE_EXIT_DONE;
	case TE_OPTION_VOLUME:
		return take_word(&options->volumes);
	case TE_OPTION_WINDOW_LIMIT:
		return take_window(optarg, &options->named.live);
	case TE_OPTION_DIRECT:
		options->named.live.reader = TE_LIVE_DIRECT;
		return TE_EXIT_DONE;
	case TE_OPTION_SIZE:
		return take_word(&options->sizes);
	case TE_OPTION_NAME:
		return take_word(&options->names);
	case TE_OPTION_POOL_NAME:
		options->pool_name = optarg;
		return TE_EXIT_DONE;
	default:
		return te_usage(cmd);
	}
}

int te_source_options_more(struct te_source_options *options, char **words, int nr)
{
	const char *what = options->named.what;

	if (nr <= 0)
		return 0;
	options->named.live.more = words;
	options->named.live.nr_more = (size_t)nr;
	return what && te_lvm_is_path(what) ? 0 : -EINVAL;
}

int te_source_options_count(struct te_source_options *options, const char *what)
{
	struct te_source_named *named = &options->named;

	named->what = what;
	named->live.volumes = options->volumes.words;
	named->live.nr_volumes = options->volumes.nr;
	if (!named->metadata != !named->data || (what && named->metadata))
		return -EINVAL;
	return what || named->metadata;
}

int te_source_apply_options(struct te_source *source, const struct te_source_options *options,
			    bool live)
{
	int err;

	if (options->pool_name)
		source->pool_name = options->pool_name;
	/* Names first, so that --volume may use them. */
	err = te_source_set_names(source, options->names.words, options->names.nr);
	if (!err)
		err = te_source_set_sizes(source, options->sizes.words, options->sizes.nr);
	if (!err && options->volumes.nr && !live)
		err = te_source_choose(source, options->volumes.words, options->volumes.nr);
	return err;
}

void te_source_options_exit(struct te_source_options *options)
{
	te_words_exit(&options->volumes);
	te_words_exit(&options->sizes);
	te_words_exit(&options->names);
}
