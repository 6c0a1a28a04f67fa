// SPDX-License-Identifier: GPL-2.0-or-later
/* Building a new pool's metadata: volumes in, superblock last. */
#include "build/build.h"

#include <unistd.h>

#include "build/build_parts.h"
#include "base/say.h"

#define SHARED_TIME	0

static struct te_build *new_build(int fd, const char *name, const struct te_build_pool *pool)
{
	struct te_build *build = te_alloc(sizeof(*build));

	if (!build)
		goto no_memory;
	build->pool = *pool;
	if (build->pool.nr_metadata_blocks > THIN_METADATA_MAX_BLOCKS)
		build->pool.nr_metadata_blocks = THIN_METADATA_MAX_BLOCKS;
	build->ids = te_alloc((THIN_DEV_ID_MAX + 1) / 8);
	if (!build->ids)
		goto no_memory;
	if (te_store_init(&build->store, fd, name, build->pool.nr_metadata_blocks))
		goto bad_store;
	if (te_tree_init(&build->tree, &build->store, sizeof(__le64), true))
		goto bad_tree;
	if (pool->kept_from && pool->kept_from < build->store.nr_blocks)
		build->store.kept_from = pool->kept_from;
	return build;

bad_tree:
	te_store_exit(&build->store);
bad_store:
	te_free(build->ids);
	te_free(build);
	return NULL;

no_memory:
	te_error("no memory to build metadata");
	te_free(build);
	return NULL;
}

struct te_build *te_build_create(int fd, const char *name, const struct te_build_pool *pool)
{
	static const u8 zeros[THIN_METADATA_BLOCK_BYTES];
	struct te_build *build = new_build(fd, name, pool);

	if (!build)
		return NULL;
	/* Whatever pool there was ends here, before its blocks are overwritten. */
	if (!te_store_write_superblock(&build->store, zeros) && !te_store_sync(&build->store))
		return build;
	te_build_destroy(build);
	return NULL;
}

struct te_build *te_build_go_on(int fd, const char *name, const struct te_build_pool *pool,
				struct te_pack *state)
{
	struct te_build *build = new_build(fd, name, pool);

	if (!build || !te_build_load(build, state))
		return build;
	te_build_destroy(build);
	return NULL;
}

void te_build_destroy(struct te_build *build)
{
	if (!build)
		return;
	te_tree_exit(&build->tree);
	te_store_exit(&build->store);
	te_free(build->ids);
	te_free(build->volumes);
	te_free(build);
}

static struct te_build_tree *last_volume(struct te_build *build)
{
	return &build->volumes[build->nr_volumes - 1];
}

static int take_id(struct te_build *build, u32 id)
{
	if (id > THIN_DEV_ID_MAX || build->ids[id / 8] & 1u << id % 8) {
		te_error("volume id %u %s", id,
			 id > THIN_DEV_ID_MAX ? "has more than 24 bits" : "comes twice");
		return -EINVAL;
	}
	build->ids[id / 8] |= (u8)(1u << id % 8);
	return 0;
}

struct te_build_tree *te_build_add_volume(struct te_build *build, u32 dev_id, bool dropped)
{
	if (!dropped && take_id(build, dev_id))
		return NULL;
	if (build->nr_volumes == build->room) {
		size_t room = build->room ? build->room * 2 : 64;
		struct te_build_tree *volumes = realloc(build->volumes, room * sizeof(*volumes));

		if (!volumes) {
			te_error("no memory for %zu volumes", room);
			return NULL;
		}
		build->volumes = volumes;
		build->room = room;
	}
	build->nr_volumes++;
	*last_volume(build) = (struct te_build_tree) { .dev_id = dev_id, .dropped = dropped };
	return last_volume(build);
}

int te_build_volume_begin(struct te_build *build, const struct te_build_volume *volume)
{
	struct te_build_tree *added = te_build_add_volume(build, volume->dev_id, volume->dropped);

	if (!added)
		return -EINVAL;
	added->creation_time = volume->creation_time;
	added->transaction_id = volume->transaction_id;
	te_tree_reset(&build->tree);
	build->arriving = true;
	build->next_virtual = 0;
	return 0;
}

/* Pieces of a volume ascend, and their ends can be counted. */
static int advance(struct te_build *build, u64 virtual_block, u64 count)
{
	if (!build->arriving || virtual_block < build->next_virtual ||
	    count > UINT64_MAX - virtual_block) {
		te_error("volume %u: virtual block %llu comes out of order",
			 build->nr_volumes ? last_volume(build)->dev_id : 0,
			 (unsigned long long)virtual_block);
		return -EINVAL;
	}
	build->next_virtual = virtual_block + count;
	return 0;
}

int te_build_map(struct te_build *build, u64 virtual_block, u64 pool_block, u64 count,
		 bool shared)
{
	u32 time = shared ? SHARED_TIME : build->pool.time;
	int err = advance(build, virtual_block, count);

	if (!err && (pool_block < build->next_pool || pool_block > build->pool.nr_data_blocks ||
		     count > build->pool.nr_data_blocks - pool_block)) {
		te_error("volume %u: pool blocks %llu + %llu are used before or beyond the end",
			 last_volume(build)->dev_id, (unsigned long long)pool_block,
			 (unsigned long long)count);
		err = -EINVAL;
	}
	if (err)
		return err;
	build->next_pool = pool_block + count;
	return te_tree_push_run(&build->tree, virtual_block, pool_block << THIN_TIME_BITS | time,
				1ULL << THIN_TIME_BITS, count);
}

int te_build_copy(struct te_build *build, u32 index, u64 virtual_block, u64 count)
{
	int err = advance(build, virtual_block, count);
	u64 where = 0;

	if (!err && index + 1ULL >= build->nr_volumes) {
		te_error("volume %u: takes over blocks of a volume that did not come before it",
			 last_volume(build)->dev_id);
		err = -EINVAL;
	}
	if (err)
		return err;
	err = te_tree_copy(&build->tree, &build->volumes[index].tree, virtual_block,
			   virtual_block + count, &where);
	if (err == -EBADMSG)
		te_error("volume %u: takes over blocks of volume %u that were not announced as shared",
			 last_volume(build)->dev_id, build->volumes[index].dev_id);
	return err;
}

int te_build_volume_end(struct te_build *build, u64 *mapped)
{
	struct te_build_tree *volume = last_volume(build);
	size_t i;
	int err;

	build->arriving = false;
	/* Volumes that map nothing have one root together. */
	for (i = 0; build->tree.empty && i + 1 < build->nr_volumes; i++)
		if (!build->volumes[i].tree.nr_entries) {
			volume->tree = build->volumes[i].tree;
			*mapped = 0;
			return 0;
		}
	err = te_tree_finish(&build->tree, &volume->tree);
	if (!err)
		volume->mapped_blocks = build->store.summary[volume->tree.block] &
					TE_SUMMARY_MAPPINGS;
	*mapped = volume->mapped_blocks;
	return err;
}

static int by_id(const void *a, const void *b)
{
	const struct te_build_tree *left = a, *right = b;

	return left->dev_id < right->dev_id ? -1 : left->dev_id > right->dev_id;
}

/* What is not to be in the pool has served. */
static void forget_dropped(struct te_build *build)
{
	size_t i, kept = 0;

	for (i = 0; i < build->nr_volumes; i++)
		if (!build->volumes[i].dropped)
			build->volumes[kept++] = build->volumes[i];
	build->nr_volumes = kept;
}

static int count(struct te_build *build, struct te_counts *counts)
{
	u64 *roots = te_alloc(build->nr_volumes * sizeof(*roots));
	size_t i;
	int err;

	if (!roots) {
		te_error("no memory to count references");
		return -ENOMEM;
	}
	for (i = 0; i < build->nr_volumes; i++)
		roots[i] = build->volumes[i].tree.block;
	err = te_counts_take(counts, &build->store, build->store.next, roots, build->nr_volumes,
			     build->pool.nr_data_blocks);
	te_free(roots);
	return err;
}

static void fill_root(const struct te_build *build, size_t i, void *value)
{
	*(__le64 *)value = cpu_to_le64(build->volumes[i].tree.block);
}

static void fill_details(const struct te_build *build, size_t i, void *value)
{
	const struct te_build_tree *volume = &build->volumes[i];

	*(struct thin_disk_details *)value = (struct thin_disk_details) {
		.mapped_blocks = cpu_to_le64(volume->mapped_blocks),
		.transaction_id = cpu_to_le64(volume->transaction_id),
		.creation_time = cpu_to_le32(volume->creation_time),
		.snapshotted_time = cpu_to_le32(build->pool.time),
	};
}

/* A tree from device id to what `fill` says of each volume. */
static int write_volumes(struct te_build *build, u32 value_bytes,
			 void (*fill)(const struct te_build *build, size_t i, void *value),
			 u64 *block)
{
	struct thin_disk_details value;	/* the largest */
	struct te_tree_root root;
	struct te_tree tree;
	size_t i;
	int err = te_tree_init(&tree, &build->store, value_bytes, false);

	if (err)
		return err;
	for (i = 0; !err && i < build->nr_volumes; i++) {
		fill(build, i, &value);
		err = te_tree_push(&tree, build->volumes[i].dev_id, &value);
	}
	if (!err)
		err = te_tree_finish(&tree, &root);
	te_tree_exit(&tree);
	*block = err ? 0 : root.block;
	return err;
}

int te_build_finish(struct te_build *build)
{
	struct thin_disk_space_map_root data_map, metadata_map;
	struct thin_disk_superblock *sb = &build->superblock;
	u64 mapping_root, details_root, mapping_end = build->store.next;
	struct te_counts counts;
	int err;

	forget_dropped(build);
	if (build->nr_volumes)
		qsort(build->volumes, build->nr_volumes, sizeof(*build->volumes), by_id);
	err = count(build, &counts);
	if (err)
		return err;
	build->used_data_blocks = counts.nr_data_used;
	te_store_forget_summaries(&build->store);
	err = write_volumes(build, sizeof(__le64), fill_root, &mapping_root);
	if (!err)
		err = write_volumes(build, sizeof(struct thin_disk_details), fill_details,
				    &details_root);
	if (!err)
		err = te_space_map_data(&build->store, &counts, mapping_end, &data_map);
	if (!err)
		err = te_space_map_metadata(&build->store, &counts, &metadata_map);
	te_counts_exit(&counts);
	if (!err)
		err = te_store_sync(&build->store);
	if (err)
		return err;

	build->used_blocks = le64_to_cpu(metadata_map.nr_allocated);
	*sb = (struct thin_disk_superblock) {
		.blocknr = cpu_to_le64(THIN_SUPERBLOCK_LOCATION),
		.magic = cpu_to_le64(THIN_SUPERBLOCK_MAGIC),
		.version = cpu_to_le32(THIN_VERSION),
		.time = cpu_to_le32(build->pool.time),
		.trans_id = cpu_to_le64(build->pool.transaction_id),
		.data_mapping_root = cpu_to_le64(mapping_root),
		.device_details_root = cpu_to_le64(details_root),
		.data_block_size = cpu_to_le32(build->pool.block_sectors),
		.metadata_block_size = cpu_to_le32(THIN_METADATA_BLOCK_SECTORS),
		.metadata_nr_blocks = cpu_to_le64(build->pool.nr_metadata_blocks),
	};
	memcpy(sb->data_space_map_root, &data_map, sizeof(data_map));
	memcpy(sb->metadata_space_map_root, &metadata_map, sizeof(metadata_map));
	return 0;
}

int te_build_commit(struct te_build *build)
{
	u8 block[THIN_METADATA_BLOCK_BYTES] = { 0 };
	struct thin_disk_superblock *sb = (struct thin_disk_superblock *)block;
	int err = te_store_sync(&build->store);

	if (err)
		return err;
	memcpy(block, &build->superblock, sizeof(build->superblock));
	sb->csum = cpu_to_le32(crc32c(~0u, block + sizeof(__le32), sizeof(block) - sizeof(__le32)) ^
			       THIN_SUPERBLOCK_CSUM_XOR);
	err = te_store_write_superblock(&build->store, block);
	if (!err)
		err = te_store_sync(&build->store);
	if (err) {
		/* It may be there or not: take it away, as far as the device lets us. */
		memset(block, 0, sizeof(block));
		if (!te_store_write_superblock(&build->store, block))
			fsync(build->store.fd);
	}
	return err;
}

u64 te_build_used_blocks(const struct te_build *build)
{
	return build->used_blocks;
}

u64 te_build_used_data_blocks(const struct te_build *build)
{
	return build->used_data_blocks;
}

/* Nodes of a tree with so many entries, packed. */
static u64 packed_nodes(u64 entries, u32 value_bytes)
{
	u64 nodes = DIV_ROUND_UP(entries, te_tree_max_entries(value_bytes)), sum = nodes;

	while (nodes > 1) {
		nodes = DIV_ROUND_UP(nodes, te_tree_max_entries(sizeof(__le64)));
		sum += nodes;
	}
	return sum ? sum : 1;
}

u64 te_build_estimate(u64 nr_data_blocks, u64 nr_metadata_blocks, u64 nr_volumes,
		      u64 nr_mappings)
{
	u64 bitmaps = DIV_ROUND_UP(nr_data_blocks, THIN_BITMAP_ENTRIES);

	return 1 + packed_nodes(nr_mappings, sizeof(__le64)) +
	       packed_nodes(nr_volumes, sizeof(__le64)) +
	       packed_nodes(nr_volumes, sizeof(struct thin_disk_details)) +
	       bitmaps + packed_nodes(bitmaps, sizeof(struct thin_disk_index_entry)) + 1 +
	       te_space_map_metadata_blocks(nr_metadata_blocks);
}
