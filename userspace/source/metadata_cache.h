/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command's reader of metadata blocks: a bounded cache before whatever holds
 * them.
 *
 * A walk asks for a node's children ahead (prefetch); neighbours are then read
 * in one go, straight into the slots.  8 MiB of slots are enough for the inner
 * nodes of any tree and a few hundred leaves ahead.  One thread at a time.
 */
#ifndef TE_METADATA_CACHE_H
#define TE_METADATA_CACHE_H

#include <sys/uio.h>

#include "core/reader.h"

/* Most blocks in one call of the function below. */
#define TE_METADATA_CACHE_BATCH	128u

/*
 * Reads [block, block + count), one iovec of 4 KiB each; silent.  0 or -errno.
 */
typedef int te_metadata_cache_read(void *context, u64 block, unsigned int count,
				   const struct iovec *iov);

/* NULL: no memory. */
struct te_reader *te_metadata_cache_create(u64 nr_blocks, te_metadata_cache_read *read,
					   void *context);
void te_metadata_cache_destroy(struct te_reader *reader);	/* NULL is fine */

/* Everything will be read afresh.  No block may be held. */
void te_metadata_cache_forget(struct te_reader *reader);

#endif
