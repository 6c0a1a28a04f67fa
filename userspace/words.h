/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of an option that may be repeated. */
#ifndef TE_WORDS_H
#define TE_WORDS_H

#include <stddef.h>

struct te_words {
	char **words;			/* they lie in argv */
	size_t nr;
};

/* 0, or -ENOMEM after one sentence. */
int te_words_add(struct te_words *words, char *word);
void te_words_exit(struct te_words *words);

#endif
