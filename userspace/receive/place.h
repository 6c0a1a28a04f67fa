/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement: blocks go onto the target's data device in arrival order, from
 * block 0, gathered into writes of whole stripes.
 */
#ifndef TE_PLACE_H
#define TE_PLACE_H

#include "core/seam.h"

struct te_place_writer;

/*
 * fd: the data device or file, exclusively ours, O_DIRECT where it can.  A write
 * is a multiple of the device's optimal I/O size (whole stripes on md) and of
 * 4 KiB, but for the last.  NULL after one sentence.
 */
struct te_place_writer *te_place_create(int fd, const char *name, u32 block_sectors,
					u64 nr_data_blocks);
void te_place_destroy(struct te_place_writer *place);

/* Number of the block that the next byte starts or lies in; ends a block early never. */
u64 te_place_next_block(const struct te_place_writer *place);

/* 0 or -errno after one sentence; -ENOSPC beyond nr_data_blocks.  NULL data: zeros. */
int te_place_write(struct te_place_writer *place, const void *data, u64 bytes);

/*
 * What is given next goes to `position`, in bytes: for who does not write from block 0
 * on, each byte once.
 */
int te_place_seek(struct te_place_writer *place, u64 position);

/* Until all that was given is written, but for te_place_pending() bytes that are gathered. */
int te_place_wait(struct te_place_writer *place);
size_t te_place_pending(struct te_place_writer *place);

/* All that was given is on disk, the last of it in a write that is made again later. */
int te_place_settle(struct te_place_writer *place);

/* Before the first write: what is before `position`, in bytes, stands on the device. */
int te_place_go_on(struct te_place_writer *place, u64 position);
u64 te_place_position(const struct te_place_writer *place);

/* All on disk (fdatasync), or the error that any write before had. */
int te_place_finish(struct te_place_writer *place);

#endif
