/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files that speak to libdevmapper share: dm.c and dm_table.c. */
#ifndef TE_DM_TASK_H
#define TE_DM_TASK_H

#include <libdevmapper.h>

#include "live/dm.h"

/* A task on a device told by its number, or NULL; dm_task_destroy() it. */
struct dm_task *te_dm_task_on(int type, const struct te_dm_device *device);

/* Runs it: 0, or -errno of the kernel's; libdevmapper's own failures are -EIO.  Quiet. */
int te_dm_task_run(struct dm_task *task);

#endif
