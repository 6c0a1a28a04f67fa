// SPDX-License-Identifier: GPL-2.0-or-later
/* A place in a stream, and the token that carries it. */
#include "stream/resume.h"

#include <stdio.h>

#include "stream/frame.h"
#include "base/say.h"

/* 2^63 bytes. */
#define MAX_SECTORS	(1ULL << 54)

/* BEGIN and CATALOG stand before any place. */
#define LEAST_FRAMES	2u

/* In a token: the struct, and its checksum. */
#define PLACE_BYTES	sizeof(struct te_resume)
#define BYTES		(PLACE_BYTES + sizeof(__le32))

_Static_assert(BYTES % 3 == 0, "base64 without a rest");
_Static_assert(sizeof(TE_TOKEN_PREFIX) - 1 + BYTES / 3 * 4 + 1 == TE_TOKEN_BYTES,
	       "a token's length");

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

u64 te_resume_beginning(const struct te_begin *begin, const void *catalog, size_t bytes)
{
	return te_frame_digest_bytes(te_frame_digest_bytes(0, begin, sizeof(*begin)), catalog,
				     bytes);
}

static bool is_plausible(const struct te_resume *resume)
{
	bool in_section = le32_to_cpu(resume->flags) & TE_RESUME_IN_SECTION;
	u64 ops = le64_to_cpu(resume->section_ops);
	u64 data = le64_to_cpu(resume->section_data_sectors);
	u64 zeros = le64_to_cpu(resume->section_zero_sectors);

	if (!in_section && (resume->position || ops || data || zeros))
		return false;
	return !resume->zero[0] && !memcmp(resume->zero, resume->zero + 1, sizeof(resume->zero) - 1) &&
	       le64_to_cpu(resume->sequence) >= LEAST_FRAMES &&
	       le64_to_cpu(resume->sequence) < UINT64_MAX / 2 &&
	       le32_to_cpu(resume->index) <= 1u << 24 &&
	       le64_to_cpu(resume->position) <= MAX_SECTORS &&
	       ops <= le64_to_cpu(resume->nr_ops) &&
	       data <= le64_to_cpu(resume->data_sectors) &&
	       zeros <= le64_to_cpu(resume->zero_sectors) &&
	       le64_to_cpu(resume->data_sectors) <= MAX_SECTORS &&
	       le64_to_cpu(resume->zero_sectors) <= MAX_SECTORS;
}

int te_resume_check(const struct te_resume *resume, char *why, size_t bytes)
{
	u32 version = le32_to_cpu(resume->version);

	if (le64_to_cpu(resume->magic) != TE_RESUME_MAGIC) {
		snprintf(why, bytes, "names no place in a stream (magic 0x%016llx)",
			 (unsigned long long)le64_to_cpu(resume->magic));
		return -EBADMSG;
	}
	if (version != TE_STREAM_VERSION) {
		snprintf(why, bytes, "is of version %u; this thinexport knows version %u", version,
			 TE_STREAM_VERSION);
		return -EOPNOTSUPP;
	}
	if (le32_to_cpu(resume->incompat) & ~TE_STREAM_INCOMPAT_KNOWN ||
	    le32_to_cpu(resume->flags) & ~TE_RESUME_IN_SECTION) {
		snprintf(why, bytes, "uses features that this thinexport does not know (incompat 0x%x, flags 0x%x)",
			 le32_to_cpu(resume->incompat), le32_to_cpu(resume->flags));
		return -EOPNOTSUPP;
	}
	if (is_plausible(resume))
		return 0;
	snprintf(why, bytes, "names an impossible place");
	return -EBADMSG;
}

void te_resume_to_token(const struct te_resume *resume, char token[TE_TOKEN_BYTES])
{
	__le32 csum = cpu_to_le32(te_frame_csum(resume, PLACE_BYTES));
	char *to = stpcpy(token, TE_TOKEN_PREFIX);
	u8 bytes[BYTES];
	size_t i;

	memcpy(bytes, resume, PLACE_BYTES);
	memcpy(bytes + PLACE_BYTES, &csum, sizeof(csum));
	for (i = 0; i < BYTES; i += 3) {
		u32 three = (u32)bytes[i] << 16 | (u32)bytes[i + 1] << 8 | bytes[i + 2];

		*to++ = digits[three >> 18];
		*to++ = digits[three >> 12 & 63];
		*to++ = digits[three >> 6 & 63];
		*to++ = digits[three & 63];
	}
	*to = '\0';
}

/* False at what is no digit. */
static bool decode(const char *text, u8 *bytes)
{
	u32 bits = 0;
	size_t i;

	for (i = 0; i < BYTES / 3 * 4; i++) {
		const char *digit = text[i] ? strchr(digits, text[i]) : NULL;

		if (!digit)
			return false;
		bits = bits << 6 | (u32)(digit - digits);
		if (i % 4 != 3)
			continue;
		*bytes++ = (u8)(bits >> 16);
		*bytes++ = (u8)(bits >> 8);
		*bytes++ = (u8)bits;
	}
	return !text[i];
}

int te_resume_from_token(const char *text, struct te_resume *resume)
{
	const size_t prefix = sizeof(TE_TOKEN_PREFIX) - 1;
	u8 bytes[BYTES];
	char why[160];
	__le32 csum;

	if (strncmp(text, TE_TOKEN_PREFIX, prefix)) {
		te_error("--resume: that is no token; `thinexport receive --status` prints it, one line that starts with %s",
			 TE_TOKEN_PREFIX);
		return -EINVAL;
	}
	if (strlen(text) != TE_TOKEN_BYTES - 1 || !decode(text + prefix, bytes))
		memset(bytes, 0, sizeof(bytes));
	memcpy(resume, bytes, PLACE_BYTES);
	memcpy(&csum, bytes + PLACE_BYTES, sizeof(csum));
	if (le32_to_cpu(csum) != te_frame_csum(bytes, PLACE_BYTES)) {
		te_error("--resume: the token is damaged or not whole: copy all of the line, %d characters",
			 TE_TOKEN_BYTES - 1);
		return -EINVAL;
	}
	if (te_resume_check(resume, why, sizeof(why))) {
		te_error("--resume: the token %s", why);
		return -EINVAL;
	}
	return 0;
}
