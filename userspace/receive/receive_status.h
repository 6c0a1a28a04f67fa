/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `receive --status` tells of a target whose receive was interrupted. */
#ifndef TE_RECEIVE_STATUS_H
#define TE_RECEIVE_STATUS_H

#include "core/seam.h"

/*
 * Reads the metadata device and changes nothing.  The token on standard output, all
 * else on stderr; or all as one JSON object.  0, or -errno after one sentence.
 */
int te_receive_status(const char *metadata, bool json);

#endif
