/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device-mapper request made ready beforehand.
 *
 * While a pool stands still, any allocation, log line or opened file may wait
 * for a file system that waits for the pool.  libdevmapper does all three in
 * dm_task_run().  So what the window asks of the kernel is filled in before it,
 * in memory that is locked, and issued by one ioctl on a descriptor that is
 * open already.  The watchdog holds the same requests.
 */
#ifndef TE_DM_CALL_H
#define TE_DM_CALL_H

#include <linux/dm-ioctl.h>
#include <sys/types.h>

#include "core/seam.h"

#define TE_DM_CALL_BYTES	448	/* dm_ioctl, dm_target_msg and a short message */

struct te_dm_call {
	unsigned long request;
	union {
		struct dm_ioctl head;
		char bytes[TE_DM_CALL_BYTES];
	};
};

/* A descriptor of /dev/mapper/control, or -errno. */
int te_dm_control_open(void);

enum te_dm_freeze {
	TE_DM_FREEZE,			/* a file system right on the device is frozen */
	TE_DM_NO_FREEZE,
};

void te_dm_call_suspend(struct te_dm_call *call, dev_t device, enum te_dm_freeze freeze);
void te_dm_call_resume(struct te_dm_call *call, dev_t device);
void te_dm_call_message(struct te_dm_call *call, dev_t device, const char *message);

/*
 * Issues the request: 0 or -errno.  Allocates nothing, changes nothing of *call,
 * may be called by two processes at once.
 */
int te_dm_call_run(int control, const struct te_dm_call *call);

#endif
