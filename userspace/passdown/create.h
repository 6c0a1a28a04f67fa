/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a passdown, now and at each boot, and taking it away. */
#ifndef TE_CREATE_H
#define TE_CREATE_H

#include "passdown/shim_file.h"
#include "passdown/stripe.h"

struct te_shim_wish {
	const char *path;		/* of the device */
	const char *name;		/* of the passdown; NULL: after the device */
	u32 stripe_sectors;		/* 0: found */
	bool auto_pass;
	bool zero_fill;
	bool once;			/* until the next boot */
};

/*
 * Looks whether the device is free, finds its stripe, makes /dev/mapper/NAME and, unless
 * once, keeps it for the next boot.  What fails leaves nothing.  -errno after one
 * sentence; *name is what it is called.
 */
int te_shim_create(const struct te_shim_wish *wish, char name[TE_DM_NAME_BYTES],
		   struct te_stripe *stripe);

/*
 * Makes those that are kept and not there yet: all, or the one of this name.  Waits up
 * to so many seconds for their devices.  *nr of them were made.  One that fails
 * does not keep the others from it.
 */
int te_shim_start(const char *name, unsigned int wait_seconds, size_t *nr);

/* Takes down the device, when nobody has it open, and what is kept.  -errno after one sentence. */
int te_shim_remove(const char *name);

#endif
