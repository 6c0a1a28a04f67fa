// SPDX-License-Identifier: GPL-2.0-or-later
/* The values of an option that may be repeated, and numbers in them. */
#include "base/words.h"

#include "base/say.h"

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

bool te_parse_number(const char *text, char end, u64 most, u64 *number, const char **rest)
{
	u64 value = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (value > (most - (u64)(*text - '0')) / 10)
			return false;
		value = value * 10 + (u64)(*text - '0');
	}
	*number = value;
	*rest = text;
	return *text == end;
}
