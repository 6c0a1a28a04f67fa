/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pools that can be trimmed. */
#ifndef TE_TRIM_EACH_H
#define TE_TRIM_EACH_H

/*
 * Each active pool of which any part lies on a passdown, by dm name, to each(): its
 * non-zero result ends the call.  -errno after one sentence; one that cannot be looked
 * at does not keep the others from it.
 */
int te_trim_each_pool(int (*each)(void *context, const char *pool), void *context);

#endif
