// SPDX-License-Identifier: GPL-2.0-or-later
/* Metadata blocks out of an input. */
#include "packed.h"

#define BLOCK_WORDS	(THIN_METADATA_BLOCK_BYTES / sizeof(__le64))

u8 packed_byte(struct packed *input)
{
	if (!input->left)
		return 0;
	input->left--;
	return *input->p++;
}

/* The next word; false at the end of the block. */
static bool next_word(struct packed *input, u64 *word)
{
	unsigned int shift = 0;
	u8 byte;

	*word = 0;
	if (!input->left)
		return false;
	do {
		byte = packed_byte(input);
		*word |= (u64)(byte & 127) << shift;
		shift += 7;
	} while (byte & 128 && shift < 64);
	return shift != 14 || *word;
}

static void unpack(struct packed *input, __le64 *words)
{
	size_t at = 0;
	u64 word;

	while (next_word(input, &word)) {
		if (at < BLOCK_WORDS)
			words[at] = cpu_to_le64(word);
		at += word ? 1 : 1 + packed_byte(input);
	}
}

static void seal_block(struct blocks *blocks, u64 number)
{
	struct thin_disk_superblock *sb = blocks_at(blocks, number);
	bool super = !number || le64_to_cpu(sb->magic) == THIN_SUPERBLOCK_MAGIC;

	/* Both kinds have the number in the same place. */
	sb->blocknr = cpu_to_le64(number);
	if (super)
		superblock_seal(sb);
	else
		node_seal((void *)sb);
}

struct blocks *packed_blocks(struct packed *input, size_t most, bool seal)
{
	struct blocks *blocks = blocks_new(most);
	u64 nr = 0;

	do {
		unpack(input, blocks_at(blocks, nr));
		if (seal)
			seal_block(blocks, nr);
		nr++;
	} while (input->left && nr < most);
	blocks->reader.nr_blocks = nr;
	return blocks;
}
