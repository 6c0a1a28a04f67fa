// SPDX-License-Identifier: GPL-2.0-or-later
/* The command's reader of metadata blocks: a bounded cache before whatever holds them. */
#include "source/metadata_cache.h"

#include <sys/mman.h>

#include <thinexport/thin_disk.h>

#include "base/interrupt.h"

#define NR_SLOTS	2048u
#define NR_BUCKETS	4096u		/* a power of two */
#define NOTHING		UINT32_MAX	/* no slot; no block, too */
#define HUGE_PAGE_BYTES	(2u << 20)	/* of most machines; elsewhere just an alignment */

struct slot {
	u64 block;
	u32 next;			/* in its bucket */
	u32 pins;
	bool filled;			/* stands in a bucket */
	bool recent;			/* spared once by the clock */
};

struct cache {
	struct te_reader reader;
	te_metadata_cache_read *read;
	void *context;
	u8 *data;			/* of slot i: 4 KiB at i * 4 KiB */
	u32 hand;			/* of the clock that looks for a slot to reuse */
	u32 buckets[NR_BUCKETS];	/* first slot */
	struct slot slots[NR_SLOTS];
};

static u32 *bucket_of(struct cache *cache, u64 block)
{
	return &cache->buckets[(block * 0x9e3779b97f4a7c15ULL >> 40) & (NR_BUCKETS - 1)];
}

static u32 find(struct cache *cache, u64 block)
{
	u32 i = *bucket_of(cache, block);

	while (i != NOTHING && cache->slots[i].block != block)
		i = cache->slots[i].next;
	return i;
}

static void insert(struct cache *cache, u32 i, u64 block)
{
	u32 *bucket = bucket_of(cache, block);
	struct slot *slot = &cache->slots[i];

	slot->block = block;
	slot->filled = true;
	slot->recent = true;
	slot->next = *bucket;
	*bucket = i;
}

static void remove_slot(struct cache *cache, u32 i)
{
	u32 *link = bucket_of(cache, cache->slots[i].block);

	while (*link != i)
		link = &cache->slots[*link].next;
	*link = cache->slots[i].next;
	cache->slots[i].filled = false;
}

/* An empty slot, pinned; NOTHING when every slot is pinned. */
static u32 take_slot(struct cache *cache)
{
	u32 tries;

	for (tries = 0; tries < 2 * NR_SLOTS; tries++) {
		u32 i = cache->hand;
		struct slot *slot = &cache->slots[i];

		cache->hand = (i + 1) % NR_SLOTS;
		if (slot->pins)
			continue;
		if (slot->filled && slot->recent) {
			slot->recent = false;
			continue;
		}
		if (slot->filled)
			remove_slot(cache, i);
		slot->pins = 1;
		return i;
	}
	return NOTHING;
}

static struct iovec slot_iovec(struct cache *cache, u32 i)
{
	return (struct iovec){
		.iov_base = cache->data + (size_t)i * THIN_METADATA_BLOCK_BYTES,
		.iov_len = THIN_METADATA_BLOCK_BYTES,
	};
}

static int cache_get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	struct cache *cache = container_of(reader, struct cache, reader);
	u32 i = find(cache, block);

	if (i == NOTHING) {
		struct iovec iov;
		int err;

		i = take_slot(cache);
		if (i == NOTHING)
			return -ENOMEM;
		iov = slot_iovec(cache, i);
		err = cache->read(cache->context, block, 1, &iov);
		if (err) {
			cache->slots[i].pins = 0;
			return err;
		}
		insert(cache, i, block);
	} else {
		cache->slots[i].pins++;
		cache->slots[i].recent = true;
	}
	*data = slot_iovec(cache, i).iov_base;
	*cookie = &cache->slots[i];
	return 0;
}

static void cache_put(struct te_reader *reader, void *cookie)
{
	struct slot *slot = cookie;

	slot->pins--;
}

/* Reads [block, block + count), none of which is there yet; errors will come again in get. */
static void fill(struct cache *cache, u64 block, unsigned int count)
{
	struct iovec iov[TE_METADATA_CACHE_BATCH];
	u32 taken[TE_METADATA_CACHE_BATCH];
	unsigned int i, nr;
	int err;

	for (nr = 0; nr < count; nr++) {
		taken[nr] = take_slot(cache);
		if (taken[nr] == NOTHING)
			break;
		iov[nr] = slot_iovec(cache, taken[nr]);
	}
	err = nr ? cache->read(cache->context, block, nr, iov) : 0;
	for (i = 0; i < nr; i++) {
		cache->slots[taken[i]].pins = 0;
		if (!err)
			insert(cache, taken[i], block + i);
	}
}

static void cache_prefetch(struct te_reader *reader, u64 block, u64 count)
{
	struct cache *cache = container_of(reader, struct cache, reader);
	u64 end;

	/* More would push out what was prefetched but not yet used. */
	if (count > NR_SLOTS / 4)
		count = NR_SLOTS / 4;
	if (block >= reader->nr_blocks || count > reader->nr_blocks - block)
		return;
	end = block + count;
	while (block < end) {
		unsigned int run = 0;

		while (block + run < end && run < TE_METADATA_CACHE_BATCH &&
		       find(cache, block + run) == NOTHING)
			run++;
		if (run)
			fill(cache, block, run);
		block += run ? run : 1;
	}
}

static bool cache_interrupted(struct te_reader *reader)
{
	return te_interrupted();
}

static const struct te_reader_ops cache_ops = {
	.get = cache_get,
	.put = cache_put,
	.prefetch = cache_prefetch,
	.interrupted = cache_interrupted,
};

void te_metadata_cache_forget(struct te_reader *reader)
{
	struct cache *cache = container_of(reader, struct cache, reader);

	memset(cache->buckets, 0xff, sizeof(cache->buckets));
	memset(cache->slots, 0, sizeof(cache->slots));
	cache->hand = 0;
}

struct te_reader *te_metadata_cache_create(u64 nr_blocks, te_metadata_cache_read *read,
					   void *context)
{
	const size_t bytes = (size_t)NR_SLOTS * THIN_METADATA_BLOCK_BYTES;
	struct cache *cache = calloc(1, sizeof(*cache));
	void *data;

	if (!cache)
		return NULL;
	if (posix_memalign(&data, HUGE_PAGE_BYTES, bytes)) {
		free(cache);
		return NULL;
	}
	/* Else a short walk spends a quarter of its time on page faults.  Only a wish. */
	madvise(data, bytes, MADV_HUGEPAGE);
	cache->reader.ops = &cache_ops;
	cache->reader.nr_blocks = nr_blocks;
	cache->read = read;
	cache->context = context;
	cache->data = data;
	te_metadata_cache_forget(&cache->reader);
	return &cache->reader;
}

void te_metadata_cache_destroy(struct te_reader *reader)
{
	struct cache *cache;

	if (!reader)
		return;
	cache = container_of(reader, struct cache, reader);
	free(cache->data);
	free(cache);
}
