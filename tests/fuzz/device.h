/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device in memory, for a target to write to: behind what the code is told of lies a
 * guard, of which no byte may ever change.
 */
#ifndef TE_FUZZ_DEVICE_H
#define TE_FUZZ_DEVICE_H

#include "core/seam.h"

struct device {
	int fd;
	u64 bytes;			/* that the code is told of */
	u8 *memory;			/* the same, and the guard; NULL before it is prepared */
};

/* All bytes zero, and the guard behind them. */
void device_prepare(struct device *device, const char *name, u64 bytes);

/* Ends the run when the guard, or the file's size, has changed. */
void device_check(const struct device *device);

/* A file of these bytes, from its start; one and the same each time. */
int device_stream(const u8 *stream, size_t bytes);

#endif
