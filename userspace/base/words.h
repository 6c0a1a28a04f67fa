/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of an option that may be repeated, and numbers in them. */
#ifndef TE_WORDS_H
#define TE_WORDS_H

#include "core/seam.h"

struct te_words {
	char **words;			/* they lie in argv */
	size_t nr;
};

/* 0, or -ENOMEM after one sentence. */
int te_words_add(struct te_words *words, char *word);
void te_words_exit(struct te_words *words);

/*
 * A decimal number of at most `most`, up to `end`, where *rest then points; false
 * when it is not one.
 */
bool te_parse_number(const char *text, char end, u64 most, u64 *number, const char **rest);

/* Bytes, or K, M, G or T of them (powers of 1024): false when it is not that, or 0. */
bool te_parse_bytes(const char *text, u64 *bytes);

/* The same of an option, up to `most`.  -EINVAL after one sentence. */
int te_size_option(const char *option, const char *text, u64 most, u64 *bytes);

#endif
