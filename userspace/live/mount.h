/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mounts of this mount namespace. */
#ifndef TE_MOUNT_H
#define TE_MOUNT_H

#include <sys/types.h>

/*
 * Each of them, with its device and its mount point as mountinfo writes it (blanks
 * and the like as \040).  File systems over several devices show a number of their own,
 * but name one device: they come with both.
 */
void te_mount_each(void (*each)(dev_t device, const char *point, void *context), void *context);

#endif
