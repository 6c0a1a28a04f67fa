/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A place in a stream, and the token that carries it from a receiver to the sender.
 *
 * Who reads a stream knows, behind every frame, all that RESUME tells: the digest
 * and number of the frames so far, what their ops came to, where the open section
 * stands.  With that and the plan of the same moment the sender needs nothing of what
 * has arrived.  That it is the same moment shows in `beginning`: the catalog holds
 * the plan's digest.
 *
 * A token is the place as one line of text that survives a terminal, a mail and a
 * shell: "te1-", then the 128 bytes of struct te_resume and their crc32c in base64
 * with '-' and '_' for '+' and '/' (RFC 4648, section 5).
 */
#ifndef TE_RESUME_H
#define TE_RESUME_H

#include <thinexport/stream.h>
#include "core/seam.h"

#define TE_TOKEN_PREFIX		"te1-"
#define TE_TOKEN_BYTES		(4 + 176 + 1)	/* with its NUL */

/* The digest of a stream's beginning, for te_resume.beginning. */
u64 te_resume_beginning(const struct te_begin *begin, const void *catalog, size_t bytes);

/*
 * Can this be a place, whatever stream it is of?  0, or -EBADMSG, -EOPNOTSUPP, with
 * the rest of a sentence in `why`.
 */
int te_resume_check(const struct te_resume *resume, char *why, size_t bytes);

void te_resume_to_token(const struct te_resume *resume, char token[TE_TOKEN_BYTES]);

/* -EINVAL after one sentence. */
int te_resume_from_token(const char *token, struct te_resume *resume);

#endif
