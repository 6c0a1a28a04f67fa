/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel tells of a block device in /sys/dev/block/MAJOR:MINOR. */
#ifndef TE_SYSFS_H
#define TE_SYSFS_H

#include <sys/types.h>

#include "core/seam.h"

/* First line of a file there ("md/level").  False: there is none, or it cannot be read. */
bool te_sysfs_line(dev_t dev, const char *file, char *line, size_t bytes);

/* The number that it begins with. */
bool te_sysfs_number(dev_t dev, const char *file, u64 *number);

/*
 * The block devices that a folder there names ("holders", "slaves", "." for
 * partitions), to each() with the kernel's name: its non-zero result ends the call.
 */
int te_sysfs_each(dev_t dev, const char *folder,
		  int (*each)(void *context, dev_t dev, const char *name), void *context);

/* The kernel's name of the device ("md127", "dm-3"), or its number. */
void te_sysfs_name(dev_t dev, char *name, size_t bytes);

/* Of a partition: its disk and where it begins there, in sectors. */
bool te_sysfs_disk(dev_t dev, dev_t *disk, u64 *start);

#endif
