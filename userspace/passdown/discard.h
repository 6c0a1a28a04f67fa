/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Discarding free extents through the passdowns below a pool, whose guards are on. */
#ifndef TE_DISCARD_H
#define TE_DISCARD_H

#include "passdown/extents.h"

/*
 * All extents that lie on passdowns, which take them only while their guards are on.  Now
 * and then looks whether an array is being reshaped.  most_rate (bytes a second, 0: any)
 * is kept where stripes go down by themselves.  What was sent to *sent, in bytes, whatever
 * happens.  -errno after one sentence; -EINTR: interrupted.
 */
int te_discard_extents(const struct te_extents *extents, u64 most_rate, u64 *sent);

#endif
