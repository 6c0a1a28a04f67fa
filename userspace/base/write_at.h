/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes to their place on a device or in a file: all of them, or an error. */
#ifndef TE_WRITE_AT_H
#define TE_WRITE_AT_H

#include "core/seam.h"

/* Quiet.  0, or -errno with *offset where it failed. */
int te_write_at(int fd, const void *p, size_t bytes, u64 *offset);

/* The same with one sentence that names the device and the byte. */
int te_write_named(int fd, const char *name, const void *p, size_t bytes, u64 offset);

/* fsync: 0, or -errno after one sentence. */
int te_flush_named(int fd, const char *name);

#endif
