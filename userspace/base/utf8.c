// SPDX-License-Identifier: GPL-2.0-or-later
/* UTF-8: what is well formed, and what may go to a terminal. */
#include "base/utf8.h"

size_t te_utf8_length(const unsigned char *p, size_t bytes)
{
	static const struct {
		unsigned char mask, lead;
		u32 lowest;
	} forms[] = { { 0x80, 0x00, 1 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 },
		      { 0xf8, 0xf0, 0x10000 } };
	size_t form, i;
	u32 code;

	for (form = 0; form < ARRAY_SIZE(forms); form++)
		if (bytes > form && (p[0] & forms[form].mask) == forms[form].lead)
			break;
	if (form == ARRAY_SIZE(forms))
		return 0;
	code = p[0] & (unsigned char)~forms[form].mask;
	for (i = 1; i <= form; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	/* Overlong forms, surrogates and what lies beyond Unicode are not UTF-8. */
	if (code < forms[form].lowest || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return form + 1;
}

bool te_utf8_valid(const char *text, size_t bytes)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t length;

	for (; bytes; p += length, bytes -= length) {
		length = te_utf8_length(p, bytes);
		if (!length)
			return false;
	}
	return true;
}

/* C0, DEL and C1 (which is U+0080 to U+009f, 0xc2 and the code itself). */
static bool is_control(const unsigned char *p, size_t length)
{
	return (length == 1 && (*p < 0x20 || *p == 0x7f)) ||
	       (length == 2 && p[0] == 0xc2 && p[1] < 0xa0);
}

char *te_utf8_printable(const char *text, size_t columns)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + strlen(text);
	char *copy = te_alloc(strlen(text) + 4), *out = copy, *cut = copy;
	size_t column = 0;

	if (!copy)
		return NULL;
	while (p < end) {
		size_t length = te_utf8_length(p, (size_t)(end - p));

		if (column + 3 <= columns)
			cut = out;
		if (column++ == columns) {
			strcpy(cut, columns < 3 ? "" : "...");
			return copy;
		}
		if (!length || is_control(p, length)) {
			*out++ = '?';
			p += length ? length : 1;
			continue;
		}
		memcpy(out, p, length);
		out += length;
		p += length;
	}
	*out = 0;
	return copy;
}
