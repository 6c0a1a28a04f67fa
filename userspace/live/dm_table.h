/* SPDX-License-Identifier: GPL-2.0-or-later */
/* More of libdevmapper: whole tables, all devices, and messages that are answered.  Quiet. */
#ifndef TE_DM_TABLE_H
#define TE_DM_TABLE_H

#include "live/dm.h"

struct te_dm_target {
	u64 start, sectors;
	char type[32];
	char parameters[512];
};

/* Of the live table, in order, none when it has no table; free() them. */
int te_dm_targets(const struct te_dm_device *device, struct te_dm_target **targets, size_t *nr);

/* Every device there is, to each(): its non-zero result ends the call. */
int te_dm_each(int (*each)(void *context, const struct te_dm_device *device), void *context);

/* A message to the first target; what that answers, "" when nothing, to answer[bytes]. */
int te_dm_message(const struct te_dm_device *device, const char *message, char *answer,
		  size_t bytes);

/* Removes the device as soon as nobody has it open any more. */
int te_dm_remove_later(const struct te_dm_device *device);

#endif
