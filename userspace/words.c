// SPDX-License-Identifier: GPL-2.0-or-later
/* The values of an option that may be repeated. */
#include "words.h"

#include "say.h"

int te_words_add(struct te_words *words, char *word)
{
	char **more = realloc(words->words, (words->nr + 1) * sizeof(*more));

	if (!more) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	words->words = more;
	words->words[words->nr++] = word;
	return 0;
}

void te_words_exit(struct te_words *words)
{
	free(words->words);
	*words = (struct te_words) { .words = NULL };
}
