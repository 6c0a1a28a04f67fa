// SPDX-License-Identifier: GPL-2.0-or-later
/* The pool made up for a test: blocks of its image, and nothing of what is in them. */
#include "generate_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_DATA_BLOCKS	(1ULL << 30)

void te_gen_die(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fprintf(stderr, "generate: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
	exit(1);
}

static void *map(int fd, size_t bytes)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	void *p;

	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
	if (p == MAP_FAILED)
		te_gen_die("cannot map %zu bytes: %s", bytes, strerror(errno));
	return p;
}

void *te_gen_memory(size_t bytes)
{
	return map(-1, bytes);
}

static int read_image(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	*data = te_gen_block(container_of(reader, struct te_gen, reader), block);
	*cookie = NULL;
	return 0;
}

static void put_image(struct te_reader *reader, void *cookie)
{
}

static const struct te_reader_ops image_ops = {
	.get = read_image,
	.put = put_image,
};

struct te_gen *te_gen_create(int fd, u64 nr_metadata_blocks, u64 nr_data_blocks,
			     u32 block_sectors, u64 seed)
{
	struct te_gen *gen = te_gen_memory(sizeof(*gen));
	u64 bytes;

	gen->fd = fd;
	gen->nr_metadata_blocks = nr_metadata_blocks;
	gen->most_metadata_blocks = nr_metadata_blocks ? nr_metadata_blocks :
							 THIN_METADATA_MAX_BLOCKS;
	gen->nr_data_blocks = nr_data_blocks;
	gen->most_data_blocks = nr_data_blocks ? nr_data_blocks : MOST_DATA_BLOCKS;
	gen->block_sectors = block_sectors;
	gen->random = seed;

	bytes = gen->most_metadata_blocks * THIN_METADATA_BLOCK_BYTES;
	if (fd >= 0 && (ftruncate(fd, 0) || ftruncate(fd, (off_t)bytes)))
		te_gen_die("cannot size the metadata image: %s", strerror(errno));
	gen->image = map(fd, bytes);
	gen->metadata_refs = te_gen_memory(gen->most_metadata_blocks * sizeof(u32));
	gen->data_refs = te_gen_memory(gen->most_data_blocks * sizeof(u32));
	gen->ids_used = te_gen_memory((THIN_DEV_ID_MAX + 1) / 8);

	gen->metadata_refs[THIN_SUPERBLOCK_LOCATION] = 1;
	gen->next_metadata_block = THIN_SUPERBLOCK_LOCATION + 1;
	gen->reader.ops = &image_ops;
	return gen;
}

void te_gen_destroy(struct te_gen *gen)
{
	munmap(gen->image, gen->most_metadata_blocks * THIN_METADATA_BLOCK_BYTES);
	munmap(gen->metadata_refs, gen->most_metadata_blocks * sizeof(u32));
	munmap(gen->data_refs, gen->most_data_blocks * sizeof(u32));
	munmap(gen->ids_used, (THIN_DEV_ID_MAX + 1) / 8);
	free(gen->free_blocks);
	free(gen->volumes);
	munmap(gen, sizeof(*gen));
}

u64 te_gen_new_block(struct te_gen *gen)
{
	u64 block;

	if (gen->nr_free_blocks) {
		block = gen->free_blocks[--gen->nr_free_blocks];
	} else {
		if (gen->next_metadata_block == gen->most_metadata_blocks)
			te_gen_die("the metadata needs more than %llu blocks",
				   (unsigned long long)gen->most_metadata_blocks);
		block = gen->next_metadata_block++;
	}
	gen->metadata_refs[block] = 1;
	return block;
}

void te_gen_free_block(struct te_gen *gen, u64 block)
{
	gen->metadata_refs[block] = 0;
	if (gen->nr_free_blocks == gen->room_free_blocks) {
		gen->room_free_blocks = gen->room_free_blocks ? 2 * gen->room_free_blocks : 1024;
		gen->free_blocks = realloc(gen->free_blocks,
					   gen->room_free_blocks * sizeof(u64));
		if (!gen->free_blocks)
			te_gen_die("no memory");
	}
	gen->free_blocks[gen->nr_free_blocks++] = block;
}

/* splitmix64, as Steele, Lea and Flood give it. */
static u64 mix(u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

u64 te_gen_random(struct te_gen *gen, u64 below)
{
	gen->random += 0x9e3779b97f4a7c15ULL;
	return below ? mix(gen->random) % below : 0;
}

bool te_gen_content(u64 seed, u64 block, u32 zeros, void *buf, size_t bytes)
{
	u64 state = mix(seed ^ mix(block));
	__le64 *words = buf;
	size_t i;

	if (state % 100 < zeros)
		return false;
	/* Eight words of noise, then eight of which each is the block's number. */
	for (i = 0; i < bytes / sizeof(*words); i++)
		words[i] = i & 8 ? cpu_to_le64(block) : cpu_to_le64(mix(state + i));
	return true;
}
