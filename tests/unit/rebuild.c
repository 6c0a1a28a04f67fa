// SPDX-License-Identifier: GPL-2.0-or-later
/* A pool's metadata built anew from what the plan says of it, without its data. */
#include "rebuild.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <thinexport/thin_disk.h>
#include "build/build.h"
#include "core/bitmap.h"
#include "core/details.h"
#include "core/walk.h"
#include "send/plan.h"

static double seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* What an op needs to be told to the builder as receive tells it. */
struct section {
	struct te_build *build;
	long parent;
	u64 position;
	u64 *next_pool;
};

static int fill_gap(struct section *section, u64 block)
{
	u64 from = section->position;

	section->position = block;
	if (section->parent < 0 || from == block)
		return 0;
	return te_build_copy(section->build, (u32)section->parent, from, block - from);
}

static int take_op(void *context, const struct te_plan_op *op)
{
	struct section *section = context;
	int err = fill_gap(section, op->virtual_block);

	section->position = op->virtual_block + op->count;
	if (err || op->kind == TE_OP_UNMAP)
		return err;
	if (op->kind == TE_OP_SHARE)
		return te_build_copy(section->build, op->source, op->virtual_block, op->count);
	*section->next_pool += op->count;
	return te_build_map(section->build, op->virtual_block, *section->next_pool - op->count,
			    op->count, op->shared);
}

static int build_volume(struct te_build *build, struct te_plan *plan, size_t i, u64 *next_pool,
			struct te_rebuilt *rebuilt)
{
	const struct te_plan_volume *volume = &plan->volumes[i];
	struct te_build_volume begin = {
		.dev_id = volume->volume->details.dev_id,
		.transaction_id = volume->volume->details.transaction_id,
		.creation_time = volume->volume->details.creation_time,
	};
	struct section section = {
		.build = build,
		.parent = volume->parent,
		.next_pool = next_pool,
	};
	u64 mapped;
	int err = te_build_volume_begin(build, &begin);

	if (!err)
		err = te_plan_ops(plan, i, take_op, &section);
	if (!err)
		err = fill_gap(&section, UINT64_MAX);
	if (!err)
		err = te_build_volume_end(build, &mapped);
	if (!err && mapped != volume->mapped_blocks) {
		printf("# volume %u maps %llu blocks, not %llu\n", begin.dev_id,
		       (unsigned long long)mapped, (unsigned long long)volume->mapped_blocks);
		err = -EBADMSG;
	}
	rebuilt->nr_mappings += err ? 0 : mapped;
	return err;
}

static int build_plan(struct te_plan *plan, int fd, u64 nr_metadata_blocks, const char *to,
		      struct te_rebuilt *rebuilt)
{
	struct te_build_pool pool = {
		.block_sectors = plan->source->block_sectors,
		.nr_data_blocks = plan->source->nr_data_blocks,
		.nr_metadata_blocks = nr_metadata_blocks,
		.transaction_id = plan->source->transaction_id,
	};
	struct te_build *build;
	u64 next_pool = 0;
	size_t i;
	int err = 0;

	for (i = 0; i < plan->nr_volumes; i++)
		if (plan->volumes[i].volume->details.creation_time >= pool.time)
			pool.time = plan->volumes[i].volume->details.creation_time + 1;
	build = te_build_create(fd, to, &pool);
	if (!build)
		return -EIO;
	for (i = 0; !err && i < plan->nr_volumes; i++)
		err = build_volume(build, plan, i, &next_pool, rebuilt);
	if (!err)
		err = te_build_finish(build);
	if (!err)
		err = te_build_commit(build);
	rebuilt->used_blocks = te_build_used_blocks(build);
	te_build_destroy(build);
	return err;
}

int te_rebuild(const char *metadata, const char *data, const char *to,
	       struct te_rebuilt *rebuilt)
{
	struct te_source *source = te_source_open_devices(metadata, data, TE_ROOT_SUPERBLOCK);
	struct te_plan *plan = NULL;
	u64 blocks;
	double begun, cpu_begun;
	int fd = -1, err = -EIO;

	*rebuilt = (struct te_rebuilt) { .used_blocks = 0 };
	if (!source)
		return err;
	plan = te_plan_create(source);
	fd = open(to, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (!plan || fd < 0)
		goto out;
	rebuilt->source_blocks = source->metadata_used_blocks;
	rebuilt->provisioned_blocks = plan->provisioned_blocks;
	rebuilt->nr_volumes = plan->nr_volumes;
	blocks = source->metadata_used_blocks * 2 + 2048;
	if (blocks > THIN_METADATA_MAX_BLOCKS)
		blocks = THIN_METADATA_MAX_BLOCKS;
	if (ftruncate(fd, (off_t)(blocks * THIN_METADATA_BLOCK_BYTES)))
		goto out;
	begun = seconds_of(CLOCK_MONOTONIC);
	cpu_begun = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	err = build_plan(plan, fd, blocks, to, rebuilt);
	rebuilt->build_seconds = seconds_of(CLOCK_MONOTONIC) - begun;
	rebuilt->build_cpu_seconds = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_begun;
out:
	if (fd >= 0)
		close(fd);
	te_plan_destroy(plan);
	te_source_close(source);
	return err;
}

/* An image in memory, for the core. */
struct mapped {
	struct te_reader reader;
	u8 *bytes;
};

static int get(struct te_reader *reader, u64 block, const void **data, void **cookie)
{
	struct mapped *mapped = container_of(reader, struct mapped, reader);

	*data = mapped->bytes + block * THIN_METADATA_BLOCK_BYTES;
	*cookie = NULL;
	return 0;
}

static void put(struct te_reader *reader, void *cookie)
{
}

/* What the trees say. */
struct tally {
	struct te_reader *reader;
	struct te_bitmap seen;
	u32 *counts;
	u64 nr_data_blocks;
};

static int enter(void *context, u64 block, unsigned int level, struct te_range range)
{
	struct tally *tally = context;

	return te_bitmap_set(&tally->seen, block) ? TE_VISIT_SKIP : TE_VISIT_DESCEND;
}

static int leaf(void *context, const struct te_node *node, struct te_range range)
{
	struct tally *tally = context;
	u32 i;

	for (i = 0; i < node->nr_entries; i++)
		tally->counts[te_mapping_block(te_node_value64(node, i))]++;
	return 0;
}

static int tally_volume(void *context, const struct te_details *details)
{
	static const struct te_walk_ops ops = { .enter = enter, .leaf = leaf };
	struct tally *tally = context;
	struct te_walk *walk = te_alloc(sizeof(*walk));
	struct te_fault fault;
	int err;

	walk->reader = tally->reader;
	walk->ops = &ops;
	walk->context = tally;
	walk->value_bytes = sizeof(__le64);
	walk->fault = &fault;
	err = te_walk_tree(walk, details->root, (struct te_range) { 0, UINT64_MAX });
	te_free(walk);
	return err;
}

/* The count that the space map has of a block, ~0 when that cannot be found. */
static u32 space_map_count(struct mapped *mapped, const struct thin_disk_space_map_root *map,
			   u64 block)
{
	const struct thin_disk_bitmap *bitmap;
	struct thin_disk_index_entry entry;
	u64 within = block % THIN_BITMAP_ENTRIES, bits;
	struct te_fault fault;
	__le32 count;

	if (te_btree_lookup(&mapped->reader, le64_to_cpu(map->bitmap_root), sizeof(entry),
			    block / THIN_BITMAP_ENTRIES, &entry, &fault))
		return ~0u;
	bitmap = (const void *)(mapped->bytes +
				le64_to_cpu(entry.blocknr) * THIN_METADATA_BLOCK_BYTES);
	bits = le64_to_cpu(bitmap->words[within / 32]) >> within % 32 * 2 & 3;
	if (bits != 3)
		return bits == 2 ? 1 : bits == 1 ? 2 : 0;
	if (te_btree_lookup(&mapped->reader, le64_to_cpu(map->ref_count_root), sizeof(count),
			    block, &count, &fault))
		return ~0u;
	return le32_to_cpu(count);
}

static bool compare_counts(struct mapped *mapped, const struct tally *tally)
{
	const struct thin_disk_superblock *disk = (const void *)mapped->bytes;
	struct thin_disk_space_map_root map;
	u64 block, used = 0;

	memcpy(&map, disk->data_space_map_root, sizeof(map));
	for (block = 0; block < tally->nr_data_blocks; block++) {
		u32 count = space_map_count(mapped, &map, block);

		used += tally->counts[block] != 0;
		if (count == tally->counts[block])
			continue;
		printf("# data block %llu counts %u, but %u leaf entries map it\n",
		       (unsigned long long)block, count, tally->counts[block]);
		return false;
	}
	if (le64_to_cpu(map.nr_allocated) == used)
		return true;
	printf("# %llu data blocks are used, the space map says %llu\n", (unsigned long long)used,
	       (unsigned long long)le64_to_cpu(map.nr_allocated));
	return false;
}

bool te_data_counts_are_true(const char *image)
{
	static const struct te_reader_ops ops = { .get = get, .put = put };
	struct mapped mapped = { .reader = { .ops = &ops } };
	struct tally tally = { .reader = &mapped.reader };
	struct te_superblock sb;
	struct te_fault fault;
	struct stat st;
	bool good = false;
	int fd = open(image, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		return false;
	mapped.bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	mapped.reader.nr_blocks = (u64)st.st_size / THIN_METADATA_BLOCK_BYTES;
	close(fd);
	if (te_superblock_read(&mapped.reader, false, &sb, &fault))
		return false;
	tally.nr_data_blocks = sb.nr_data_blocks;
	tally.counts = te_alloc(sb.nr_data_blocks * sizeof(*tally.counts));
	if (!te_bitmap_init(&tally.seen, mapped.reader.nr_blocks) && tally.counts &&
	    !te_details_each(&mapped.reader, &sb, tally_volume, &tally, &fault))
		good = compare_counts(&mapped, &tally);
	te_bitmap_exit(&tally.seen);
	te_free(tally.counts);
	munmap(mapped.bytes, (size_t)st.st_size);
	return good;
}
