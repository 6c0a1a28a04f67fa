/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Another stripe for a passdown, in use or not: after a reshape the array has another.
 *
 * The table is exchanged while all that lies above waits.  What was free or passed down
 * is forgotten, since whole stripes of the old size may never have been taken; a trim
 * finds it again.
 */
#ifndef TE_RESTRIPE_H
#define TE_RESTRIPE_H

#include "passdown/stripe.h"

/*
 * The stripe that is given, or when 0 the array's, for the passdown of this name, now and
 * for each boot that it is kept for.  -errno after one sentence.
 */
int te_shim_restripe(const char *name, u32 given, struct te_stripe *stripe);

#endif
