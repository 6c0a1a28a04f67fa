/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checking a stream: all of it, and against a source. */
#ifndef TE_VERIFY_H
#define TE_VERIFY_H

#include "source.h"
#include "stream_read.h"

/* What was checked. */
struct te_verified {
	u64 frames;
	u64 skipped_frames;
	u64 bytes;
	u64 volumes;
	u64 nr_ops;
	u64 data_sectors;
	u64 zero_sectors;
};

#endif
