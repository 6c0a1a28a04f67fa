// SPDX-License-Identifier: GPL-2.0-or-later
/* Metadata made block by block in memory. */
#include "blocks.h"

static int get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	struct blocks *blocks = container_of(reader, struct blocks, reader);

	if (block >= reader->nr_blocks)
		abort();		/* promised never to be asked */
	if (block == blocks->unreadable)
		return -EIO;
	blocks->nr_gets++;
	blocks->read[block]++;
	blocks->nr_held++;
	/* A copy, so that use after put is seen by the sanitizer. */
	*cookie = malloc(THIN_METADATA_BLOCK_BYTES);
	memcpy(*cookie, blocks_at(blocks, block), THIN_METADATA_BLOCK_BYTES);
	*data = *cookie;
	return 0;
}

static void put(struct te_reader *reader, void *cookie)
{
	container_of(reader, struct blocks, reader)->nr_held--;
	free(cookie);
}

static void prefetch(struct te_reader *reader, u64 block, u64 count)
{
	struct blocks *blocks = container_of(reader, struct blocks, reader);

	if (block >= reader->nr_blocks || count > reader->nr_blocks - block)
		abort();
	blocks->prefetched += count;
	blocks->nr_hints++;
}

static bool interrupted(struct te_reader *reader)
{
	struct blocks *blocks = container_of(reader, struct blocks, reader);

	return blocks->nr_gets >= blocks->interrupt_after;
}

static const struct te_reader_ops ops = {
	.get = get,
	.put = put,
	.prefetch = prefetch,
	.interrupted = interrupted,
};

struct blocks *blocks_new(u64 nr)
{
	struct blocks *blocks = calloc(1, sizeof(*blocks));

	blocks->bytes = calloc(nr, THIN_METADATA_BLOCK_BYTES);
	blocks->read = calloc(nr, sizeof(u32));
	blocks->reader.ops = &ops;
	blocks->reader.nr_blocks = nr;
	blocks->unreadable = ~0ULL;
	blocks->interrupt_after = ~0ULL;
	return blocks;
}

void blocks_free(struct blocks *blocks)
{
	free(blocks->bytes);
	free(blocks->read);
	free(blocks);
}

void *blocks_at(struct blocks *blocks, u64 block)
{
	return blocks->bytes + block * THIN_METADATA_BLOCK_BYTES;
}

struct thin_disk_node *blocks_node(struct blocks *blocks, u64 block, bool leaf, u32 value_bytes)
{
	struct thin_disk_node *node = blocks_at(blocks, block);
	u32 room = (THIN_METADATA_BLOCK_BYTES - sizeof(*node)) / (8 + value_bytes);

	memset(node, 0, THIN_METADATA_BLOCK_BYTES);
	node->flags = cpu_to_le32(leaf ? THIN_NODE_LEAF : THIN_NODE_INTERNAL);
	node->blocknr = cpu_to_le64(block);
	node->max_entries = cpu_to_le32(room / 3 * 3);
	node->value_size = cpu_to_le32(value_bytes);
	return node;
}

void node_add_bytes(struct thin_disk_node *node, u64 key, const void *value)
{
	u32 i = le32_to_cpu(node->nr_entries);
	u32 bytes = le32_to_cpu(node->value_size);

	node->keys[i] = cpu_to_le64(key);
	memcpy((char *)(node->keys + le32_to_cpu(node->max_entries)) + (size_t)i * bytes, value,
	       bytes);
	node->nr_entries = cpu_to_le32(i + 1);
}

void node_add(struct thin_disk_node *node, u64 key, u64 value)
{
	__le64 disk = cpu_to_le64(value);

	node_add_bytes(node, key, &disk);
}

static void seal(void *block, u32 xor)
{
	__le32 *csum = block;

	*csum = cpu_to_le32(crc32c(~0u, csum + 1, THIN_METADATA_BLOCK_BYTES - 4) ^ xor);
}

void node_seal(struct thin_disk_node *node)
{
	seal(node, THIN_NODE_CSUM_XOR);
}

void superblock_seal(struct thin_disk_superblock *sb)
{
	seal(sb, THIN_SUPERBLOCK_CSUM_XOR);
}

struct thin_disk_superblock *blocks_superblock(struct blocks *blocks)
{
	struct thin_disk_superblock *sb = blocks_at(blocks, 0);
	const struct thin_disk_space_map_root data = {
		.nr_blocks = cpu_to_le64(1000), .nr_allocated = cpu_to_le64(10),
	};
	const struct thin_disk_space_map_root metadata = {
		.nr_blocks = cpu_to_le64(blocks->reader.nr_blocks),
		.nr_allocated = cpu_to_le64(3),
	};

	memset(sb, 0, THIN_METADATA_BLOCK_BYTES);
	sb->magic = cpu_to_le64(THIN_SUPERBLOCK_MAGIC);
	sb->version = cpu_to_le32(THIN_VERSION);
	sb->time = cpu_to_le32(4);
	sb->trans_id = cpu_to_le64(7);
	memcpy(sb->data_space_map_root, &data, sizeof(data));
	memcpy(sb->metadata_space_map_root, &metadata, sizeof(metadata));
	sb->data_mapping_root = cpu_to_le64(1);
	sb->device_details_root = cpu_to_le64(2);
	sb->data_block_size = cpu_to_le32(THIN_DATA_BLOCK_MIN_SECTORS);
	sb->metadata_block_size = cpu_to_le32(THIN_METADATA_BLOCK_SECTORS);
	sb->metadata_nr_blocks = cpu_to_le64(blocks->reader.nr_blocks);
	superblock_seal(sb);
	return sb;
}

struct thin_disk_node *blocks_parent(struct blocks *blocks, u64 block, u32 nr,
				     const u64 *keys, const u64 *children)
{
	struct thin_disk_node *node = blocks_node(blocks, block, false, 8);
	u32 i;

	for (i = 0; i < nr; i++)
		node_add(node, keys[i], children[i]);
	node_seal(node);
	return node;
}

struct thin_disk_node *blocks_leaf(struct blocks *blocks, u64 block, u64 first, u32 nr)
{
	struct thin_disk_node *node = blocks_node(blocks, block, true, 8);
	u64 key;

	for (key = first; key < first + nr; key++)
		node_add(node, key, (1000 + key) << THIN_TIME_BITS | 1);
	node_seal(node);
	return node;
}
