/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes 6.1 and later look like 6.12, for which the module is written.
 *
 * Included ahead of every source of the module by the compiler's -include.
 * Nothing else in the project asks for a kernel's version.  What a macro can
 * be asked for is asked for by name, since distributions carry later calls back.
 */
#ifndef TE_COMPAT_H
#define TE_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "dm-thinexport needs Linux 6.1 or later"
#endif

#include <linux/blkdev.h>

/* 6.5 gave the modes of opening a block device a type of their own. */
#ifndef BLK_OPEN_READ
typedef fmode_t blk_mode_t;
#define BLK_OPEN_READ	FMODE_READ
#define BLK_OPEN_WRITE	FMODE_WRITE
#endif

#endif
