// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing receive: a stream into a small pool, by all that the command does but
 * opening the target.
 *
 * The input is a byte of how it is received, a byte of what stays as it is (mended.h)
 * and a stream.  The target is a metadata and a data device in memory, with a guard
 * behind each.  Whatever the stream says, no byte of a guard changes.  When it is
 * refused, nothing is left that dm-thin would take for a pool.  When it is received,
 * the pool is read back by the core and held to what the stream says (model.h): the
 * same volumes with the same blocks, shared where they were; the contents; and no
 * block that two volumes have looks unshared.
 */
#include <stdio.h>
#include <unistd.h>

#include "blocks.h"
#include "core/details.h"
#include "core/walk.h"
#include "device.h"
#include "mended.h"
#include "model.h"
#include "receive/sink_pool.h"
#include "stream/stream_read.h"
#include "target.h"

/* Of the first byte of the input. */
#define HOW_FIRST_VOLUME	(1u << 0)	/* only the first of the volumes */
#define HOW_LAST_VOLUME		(1u << 1)	/* only the last */
#define HOW_FORCE		(1u << 2)
#define HOW_TIGHT		(1u << 3)	/* a target of few blocks */
#define HOW_THREADS		(1u << 4)
#define HOW_WINDOW		(1u << 5)	/* the place is kept wherever it can be */

#define METADATA_BLOCKS	256u
#define TIGHT_METADATA	12u
#define DATA_BYTES	(4u << 20)
#define TIGHT_DATA	(192u << 10)
#define SECTOR_BYTES	512u

struct received {
	struct device metadata, data;
	struct te_begin begin;
	struct model model;
	struct blocks *blocks;		/* of the metadata */
	struct te_superblock sb;
	const struct model_volume *volume;	/* that is being compared */
	u64 nr_entries;			/* of it so far */
	u64 place[DATA_BYTES / 65536];	/* by pool block: where its content travelled */
	u32 owners[DATA_BYTES / 65536];
	bool exclusive[DATA_BYTES / 65536];
	size_t nr_wanted;
	u32 wanted;			/* the one device id, when not all are */
};

/* The stream as the reader gives it, which has checked it; and what may be chosen of it. */
static bool tell(struct received *received, int fd)
{
	struct te_stream_reader *reader = te_stream_reader_create(fd, "fuzzed");
	struct model *model = &received->model;
	struct te_record record;
	const u8 *data;
	size_t i;
	int more;

	keeps(reader != NULL);
	while ((more = te_stream_next(reader, &record)) == 1) {
		if (record.kind == TE_RECORD_BEGIN)
			received->begin = *record.begin;
		if (record.kind == TE_RECORD_VOLUME)
			model_volume(model, le32_to_cpu(record.volume->dev_id),
				     le32_to_cpu(record.volume->parent_kind) == TE_PARENT_VOLUME ?
					     (long)le32_to_cpu(record.volume->parent_index) : -1);
		if (record.kind == TE_RECORD_VOLUME_END)
			model_volume_end(model);
		if (record.kind != TE_RECORD_OPS)
			continue;
		data = record.ops.data;
		for (i = 0; i < record.ops.nr_ops; i++) {
			const struct te_op *op = &record.ops.ops[i];

			model_op(model, op, data);
			if (le16_to_cpu(op->kind) == TE_OP_DATA)
				data += le64_to_cpu(op->length) * SECTOR_BYTES;
		}
	}
	te_stream_reader_destroy(reader);
	return !more;
}

/* A mapping of the pool against what the stream says is there. */
static void compare_block(struct received *received, u64 virtual_block, u64 value)
{
	u64 block = te_mapping_block(value), sectors = received->sb.data_block_sectors;
	u64 place = model_place(&received->model, received->volume, virtual_block * sectors);

	keeps(block < received->sb.nr_data_blocks && place != ~0ULL);
	keeps(model_place(&received->model, received->volume,
			  (virtual_block + 1) * sectors - 1) == place + sectors - 1);
	keeps(!memcmp(received->data.memory + block * sectors * SECTOR_BYTES,
		      received->model.bytes + place * SECTOR_BYTES, sectors * SECTOR_BYTES));
	keeps(!received->owners[block] || received->place[block] == place);
	received->place[block] = place;
	received->owners[block]++;
	received->exclusive[block] |= te_mapping_time(value) >= received->sb.time;
	/* dm-thin writes in place where it takes a block for the volume's own. */
	keeps(!received->exclusive[block] || received->owners[block] == 1);
}

static int compare_leaf(void *context, const struct te_node *leaf, struct te_range range)
{
	struct received *received = context;
	u32 i;

	for (i = 0; i < leaf->nr_entries; i++)
		compare_block(received, te_node_key(leaf, i), te_node_value64(leaf, i));
	received->nr_entries += leaf->nr_entries;
	return 0;
}

static const struct model_volume *find(const struct model *model, u32 dev_id)
{
	size_t i;

	for (i = 0; i < model->nr_volumes; i++)
		if (model->volumes[i].dev_id == dev_id)
			return &model->volumes[i];
	return NULL;
}

static int compare_volume(void *context, const struct te_details *details)
{
	static const struct te_walk_ops ops = { .leaf = compare_leaf };
	struct received *received = context;
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_walk *walk = te_alloc(sizeof(*walk));
	u64 sectors = 0;
	size_t i;

	received->volume = find(&received->model, details->dev_id);
	received->nr_entries = 0;
	keeps(walk && received->volume);
	*walk = (struct te_walk) {
		.reader = &received->blocks->reader,
		.ops = &ops,
		.context = received,
		.value_bytes = sizeof(__le64),
		.fault = &fault,
	};
	keeps(!te_walk_tree(walk, details->root, (struct te_range) { 0, ~0ULL }));
	te_free(walk);
	for (i = 0; i < received->volume->nr; i++)
		sectors += received->model.runs[received->volume->first + i].end -
			   received->model.runs[received->volume->first + i].start;
	keeps(received->nr_entries == details->mapped_blocks &&
	      received->nr_entries * received->sb.data_block_sectors == sectors);
	keeps(details->snapshotted_time == received->sb.time &&
	      details->creation_time < received->sb.time);
	received->nr_wanted--;
	return 0;
}

/* Two blocks of the pool with the same content travelled once: then they were shared. */
static void compare_places(const struct received *received)
{
	u64 nr = received->sb.nr_data_blocks, i, j;

	for (i = 0; i < nr; i++)
		for (j = i + 1; j < nr; j++)
			keeps(!received->owners[i] || !received->owners[j] ||
			      received->place[i] != received->place[j]);
}

static void compare_pool(struct received *received)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_superblock *sb = &received->sb;
	u64 nr = received->metadata.bytes / THIN_METADATA_BLOCK_BYTES;

	received->blocks = blocks_new(nr);
	memcpy(received->blocks->bytes, received->metadata.memory, received->metadata.bytes);
	keeps(!te_superblock_read(&received->blocks->reader, false, sb, &fault));
	keeps(sb->data_block_sectors == le32_to_cpu(received->begin.data_block_sectors) &&
	      sb->transaction_id == le64_to_cpu(received->begin.transaction_id) &&
	      sb->nr_metadata_blocks == nr && !sb->held_root && !sb->needs_check);
	keeps(sb->nr_data_blocks ==
	      received->data.bytes / (sb->data_block_sectors * (u64)SECTOR_BYTES));
	keeps(!te_details_each(&received->blocks->reader, sb, compare_volume, received, &fault));
	keeps(!received->nr_wanted);
	compare_places(received);
	blocks_free(received->blocks);
}

/* Nothing that dm-thin would take for a pool. */
static void no_pool(const struct received *received)
{
	const struct thin_disk_superblock *sb = (void *)received->metadata.memory;
	struct te_fault fault;
	struct te_superblock found;

	keeps(te_superblock_check(sb, 0, METADATA_BLOCKS, &found, &fault) != 0);
	keeps(le64_to_cpu(sb->magic) != THIN_SUPERBLOCK_MAGIC);
}

static void choose(struct received *received, u8 how, struct te_choice *choice)
{
	const struct model *model = &received->model;
	static char word[16];	/* the choice keeps the pointer */

	received->nr_wanted = model->nr_volumes;
	if (!(how & (HOW_FIRST_VOLUME | HOW_LAST_VOLUME)) || !model->nr_volumes)
		return;
	received->wanted =
		model->volumes[how & HOW_FIRST_VOLUME ? 0 : model->nr_volumes - 1].dev_id;
	received->nr_wanted = 1;
	snprintf(word, sizeof(word), "%u", received->wanted);
	keeps(!te_words_add(&choice->volumes, word));
}

static int receive(struct received *received, int fd, u8 how)
{
	struct te_target target = {
		.metadata = { received->metadata.fd, "metadata", received->metadata.bytes, true },
		.data = { received->data.fd, "data", received->data.bytes, true },
	};
	const struct te_receive_options options = {
		.threads = how & HOW_THREADS ? 2 : 1,
		.force = how & HOW_FORCE,
		.window_bytes = how & HOW_WINDOW ? 1 : TE_WINDOW_AUTO,
	};
	struct te_choice choice = { .settled = NULL };
	struct te_receive_totals totals;
	struct te_sink *sink;
	int err;

	choose(received, how, &choice);
	keeps(!lseek(fd, 0, SEEK_SET));
	sink = te_sink_pool_create(&target, &options);
	keeps(sink != NULL);
	err = te_receive(fd, "fuzzed", sink, &choice, &options, &totals);
	te_sink_pool_destroy(sink);
	te_choice_exit(&choice);
	return err;
}

static void begin(struct received *received, u8 how)
{
	static u8 *bytes;
	bool tight = how & HOW_TIGHT;

	if (!bytes)
		bytes = malloc(MODEL_MOST_BYTES);
	keeps(bytes != NULL);
	device_prepare(&received->metadata, "metadata",
		(tight ? TIGHT_METADATA : METADATA_BLOCKS) * THIN_METADATA_BLOCK_BYTES);
	device_prepare(&received->data, "data", tight ? TIGHT_DATA : DATA_BYTES);
	memset(&received->begin, 0, sizeof(*received) - offsetof(struct received, begin));
	received->model.bytes = bytes;
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	static u8 stream[MENDED_MOST_BYTES];
	static struct received received;
	bool whole;
	int fd;

	if (bytes < 3)
		return 0;
	begin(&received, input[0]);
	bytes = mended_stream(input + 2, bytes - 2, input[1], stream);
	fd = device_stream(stream, bytes);
	whole = tell(&received, fd);
	if (receive(&received, fd, input[0])) {
		no_pool(&received);
	} else {
		keeps(whole);
		if (!received.model.too_much)
			compare_pool(&received);
	}
	device_check(&received.metadata);
	device_check(&received.data);
	return 0;
}
