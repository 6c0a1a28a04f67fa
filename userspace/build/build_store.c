// SPDX-License-Identifier: GPL-2.0-or-later
/* The new metadata's blocks, each written once, in order, and read back. */
#include "build/build_parts.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/say.h"
#include "base/write_at.h"

/* What every kind of metadata block starts with. */
struct block_head {
	__le32 csum;
	__le32 own;			/* the kind's own */
	__le64 blocknr;
};

static u32 checksum(const void *data, u32 csum_xor)
{
	const u8 *bytes = data;

	return crc32c(~0u, bytes + sizeof(__le32), THIN_METADATA_BLOCK_BYTES - sizeof(__le32)) ^
	       csum_xor;
}

int te_store_init(struct te_store *store, int fd, const char *name, u64 nr_blocks)
{
	*store = (struct te_store) {
		.fd = fd,
		.name = name,
		.nr_blocks = nr_blocks,
		.kept_from = nr_blocks,
		.next = THIN_SUPERBLOCK_LOCATION + 1,
		.buffer_first = THIN_SUPERBLOCK_LOCATION + 1,
	};
	store->buffer = te_alloc((size_t)TE_STORE_BUFFER_BLOCKS * THIN_METADATA_BLOCK_BYTES);
	store->cache = te_alloc((size_t)TE_STORE_CACHE_BLOCKS * THIN_METADATA_BLOCK_BYTES);
	store->cached = te_alloc(TE_STORE_CACHE_BLOCKS * sizeof(*store->cached));
	store->summary = te_alloc(nr_blocks * sizeof(*store->summary));
	if (!store->buffer || !store->cache || !store->cached || !store->summary) {
		te_store_exit(store);
		te_error("no memory to build metadata");
		return -ENOMEM;
	}
	return 0;
}

void te_store_exit(struct te_store *store)
{
	te_free(store->buffer);
	te_free(store->cache);
	te_free(store->cached);
	te_free(store->summary);
	*store = (struct te_store) { .fd = -1 };
}

void te_store_forget_summaries(struct te_store *store)
{
	te_free(store->summary);
	store->summary = NULL;
}

static int write_blocks(struct te_store *store, const u8 *from, u64 block, u64 count)
{
	return te_write_named(store->fd, store->name, from, count * THIN_METADATA_BLOCK_BYTES,
			      block * THIN_METADATA_BLOCK_BYTES);
}

int te_store_read_many(struct te_store *store, u64 first, u64 count, void *to)
{
	off_t offset = (off_t)(first * THIN_METADATA_BLOCK_BYTES);
	size_t bytes = count * THIN_METADATA_BLOCK_BYTES;
	u8 *at = to;

	while (bytes) {
		ssize_t done = pread(store->fd, at, bytes, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0) {
			te_error("%s: cannot read back byte %lld: %s", store->name,
				 (long long)offset, done ? strerror(errno) : "it ends there");
			return -EIO;
		}
		at += done;
		bytes -= (size_t)done;
		offset += done;
	}
	return 0;
}

int te_store_flush(struct te_store *store)
{
	int err;

	if (!store->buffer_blocks)
		return 0;
	err = write_blocks(store, store->buffer, store->buffer_first, store->buffer_blocks);
	if (err)
		return err;
	/* On its way to the disk while we go on, so that the sync at the end is short. */
	sync_file_range(store->fd, (off_t)(store->buffer_first * THIN_METADATA_BLOCK_BYTES),
			(off_t)store->buffer_blocks * THIN_METADATA_BLOCK_BYTES,
			SYNC_FILE_RANGE_WRITE);
	store->buffer_first += store->buffer_blocks;
	store->buffer_blocks = 0;
	return 0;
}

void te_store_go_on(struct te_store *store, u64 next)
{
	store->next = next;
	store->buffer_first = next;
	store->buffer_blocks = 0;
}

/* Block 0 tells of what is kept: it is zeros before the first of these is overwritten. */
static int take_kept(struct te_store *store)
{
	static const u8 zeros[THIN_METADATA_BLOCK_BYTES];
	int err = te_store_write_superblock(store, zeros);

	if (!err)
		err = te_store_sync(store);
	store->kept_from = store->nr_blocks;
	return err;
}

int te_store_append(struct te_store *store, void *data, u32 csum_xor, u64 *block)
{
	struct block_head *head = data;
	int err;

	if (store->next >= store->nr_blocks) {
		te_error("%s: the metadata does not fit: all of its %s are used; give a larger device",
			 store->name, te_bytes(store->nr_blocks * THIN_METADATA_BLOCK_BYTES));
		return -ENOSPC;
	}
	if (store->next == store->kept_from) {
		err = take_kept(store);
		if (err)
			return err;
	}
	if (store->buffer_blocks == TE_STORE_BUFFER_BLOCKS) {
		err = te_store_flush(store);
		if (err)
			return err;
	}
	*block = store->next;
	head->blocknr = cpu_to_le64(*block);
	head->csum = cpu_to_le32(checksum(data, csum_xor));
	memcpy(store->buffer + (size_t)store->buffer_blocks * THIN_METADATA_BLOCK_BYTES, data,
	       THIN_METADATA_BLOCK_BYTES);
	store->buffer_blocks++;
	store->next++;
	return 0;
}

int te_store_check(const struct te_store *store, const void *data, u64 block, u32 csum_xor)
{
	const struct block_head *head = data;

	if (le64_to_cpu(head->blocknr) == block &&
	    le32_to_cpu(head->csum) == checksum(data, csum_xor))
		return 0;
	te_error("%s: metadata block %llu does not read back as it was written: the device loses or mixes up writes, or something else writes to it",
		 store->name, (unsigned long long)block);
	return -EIO;
}

const void *te_store_read(struct te_store *store, u64 block, u32 csum_xor)
{
	u32 place = (u32)(block % TE_STORE_CACHE_BLOCKS);
	u8 *at = store->cache + (size_t)place * THIN_METADATA_BLOCK_BYTES;

	if (block >= store->buffer_first)
		return store->buffer +
		       (size_t)(block - store->buffer_first) * THIN_METADATA_BLOCK_BYTES;
	if (store->cached[place] == block)
		return at;

	store->cached[place] = 0;
	if (te_store_read_many(store, block, 1, at) || te_store_check(store, at, block, csum_xor))
		return NULL;
	store->cached[place] = block;
	return at;
}

int te_store_write_superblock(struct te_store *store, const void *data)
{
	return write_blocks(store, data, THIN_SUPERBLOCK_LOCATION, 1);
}

int te_store_sync(struct te_store *store)
{
	int err = te_store_flush(store);

	return err ? err : te_flush_named(store->fd, store->name);
}

int te_store_settle(struct te_store *store)
{
	int err = te_store_sync(store);

	/* Only a hint; where it is not taken, the cache is what gets checked. */
	if (!err)
		posix_fadvise(store->fd, 0, 0, POSIX_FADV_DONTNEED);
	return err;
}
