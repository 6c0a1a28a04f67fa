/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a device is called for good.  /dev/md127 may be another array at the next
 * boot; its uuid is not.  In the words of udev's links in /dev/disk/by-id, but found
 * without udev where the kernel tells:
 *
 *	md-uuid-<8:8:8:8 hex>		an array
 *	dm-uuid-<uuid>			a device-mapper device that has one, LVM's all
 *	any other name of a link	a disk or partition
 */
#ifndef TE_IDENTITY_H
#define TE_IDENTITY_H

#include <sys/types.h>

#include "core/seam.h"

#define TE_IDENTITY_BYTES	100

/* False: nothing about the device lasts. */
bool te_identity_of(dev_t dev, char id[TE_IDENTITY_BYTES]);

/* The device of this name, when it is there. */
bool te_identity_find(const char *id, dev_t *dev);

#endif
