/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the command tells a person, on stderr: one sentence a fact. */
#ifndef TE_SAY_H
#define TE_SAY_H

#include "core/fault.h"

/* "thinexport: error: ..." / "thinexport: warning: ..." / "thinexport: ..." and a line end. */
void te_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void te_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void te_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What to call before each line: who draws on the terminal makes room.  NULL: nothing. */
void te_say_before(void (*make_room)(void));

/*
 * For threads whose results are taken in order: errors of the calling thread are
 * kept in `said` from here on, each in the place of the one before; NULL: they are
 * said again.  te_say_kept says what was kept.
 */
#define TE_SAID_BYTES	1024
void te_say_keep(char said[TE_SAID_BYTES]);
void te_say_kept(const char said[TE_SAID_BYTES]);

/* The error that a fault of the core is, with the name of what was read. */
void te_error_fault(const char *name, const struct te_fault *fault);

/*
 * Bytes for a person: "1.5 GiB", "64 KiB", "512 B": three figures, binary
 * units, into a static ring of buffers that eight calls in one printf may use.
 */
const char *te_bytes(u64 bytes);

#endif
