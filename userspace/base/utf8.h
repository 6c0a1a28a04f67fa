/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8: what is well formed, and what may go to a terminal. */
#ifndef TE_UTF8_H
#define TE_UTF8_H

#include "core/seam.h"

/* Bytes of the well-formed character that starts at p, 0 when there is none. */
size_t te_utf8_length(const unsigned char *p, size_t bytes);

/* True when it is well formed throughout and holds no NUL. */
bool te_utf8_valid(const char *text, size_t bytes);

/*
 * A copy in at most `columns` characters with nothing in it that a terminal
 * takes for a command: control characters and broken bytes become '?', a cut
 * end "...".  To be freed; NULL: no memory.
 */
char *te_utf8_printable(const char *text, size_t columns);

#endif
