// SPDX-License-Identifier: GPL-2.0-or-later
/* Metadata blocks by way of dm-bufio, as the core's reader. */
#include <linux/blkdev.h>
#include <linux/dm-bufio.h>
#include <linux/sched/signal.h>

#include <thinexport/thin_disk.h>
#include "core/btree.h"
#include "metadata_reader.h"

/*
 * A walk holds at most two blocks a level.  dm-bufio keeps this many for us, so
 * that it never waits, short of memory, for a block that we ourselves hold.
 */
#define RESERVED_BUFFERS	(2 * TE_BTREE_MAX_DEPTH)

static struct te_metadata_reader *to_metadata(struct te_reader *reader)
{
	return container_of(reader, struct te_metadata_reader, reader);
}

static int metadata_get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	struct dm_buffer *buffer;
	void *read;

	/* A large pool has millions of nodes, and all of them may be cached below. */
	cond_resched();

	read = dm_bufio_read(to_metadata(reader)->bufio, block, &buffer);
	if (IS_ERR(read))
		return PTR_ERR(read);
	*data = read;
	*cookie = buffer;
	return 0;
}

static void metadata_put(struct te_reader *reader, void *cookie)
{
	dm_bufio_release(cookie);
}

static void metadata_prefetch(struct te_reader *reader, u64 block, u64 count)
{
	dm_bufio_prefetch(to_metadata(reader)->bufio, block, count);
}

static bool metadata_interrupted(struct te_reader *reader)
{
	return fatal_signal_pending(current);
}

static const struct te_reader_ops metadata_ops = {
	.get = metadata_get,
	.put = metadata_put,
	.prefetch = metadata_prefetch,
	.interrupted = metadata_interrupted,
};

int te_metadata_reader_open(struct te_metadata_reader *metadata, struct block_device *bdev)
{
	metadata->reader.ops = &metadata_ops;
	metadata->reader.nr_blocks =
		div_u64(bdev_nr_sectors(bdev), THIN_METADATA_BLOCK_SECTORS);
	metadata->bufio = dm_bufio_client_create(bdev, THIN_METADATA_BLOCK_BYTES,
						 RESERVED_BUFFERS, 0, NULL, NULL, 0);
	return PTR_ERR_OR_ZERO(metadata->bufio);
}

void te_metadata_reader_close(struct te_metadata_reader *metadata)
{
	dm_bufio_client_destroy(metadata->bufio);
}
