/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metadata blocks by way of dm-bufio, as the core's reader. */
#ifndef TE_METADATA_READER_H
#define TE_METADATA_READER_H

#include "core/reader.h"

struct block_device;
struct dm_bufio_client;

/*
 * Lives for one walk.  Its cache starts empty, so what it reads is what the pool
 * has committed by now, and it is gone with the reader: a view holds bitmaps,
 * never metadata.  One task at a time.
 */
struct te_metadata_reader {
	struct te_reader reader;	/* hand this to the core */
	struct dm_bufio_client *bufio;
};

/* reader.nr_blocks is what the device holds.  May block; 0 or -errno. */
int te_metadata_reader_open(struct te_metadata_reader *metadata, struct block_device *bdev);
void te_metadata_reader_close(struct te_metadata_reader *metadata);

#endif
