// SPDX-License-Identifier: GPL-2.0-or-later
/* A look at the metadata of an active pool. */
#include "live/peek.h"

#include <time.h>

#include "source/image.h"
#include "source/metadata_cache.h"
#include "base/say.h"

#define TRIES		40
#define STRICT_TRIES	20		/* of these, until a commit in between is put up with */

static int read_blocks(void *context, u64 block, unsigned int count, const struct iovec *iov)
{
	return te_image_read(context, block * THIN_METADATA_BLOCK_BYTES, iov, (int)count);
}

static int add_volume(void *context, const struct te_details *details)
{
	struct te_peek *peek = context;
	struct te_details *more = peek->volumes;

	/* Room in powers of two: full whenever the count is one. */
	if (!(peek->nr_volumes & (peek->nr_volumes - 1))) {
		more = realloc(more, (peek->nr_volumes ? 2 * peek->nr_volumes : 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		peek->volumes = more;
	}
	more[peek->nr_volumes++] = *details;
	return 0;
}

static bool same_state(const struct te_superblock *a, const struct te_superblock *b)
{
	return a->mapping_root == b->mapping_root && a->details_root == b->details_root &&
	       a->time == b->time && a->held_root == b->held_root;
}

/* -EAGAIN: a commit came in between. */
static int try_peek(struct te_reader *reader, bool held, struct te_peek *peek,
		    struct te_fault *fault)
{
	struct te_superblock after;
	int err;

	peek->nr_volumes = 0;
	memset(fault, 0, sizeof(*fault));
	te_metadata_cache_forget(reader);
	err = te_superblock_read(reader, held, &peek->sb, fault);
	if (!err)
		err = te_details_each(reader, &peek->sb, add_volume, peek, fault);
	if (err)
		return err;
	te_metadata_cache_forget(reader);
	err = te_superblock_read(reader, held, &after, fault);
	if (!err && !same_state(&peek->sb, &after))
		err = -EAGAIN;
	return err;
}

int te_peek_pool(const struct te_pool *pool, bool held, struct te_peek *peek)
{
	struct te_reader *reader = NULL;
	struct te_image image = { .fd = -1 };
	struct te_fault fault = { 0 };
	int err, tries;

	memset(peek, 0, sizeof(*peek));
	err = te_image_open(&image, pool->metadata, TE_IMAGE_SHARED);
	if (err)
		return err;
	reader = te_metadata_cache_create(image.bytes / THIN_METADATA_BLOCK_BYTES, read_blocks,
					  &image);
	err = reader ? -EAGAIN : -ENOMEM;
	for (tries = 0; reader && tries < TRIES; tries++) {
		err = try_peek(reader, held, peek, &fault);
		if (!err || err == -ENOMEM || (err == -EAGAIN && tries >= STRICT_TRIES))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	if (err == -EAGAIN)
		err = 0;
	te_metadata_cache_destroy(reader);
	te_image_close(&image);
	if (!err)
		return 0;
	if (err == -ENOMEM)
		te_error("not enough memory");
	else
		te_error_fault(pool->metadata, &fault);
	te_peek_free(peek);
	return err;
}

void te_peek_free(struct te_peek *peek)
{
	free(peek->volumes);
	memset(peek, 0, sizeof(*peek));
}

static int compare_details(const void *dev_id, const void *details)
{
	u32 x = *(const u32 *)dev_id, y = ((const struct te_details *)details)->dev_id;

	return x < y ? -1 : x > y;
}

const struct te_details *te_peek_find(const struct te_peek *peek, u32 dev_id)
{
	return bsearch(&dev_id, peek->volumes, peek->nr_volumes, sizeof(*peek->volumes),
		       compare_details);
}
