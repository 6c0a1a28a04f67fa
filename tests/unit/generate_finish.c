// SPDX-License-Identifier: GPL-2.0-or-later
/* What the pool made up needs to be one: top level, details, space maps, superblock. */
#include "generate_private.h"

#include <unistd.h>

static void seal(void *block, u32 xor)
{
	__le32 *csum = block;

	*csum = cpu_to_le32(crc32c(~0u, csum + 1, THIN_METADATA_BLOCK_BYTES - sizeof(*csum)) ^ xor);
}

/* First key and block of each node of a level. */
struct level {
	u64 nr;
	u64 *keys;
	u64 *blocks;
};

static struct level new_level(u64 nr)
{
	struct level level = { .nr = nr };

	level.keys = calloc(nr, sizeof(u64));
	level.blocks = calloc(nr, sizeof(u64));
	if (!level.keys || !level.blocks)
		te_gen_die("no memory");
	return level;
}

static void free_level(struct level *level)
{
	free(level->keys);
	free(level->blocks);
}

static u32 most_entries(u32 value_bytes)
{
	return (THIN_METADATA_BLOCK_BYTES - sizeof(struct thin_disk_node)) /
	       (sizeof(__le64) + value_bytes) / 3 * 3;
}

/* Entries that the i-th of nr_nodes gets, so that all are as full as the others. */
static u32 part_of(u64 nr_entries, u64 nr_nodes, u64 i)
{
	return (u32)(nr_entries / nr_nodes + (i < nr_entries % nr_nodes));
}

/* The first node of a level, filled; entries come from the level below or the caller. */
static void fill_node(struct thin_disk_node *node, u32 nr,
		      struct te_gen_entries *entries)
{
	char *values = (char *)(node->keys + le32_to_cpu(node->max_entries));
	u64 key;
	u32 i;

	for (i = 0; i < nr; i++) {
		entries->next(entries, &key, values + (size_t)i * entries->value_bytes);
		node->keys[i] = cpu_to_le64(key);
	}
	node->nr_entries = cpu_to_le32(nr);
}

static struct level write_level(struct te_gen *gen, struct te_gen_entries *entries, bool leaf)
{
	u32 most = most_entries(entries->value_bytes);
	struct level level = new_level(entries->nr ? DIV_ROUND_UP(entries->nr, most) : 1);
	u64 i;

	for (i = 0; i < level.nr; i++) {
		u64 block = te_gen_new_node(gen, leaf, entries->value_bytes);
		struct thin_disk_node *node = te_gen_block(gen, block);

		fill_node(node, part_of(entries->nr, level.nr, i), entries);
		level.keys[i] = le64_to_cpu(node->keys[0]);
		level.blocks[i] = block;
	}
	return level;
}

struct child_entries {
	struct te_gen_entries entries;
	const struct level *below;
};

static void next_child(struct te_gen_entries *entries, u64 *key, void *value)
{
	const struct level *below = container_of(entries, struct child_entries, entries)->below;
	__le64 block = cpu_to_le64(below->blocks[entries->position]);

	*key = below->keys[entries->position++];
	memcpy(value, &block, sizeof(block));
}

u64 te_gen_write_tree(struct te_gen *gen, struct te_gen_entries *entries)
{
	struct level level = write_level(gen, entries, true);
	u64 root;

	while (level.nr > 1) {
		struct child_entries children = {
			.entries = { .nr = level.nr, .value_bytes = sizeof(__le64),
				     .next = next_child },
			.below = &level,
		};
		struct level above = write_level(gen, &children.entries, false);

		free_level(&level);
		level = above;
	}
	root = level.blocks[0];
	free_level(&level);
	return root;
}

static void next_root(struct te_gen_entries *entries, u64 *key, void *value)
{
	const struct te_gen_volume *volume = &entries->gen->volumes[entries->position++];
	__le64 root = cpu_to_le64(volume->root);

	*key = volume->id;
	memcpy(value, &root, sizeof(root));
}

static void next_details(struct te_gen_entries *entries, u64 *key, void *value)
{
	const struct te_gen_volume *volume = &entries->gen->volumes[entries->position++];
	const struct thin_disk_details details = {
		.mapped_blocks = cpu_to_le64(volume->mapped_blocks),
		.transaction_id = cpu_to_le64(volume->transaction_id),
		.creation_time = cpu_to_le32(volume->creation_time),
		.snapshotted_time = cpu_to_le32(volume->snapshotted_time),
	};

	*key = volume->id;
	memcpy(value, &details, sizeof(details));
}

static int by_id(const void *a, const void *b)
{
	const struct te_gen_volume *left = a, *right = b;

	return left->id < right->id ? -1 : left->id > right->id;
}

/* Top level and details of the volumes as they are now. */
static void write_volumes(struct te_gen *gen, u64 *mapping_root, u64 *details_root)
{
	struct te_gen_entries roots = {
		.nr = gen->nr_volumes, .value_bytes = sizeof(__le64),
		.next = next_root, .gen = gen,
	};
	struct te_gen_entries details = {
		.nr = gen->nr_volumes, .value_bytes = sizeof(struct thin_disk_details),
		.next = next_details, .gen = gen,
	};

	qsort(gen->volumes, gen->nr_volumes, sizeof(*gen->volumes), by_id);
	*mapping_root = te_gen_write_tree(gen, &roots);
	*details_root = te_gen_write_tree(gen, &details);
}

static void fill_superblock(struct te_gen *gen, u64 block, u64 mapping_root, u64 details_root)
{
	struct thin_disk_superblock *sb = te_gen_block(gen, block);

	memset(sb, 0, THIN_METADATA_BLOCK_BYTES);
	sb->blocknr = cpu_to_le64(block);
	sb->magic = cpu_to_le64(THIN_SUPERBLOCK_MAGIC);
	sb->version = cpu_to_le32(THIN_VERSION);
	sb->time = cpu_to_le32(gen->time);
	sb->trans_id = cpu_to_le64(gen->transaction_id);
	sb->data_mapping_root = cpu_to_le64(mapping_root);
	sb->device_details_root = cpu_to_le64(details_root);
	sb->data_block_size = cpu_to_le32(gen->block_sectors);
	sb->metadata_block_size = cpu_to_le32(THIN_METADATA_BLOCK_SECTORS);
	sb->metadata_nr_blocks = cpu_to_le64(gen->nr_metadata_blocks);
}

void te_gen_hold(struct te_gen *gen)
{
	u64 mapping_root, details_root;
	size_t i;

	if (gen->held_root)
		te_gen_die("there is a metadata snapshot already");
	write_volumes(gen, &mapping_root, &details_root);
	for (i = 0; i < gen->nr_volumes; i++)
		gen->metadata_refs[gen->volumes[i].root]++;
	gen->held_root = te_gen_new_block(gen);
	fill_superblock(gen, gen->held_root, mapping_root, details_root);
}

/* A space map on its way to the disk: the counts and where their bitmaps lie. */
struct space_map {
	const u32 *refs;
	u64 nr_blocks;
	u64 nr_bitmaps;
	u64 *bitmaps;
	u64 nr_many;			/* blocks with three references and more */
};

static struct space_map new_space_map(struct te_gen *gen, const u32 *refs, u64 nr_blocks)
{
	struct space_map map = {
		.refs = refs,
		.nr_blocks = nr_blocks,
		.nr_bitmaps = DIV_ROUND_UP(nr_blocks, THIN_BITMAP_ENTRIES),
	};
	u64 i;

	map.bitmaps = calloc(map.nr_bitmaps + 1, sizeof(u64));
	if (!map.bitmaps)
		te_gen_die("no memory");
	for (i = 0; i < map.nr_bitmaps; i++)
		map.bitmaps[i] = te_gen_new_block(gen);
	for (i = 0; i < nr_blocks; i++)
		map.nr_many += refs[i] > 2;
	return map;
}

struct map_entries {
	struct te_gen_entries entries;
	const struct space_map *map;
};

static void next_count(struct te_gen_entries *entries, u64 *key, void *value)
{
	const struct space_map *map = container_of(entries, struct map_entries, entries)->map;
	__le32 count;

	while (map->refs[entries->position] <= 2)
		entries->position++;
	count = cpu_to_le32(map->refs[entries->position]);
	*key = entries->position++;
	memcpy(value, &count, sizeof(count));
}

static u64 write_counts(struct te_gen *gen, const struct space_map *map)
{
	struct map_entries counts = {
		.entries = { .nr = map->nr_many, .value_bytes = sizeof(__le32),
			     .next = next_count },
		.map = map,
	};

	return te_gen_write_tree(gen, &counts.entries);
}

static struct thin_disk_index_entry index_entry(const struct space_map *map, u64 i)
{
	u64 start = i * THIN_BITMAP_ENTRIES, end = start + THIN_BITMAP_ENTRIES, block;
	struct thin_disk_index_entry entry = { .blocknr = cpu_to_le64(map->bitmaps[i]) };
	u32 nr_free = 0, first_free = THIN_BITMAP_ENTRIES;

	if (end > map->nr_blocks)
		end = map->nr_blocks;
	for (block = start; block < end; block++)
		if (!map->refs[block] && !nr_free++)
			first_free = (u32)(block - start);
	entry.nr_free = cpu_to_le32(nr_free);
	entry.none_free_before = cpu_to_le32(first_free);
	return entry;
}

static void next_index(struct te_gen_entries *entries, u64 *key, void *value)
{
	const struct space_map *map = container_of(entries, struct map_entries, entries)->map;
	struct thin_disk_index_entry entry = index_entry(map, entries->position);

	*key = entries->position++;
	memcpy(value, &entry, sizeof(entry));
}

static u64 write_index_tree(struct te_gen *gen, const struct space_map *map)
{
	struct map_entries index = {
		.entries = { .nr = map->nr_bitmaps, .next = next_index,
			     .value_bytes = sizeof(struct thin_disk_index_entry) },
		.map = map,
	};

	return te_gen_write_tree(gen, &index.entries);
}

static void write_bitmaps(struct te_gen *gen, const struct space_map *map)
{
	u64 i, block = 0;

	for (i = 0; i < map->nr_bitmaps; i++) {
		struct thin_disk_bitmap *bitmap = te_gen_block(gen, map->bitmaps[i]);
		u64 at;

		memset(bitmap, 0, sizeof(*bitmap));
		bitmap->blocknr = cpu_to_le64(map->bitmaps[i]);
		for (at = 0; at < THIN_BITMAP_ENTRIES && block < map->nr_blocks; at++, block++) {
			u32 count = map->refs[block] > 2 ? 3 : map->refs[block];
			u64 bits = (u64)(count >> 1 | (count & 1) << 1) << 2 * (at % 32);

			bitmap->words[at / 32] |= cpu_to_le64(bits);
		}
		seal(bitmap, THIN_BITMAP_CSUM_XOR);
	}
}

static u64 count_used(const struct space_map *map)
{
	u64 i, used = 0;

	for (i = 0; i < map->nr_blocks; i++)
		used += map->refs[i] != 0;
	return used;
}

static void fill_map_root(u8 *at, const struct space_map *map, u64 bitmap_root,
			  u64 ref_count_root)
{
	const struct thin_disk_space_map_root root = {
		.nr_blocks = cpu_to_le64(map->nr_blocks),
		.nr_allocated = cpu_to_le64(count_used(map)),
		.bitmap_root = cpu_to_le64(bitmap_root),
		.ref_count_root = cpu_to_le64(ref_count_root),
	};

	memcpy(at, &root, sizeof(root));
}

/* Room for what is there, for the metadata's own space map, and some more. */
static void settle_metadata_size(struct te_gen *gen)
{
	u64 blocks = gen->next_metadata_block;

	if (gen->nr_metadata_blocks)
		return;
	blocks += blocks / 8 + 2 * THIN_INDEX_MAX_BITMAPS + 512;
	gen->nr_metadata_blocks = blocks < THIN_METADATA_MAX_BLOCKS ? blocks :
								      THIN_METADATA_MAX_BLOCKS;
}

static void write_metadata_index(struct te_gen *gen, const struct space_map *map, u64 block)
{
	struct thin_disk_metadata_index *index = te_gen_block(gen, block);
	u64 i;

	memset(index, 0, THIN_METADATA_BLOCK_BYTES);
	index->blocknr = cpu_to_le64(block);
	for (i = 0; i < map->nr_bitmaps; i++)
		index->index[i] = index_entry(map, i);
	seal(index, THIN_INDEX_CSUM_XOR);
}

void te_gen_finish(struct te_gen *gen)
{
	u64 mapping_root, details_root, data_index, data_counts, metadata_index, metadata_counts;
	struct space_map data, metadata;
	struct thin_disk_superblock *sb;
	u64 block;

	if (!gen->nr_data_blocks)
		gen->nr_data_blocks = gen->end_data_block + gen->end_data_block / 16 + 64;
	write_volumes(gen, &mapping_root, &details_root);
	data = new_space_map(gen, gen->data_refs, gen->nr_data_blocks);
	data_counts = write_counts(gen, &data);
	data_index = write_index_tree(gen, &data);

	/* The rest only takes blocks with one reference: the counts are settled. */
	settle_metadata_size(gen);
	metadata = new_space_map(gen, gen->metadata_refs, gen->nr_metadata_blocks);
	metadata_counts = write_counts(gen, &metadata);
	metadata_index = te_gen_new_block(gen);
	if (gen->next_metadata_block > gen->nr_metadata_blocks)
		te_gen_die("the metadata needs more than %llu blocks",
			   (unsigned long long)gen->nr_metadata_blocks);

	/* All as nodes; what is none is sealed again by who fills it. */
	for (block = 1; block < gen->next_metadata_block; block++)
		if (gen->metadata_refs[block])
			seal(te_gen_block(gen, block), THIN_NODE_CSUM_XOR);
	write_bitmaps(gen, &data);
	write_bitmaps(gen, &metadata);
	write_metadata_index(gen, &metadata, metadata_index);
	if (gen->held_root)
		seal(te_gen_block(gen, gen->held_root), THIN_SUPERBLOCK_CSUM_XOR);

	fill_superblock(gen, THIN_SUPERBLOCK_LOCATION, mapping_root, details_root);
	sb = te_gen_block(gen, THIN_SUPERBLOCK_LOCATION);
	sb->held_root = cpu_to_le64(gen->held_root);
	fill_map_root(sb->data_space_map_root, &data, data_index, data_counts);
	fill_map_root(sb->metadata_space_map_root, &metadata, metadata_index, metadata_counts);
	seal(sb, THIN_SUPERBLOCK_CSUM_XOR);

	free(data.bitmaps);
	free(metadata.bitmaps);
	gen->reader.nr_blocks = gen->nr_metadata_blocks;
	if (gen->fd >= 0 &&
	    ftruncate(gen->fd, (off_t)(gen->nr_metadata_blocks * THIN_METADATA_BLOCK_BYTES)))
		te_gen_die("cannot size the metadata image: %s", strerror(errno));
}
