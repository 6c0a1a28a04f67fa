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

bool te_parse_bytes(const char *text, u64 *bytes)
{
	static const char units[] = "KMGT";
	const char *rest = text, *unit;
	unsigned int shift = 0;

	te_parse_number(text, '\0', 1ULL << 62, bytes, &rest);
	if (rest == text || !*bytes)
		return false;
	if (*rest) {
		unit = strchr(units, *rest);
		if (!unit || rest[1])
			return false;
		shift = 10 * (unsigned int)(unit - units + 1);
	}
	if (*bytes > (1ULL << 62) >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

int te_size_option(const char *option, const char *text, u64 most, u64 *bytes)
{
	if (te_parse_bytes(text, bytes) && *bytes <= most)
		return 0;
	te_error("%s takes bytes, as 4096, 192K or 1G, up to %s, not '%s'", option, te_bytes(most),
		 text);
	return -EINVAL;
}
