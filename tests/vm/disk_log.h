/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log of disk_recorder, which disk_replay reads: what reached several disks,
 * in one order of time.
 *
 *	entry | bytes of a write | entry | entry | bytes of a write | ...
 *
 * An entry stands where its request was done: a flush covers every write to its
 * disk that stands before it.
 */
#ifndef DISK_LOG_H
#define DISK_LOG_H

#include <stdint.h>

#define DISK_LOG_MAX_DISKS	8

enum disk_log_kind {
	DISK_LOG_WRITE,			/* may be in the disk's volatile cache */
	DISK_LOG_WRITE_FUA,		/* is on stable storage */
	DISK_LOG_FLUSH,
};

/* In the order of bytes of the machine: the log does not leave it. */
struct disk_log_entry {
	uint32_t kind;
	uint32_t disk;			/* as they were named to the recorder, from 0 */
	uint64_t offset;		/* bytes, as is the next */
	uint64_t bytes;			/* 0 for a flush */
};

#endif
