// SPDX-License-Identifier: GPL-2.0-or-later
/* A batch: what some frames in a row need of the pool's data, in the pool's order. */
#include "send/batch.h"

/* Not joined beyond this: so the extent that a frame of a tidy pool is stays one read. */
#define READ_BYTES	(1u << 20)

int te_batch_init(struct te_batch *batch, size_t most_extents)
{
	memset(batch, 0, sizeof(*batch));
	batch->room = most_extents;
	batch->extents = calloc(most_extents, sizeof(*batch->extents));
	batch->reads = calloc(most_extents, sizeof(*batch->reads));
	return batch->extents && batch->reads ? 0 : -ENOMEM;
}

void te_batch_exit(struct te_batch *batch)
{
	free(batch->extents);
	free(batch->reads);
}

void te_batch_add(struct te_batch *batch, const struct te_extent *extent)
{
	batch->extents[batch->nr_extents++] = *extent;
}

static int by_place(const void *one, const void *other)
{
	u64 a = ((const struct te_extent *)one)->pool_offset;
	u64 b = ((const struct te_extent *)other)->pool_offset;

	return a < b ? -1 : a > b;
}

void te_batch_order(struct te_batch *batch)
{
	struct te_read *read = NULL;
	u64 end = 0, bytes = 0;
	size_t i;

	qsort(batch->extents, batch->nr_extents, sizeof(*batch->extents), by_place);
	for (i = 0; i < batch->nr_extents; i++) {
		const struct te_extent *extent = &batch->extents[i];

		if (read && extent->pool_offset == end && bytes + extent->bytes <= READ_BYTES &&
		    read->nr_extents < TE_READ_EXTENTS) {
			read->nr_extents++;
		} else {
			read = &batch->reads[batch->nr_reads++];
			*read = (struct te_read){ extent, 1 };
			bytes = 0;
		}
		bytes += extent->bytes;
		end = extent->pool_offset + extent->bytes;
	}
}

void te_batch_clear(struct te_batch *batch)
{
	batch->nr_extents = batch->nr_reads = batch->next = 0;
}
