// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * damage METADATA ID WHAT: breaks one thing in a pool's metadata, in the superblock,
 * in the tree of volume ID or in the details tree, and puts the checksum right again
 * unless the checksum is what it breaks.  The volume's tree must have a node above
 * its leaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/details.h"
#include "core/superblock.h"

struct file_reader {
	struct te_reader reader;
	int fd;
};

/* Where the metadata is broken. */
struct place {
	int fd;
	u64 nr_blocks;
	u64 nr_data_blocks;
	u64 root;			/* of the volume's tree */
	u64 leaf;			/* its first */
	u64 details;			/* root of the details tree */
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "damage: %s: %s\n", what, why);
	exit(1);
}

static void read_block(int fd, u64 block, void *to)
{
	if (pread(fd, to, THIN_METADATA_BLOCK_BYTES, (off_t)(block * THIN_METADATA_BLOCK_BYTES)) !=
	    THIN_METADATA_BLOCK_BYTES)
		die("read", strerror(errno));
}

static void write_block(int fd, u64 block, const void *from)
{
	if (pwrite(fd, from, THIN_METADATA_BLOCK_BYTES,
		   (off_t)(block * THIN_METADATA_BLOCK_BYTES)) != THIN_METADATA_BLOCK_BYTES)
		die("write", strerror(errno));
}

static int file_get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	void *copy = malloc(THIN_METADATA_BLOCK_BYTES);

	if (!copy)
		return -ENOMEM;
	read_block(container_of(reader, struct file_reader, reader)->fd, block, copy);
	*data = copy;
	*cookie = copy;
	return 0;
}

static void file_put(struct te_reader *reader, void *cookie)
{
	free(cookie);
}

static const struct te_reader_ops file_ops = { .get = file_get, .put = file_put };

/* Every kind of block starts with its checksum, of all that follows. */
static void seal(void *block, u32 csum_xor)
{
	u32 csum = crc32c(~0u, (char *)block + 4, THIN_METADATA_BLOCK_BYTES - 4) ^ csum_xor;

	*(__le32 *)block = cpu_to_le32(csum);
}

/* ------------------------------------------------------------------------ */

static void sb_magic(struct thin_disk_superblock *sb, const struct place *at)
{
	sb->magic = cpu_to_le64(1);
}

static void sb_location(struct thin_disk_superblock *sb, const struct place *at)
{
	sb->blocknr = cpu_to_le64(7);
}

static void sb_version(struct thin_disk_superblock *sb, const struct place *at)
{
	sb->version = cpu_to_le32(THIN_VERSION + 1);
}

static void sb_features(struct thin_disk_superblock *sb, const struct place *at)
{
	sb->incompat_flags = cpu_to_le32(1u << 31);
}

static void sb_block_size(struct thin_disk_superblock *sb, const struct place *at)
{
	sb->data_block_size = cpu_to_le32(100);
}

static void sb_metadata_block_size(struct thin_disk_superblock *sb, const struct place *at)
{
	sb->metadata_block_size = cpu_to_le32(16);
}

static void sb_root(struct thin_disk_superblock *sb, const struct place *at)
{
	sb->data_mapping_root = cpu_to_le64(at->nr_blocks + 5);
}

static void sb_data_blocks(struct thin_disk_superblock *sb, const struct place *at)
{
	((struct thin_disk_space_map_root *)sb->data_space_map_root)->nr_blocks =
		cpu_to_le64(1ULL << 62);
}

/* More than the data device has, but no impossible number. */
static void sb_more_data(struct thin_disk_superblock *sb, const struct place *at)
{
	((struct thin_disk_space_map_root *)sb->data_space_map_root)->nr_blocks =
		cpu_to_le64(at->nr_data_blocks + 1);
}

/* One in use that no volume has. */
static void sb_lost_block(struct thin_disk_superblock *sb, const struct place *at)
{
	struct thin_disk_space_map_root *root = (void *)sb->data_space_map_root;

	root->nr_allocated = cpu_to_le64(le64_to_cpu(root->nr_allocated) + 1);
}

static void sb_more_metadata(struct thin_disk_superblock *sb, const struct place *at)
{
	((struct thin_disk_space_map_root *)sb->metadata_space_map_root)->nr_blocks =
		cpu_to_le64(at->nr_blocks + 1);
}

static const struct {
	const char *what;
	void (*apply)(struct thin_disk_superblock *sb, const struct place *at);
} superblock_damages[] = {
	{ "sb-magic", sb_magic },
	{ "sb-location", sb_location },
	{ "sb-version", sb_version },
	{ "sb-features", sb_features },
	{ "sb-block-size", sb_block_size },
	{ "sb-metadata-block-size", sb_metadata_block_size },
	{ "sb-root", sb_root },
	{ "sb-data-blocks", sb_data_blocks },
	{ "sb-more-data", sb_more_data },
	{ "sb-lost-block", sb_lost_block },
	{ "sb-more-metadata", sb_more_metadata },
};

/* ------------------------------------------------------------------------ */

static __le64 *values(struct thin_disk_node *node)
{
	return node->keys + le32_to_cpu(node->max_entries);
}

static void node_location(struct thin_disk_node *node, const struct place *at)
{
	node->blocknr = cpu_to_le64(le64_to_cpu(node->blocknr) + 1);
}

static void node_flags(struct thin_disk_node *node, const struct place *at)
{
	node->flags = cpu_to_le32(THIN_NODE_INTERNAL | THIN_NODE_LEAF);
}

static void node_value_size(struct thin_disk_node *node, const struct place *at)
{
	node->value_size = cpu_to_le32(4);
}

static void node_max_entries(struct thin_disk_node *node, const struct place *at)
{
	node->max_entries = cpu_to_le32(1u << 30);
}

static void node_nr_entries(struct thin_disk_node *node, const struct place *at)
{
	node->nr_entries = cpu_to_le32(le32_to_cpu(node->max_entries) + 1);
}

static void node_key_order(struct thin_disk_node *node, const struct place *at)
{
	node->keys[1] = node->keys[0];
}

/* A leaf's last key beyond where its right neighbour starts. */
static void node_key_range(struct thin_disk_node *node, const struct place *at)
{
	node->keys[le32_to_cpu(node->nr_entries) - 1] = cpu_to_le64(1ULL << 40);
}

static void node_virtual_block(struct thin_disk_node *node, const struct place *at)
{
	node->keys[le32_to_cpu(node->nr_entries) - 1] = cpu_to_le64(1ULL << 60);
}

static void node_child(struct thin_disk_node *node, const struct place *at)
{
	values(node)[0] = cpu_to_le64(at->nr_blocks);
}

static void node_loop(struct thin_disk_node *node, const struct place *at)
{
	values(node)[0] = cpu_to_le64(at->root);
}

static void data_block(struct thin_disk_node *node, const struct place *at)
{
	values(node)[0] = cpu_to_le64(at->nr_data_blocks << THIN_TIME_BITS);
}

/* The details become another volume's. */
static void details_id(struct thin_disk_node *node, const struct place *at)
{
	node->keys[0] = cpu_to_le64(le64_to_cpu(node->keys[0]) + 1);
}

enum node { ROOT, LEAF, LAST_LEAF, DETAILS };

static const struct {
	const char *what;
	enum node node;
	void (*apply)(struct thin_disk_node *node, const struct place *at);
} node_damages[] = {
	{ "root-location", ROOT, node_location },
	{ "root-flags", ROOT, node_flags },
	{ "root-max-entries", ROOT, node_max_entries },
	{ "root-child", ROOT, node_child },
	{ "root-loop", ROOT, node_loop },
	{ "leaf-location", LEAF, node_location },
	{ "leaf-flags", LEAF, node_flags },
	{ "leaf-value-size", LEAF, node_value_size },
	{ "leaf-max-entries", LEAF, node_max_entries },
	{ "leaf-nr-entries", LEAF, node_nr_entries },
	{ "leaf-key-order", LEAF, node_key_order },
	{ "leaf-key-range", LEAF, node_key_range },
	{ "leaf-data-block", LEAF, data_block },
	{ "leaf-virtual-block", LAST_LEAF, node_virtual_block },
	{ "details-id", DETAILS, details_id },
};

/* ------------------------------------------------------------------------ */

static union {
	char bytes[THIN_METADATA_BLOCK_BYTES];
	struct thin_disk_superblock sb;
	struct thin_disk_node node;
} block;

static u64 child(const struct place *at, bool last)
{
	read_block(at->fd, at->root, &block);
	if (!(le32_to_cpu(block.node.flags) & THIN_NODE_INTERNAL))
		die("volume", "its tree is a single leaf");
	return le64_to_cpu(values(&block.node)[last ? le32_to_cpu(block.node.nr_entries) - 1 : 0]);
}

static void find(struct place *at, u32 dev_id)
{
	struct file_reader file = { .reader.ops = &file_ops, .fd = at->fd };
	struct te_fault fault = { 0 };
	struct te_details details;
	struct te_superblock sb;

	file.reader.nr_blocks = (u64)lseek(at->fd, 0, SEEK_END) / THIN_METADATA_BLOCK_BYTES;
	if (te_superblock_read(&file.reader, false, &sb, &fault) ||
	    te_details_find(&file.reader, &sb, dev_id, &details, &fault))
		die("metadata", te_fault_words(fault.kind));
	at->nr_blocks = file.reader.nr_blocks;
	at->nr_data_blocks = sb.nr_data_blocks;
	at->root = details.root;
	at->details = sb.details_root;
	at->leaf = child(at, false);
}

/* One byte of what the checksum covers, and no new checksum. */
static void flip(const struct place *at, u64 number)
{
	read_block(at->fd, number, &block);
	block.bytes[THIN_METADATA_BLOCK_BYTES - 1] ^= 1;
	write_block(at->fd, number, &block);
}

static int damage_superblock(const struct place *at, const char *what)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(superblock_damages); i++) {
		if (strcmp(superblock_damages[i].what, what))
			continue;
		read_block(at->fd, THIN_SUPERBLOCK_LOCATION, &block);
		superblock_damages[i].apply(&block.sb, at);
		seal(&block, THIN_SUPERBLOCK_CSUM_XOR);
		write_block(at->fd, THIN_SUPERBLOCK_LOCATION, &block);
		return 0;
	}
	return -ENOENT;
}

static int damage_node(const struct place *at, const char *what)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(node_damages); i++) {
		u64 number = at->root;

		if (strcmp(node_damages[i].what, what))
			continue;
		if (node_damages[i].node == DETAILS)
			number = at->details;
		else if (node_damages[i].node != ROOT)
			number = child(at, node_damages[i].node == LAST_LEAF);
		read_block(at->fd, number, &block);
		node_damages[i].apply(&block.node, at);
		seal(&block, THIN_NODE_CSUM_XOR);
		write_block(at->fd, number, &block);
		return 0;
	}
	return -ENOENT;
}

int main(int argc, char **argv)
{
	struct place at = { 0 };

	if (argc != 4) {
		fprintf(stderr, "Usage: damage METADATA ID WHAT\n");
		return 2;
	}
	at.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (at.fd < 0)
		die(argv[1], strerror(errno));
	find(&at, (u32)strtoul(argv[2], NULL, 10));

	if (!strcmp(argv[3], "sb-csum"))
		flip(&at, THIN_SUPERBLOCK_LOCATION);
	else if (!strcmp(argv[3], "root-csum"))
		flip(&at, at.root);
	else if (!strcmp(argv[3], "leaf-csum"))
		flip(&at, at.leaf);
	else if (!strcmp(argv[3], "where-leaf"))
		printf("%llu\n", (unsigned long long)at.leaf);
	else if (damage_superblock(&at, argv[3]) && damage_node(&at, argv[3]))
		die(argv[3], "no such damage");
	if (fsync(at.fd))
		die(argv[1], strerror(errno));
	return 0;
}
