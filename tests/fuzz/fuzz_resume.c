// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the place that an interrupted receive has kept in its target.
 *
 * A stream of three volumes is received up to some frame, with its place kept behind
 * each record.  The input is a byte of where it breaks off, a byte of choices, and
 * changes: a byte for one of the blocks that were written, one for a word of it, and
 * the word's new value in LEB128, its low bit telling whether it is added or
 * put there.  Then checksums and digests are made right: so what the head of the
 * device, the beginning, the slots, and the nodes that stand tell is what decides.
 *
 * The place is loaded, and the receive goes on with the rest of the stream.  No byte of
 * a guard changes; what is refused leaves no pool; and what becomes one is a pool whose
 * every tree the core walks without a fault, and in which no block that two
 * mappings have looks unshared.  Without a change the pool is the very one that a
 * receive without an interruption makes, in metadata and data.
 */
#include <stdio.h>
#include <unistd.h>

#include "blocks.h"
#include "receive/checkpoint.h"
#include "core/details.h"
#include "core/walk.h"
#include "device.h"
#include "stream/frame.h"
#include "mended.h"
#include "receive/receive.h"
#include "receive/receive_state.h"
#include "receive/sink_pool.h"
#include "streams.h"
#include "target.h"

#define CHOICE_RAW	(1u << 0)	/* checksums and digests as they are */
#define CHOICE_RAW_NODES (1u << 1)	/* those of nodes alone */

#define METADATA_BLOCKS	64u
#define METADATA_BYTES	(METADATA_BLOCKS * THIN_METADATA_BLOCK_BYTES)
#define DATA_BYTES	(1u << 20)
#define BLOCK_WORDS	(THIN_METADATA_BLOCK_BYTES / sizeof(__le64))
#define MOST_CHANGES	16u

static struct device metadata, data;
static u8 stream[MENDED_MOST_BYTES], rest[MENDED_MOST_BYTES];
static struct bytes whole;
static u8 pool_metadata[METADATA_BYTES], pool_data[DATA_BYTES];	/* without an interruption */

static size_t put(u8 *to, enum te_frame_kind kind, size_t table_bytes, const void *payload,
		  size_t bytes)
{
	struct te_frame_header header = {
		.magic = cpu_to_le32(TE_FRAME_MAGIC),
		.kind = cpu_to_le16((u16)kind),
		.table_bytes = cpu_to_le32((u32)table_bytes),
	};

	memcpy(to, &header, sizeof(header));
	memcpy(to + sizeof(header), payload, bytes);
	return sizeof(header) + bytes;
}

#define OP(op_kind, block, blocks, op_flags)					\
	{ .kind = cpu_to_le16(op_kind), .offset = cpu_to_le64(128ULL * (block)),	\
	  .length = cpu_to_le64(128ULL * (blocks)), .flags = cpu_to_le16(op_flags) }

/* What is written out here is mended to a stream. */
static void make_stream(void)
{
	const struct te_op ops[][2] = {
		{ OP(TE_OP_DATA, 0, 1, TE_OP_SHARED), OP(TE_OP_ZERO, 1, 3, TE_OP_SHARED) },
		{ OP(TE_OP_DATA, 9, 1, 0), OP(TE_OP_ZERO, 20, 1, TE_OP_SHARED) },
		{ OP(TE_OP_UNMAP, 2, 8, 0), OP(TE_OP_DATA, 30, 1, TE_OP_SHARED) },
		{ OP(TE_OP_SHARE, 0, 9, 0), OP(TE_OP_ZERO, 40, 2, 0) },
	};
	const struct te_begin begin = { .data_block_sectors = cpu_to_le32(128) };
	u8 *to = rest;
	u32 i;

	to += put(to, TE_FRAME_BEGIN, 0, &begin, sizeof(begin));
	for (i = 0; i < ARRAY_SIZE(ops); i++) {
		const struct te_volume_begin volume = {
			.dev_id = cpu_to_le32(i),
			.parent_kind = cpu_to_le32(i == 2 ? TE_PARENT_VOLUME : TE_PARENT_NONE),
		};

		if (i != 1)
			to += put(to, TE_FRAME_VOLUME, 0, &volume, sizeof(volume));
		to += put(to, TE_FRAME_OPS, sizeof(ops[i]), ops[i], sizeof(ops[i]));
	}
	whole = (struct bytes) { stream, mended_stream(rest, (size_t)(to - rest), 0, stream) };
}

static int receive(const u8 *p, size_t bytes, u64 window_bytes)
{
	struct te_target target = {
		.metadata = { metadata.fd, "metadata", metadata.bytes, true },
		.data = { data.fd, "data", data.bytes, true },
		.interrupted = te_checkpoint_is_there(metadata.fd),
	};
	const struct te_receive_options options = { .threads = 1, .window_bytes = window_bytes };
	struct te_choice choice = { .settled = NULL };
	struct te_receive_totals totals;
	struct te_sink *sink;
	int err;

	sink = te_sink_pool_create(&target, &options);
	keeps(sink != NULL);
	err = te_receive(device_stream(p, bytes), "fuzzed", sink, &choice, &options, &totals);
	te_sink_pool_destroy(sink);
	te_choice_exit(&choice);
	return err;
}

static void prepare(void)
{
	device_prepare(&metadata, "metadata", METADATA_BYTES);
	device_prepare(&data, "data", DATA_BYTES);
}

static void begin(void)
{
	make_stream();
	prepare();
	keeps(!receive(stream, whole.nr, TE_WINDOW_NONE));
	memcpy(pool_metadata, metadata.memory, sizeof(pool_metadata));
	memcpy(pool_data, data.memory, sizeof(pool_data));
}

static u64 next_word(const u8 **input, const u8 *end)
{
	unsigned int shift = 0;
	u64 word = 0;

	while (*input < end && shift < 64) {
		u8 byte = *(*input)++;

		word |= (u64)(byte & 127) << shift;
		shift += 7;
		if (!(byte & 128))
			break;
	}
	return word;
}

static bool is_written(u64 block)
{
	static const u8 zeros[THIN_METADATA_BLOCK_BYTES];

	return memcmp(metadata.memory + block * sizeof(zeros), zeros, sizeof(zeros)) != 0;
}

/* The n-th block, from 0 and in circles, of those that were written. */
static u8 *written_block(unsigned int n)
{
	u64 blocks[METADATA_BLOCKS], block;
	unsigned int nr = 0;

	for (block = 0; block < METADATA_BLOCKS; block++)
		if (is_written(block))
			blocks[nr++] = block;
	return nr ? metadata.memory + blocks[n % nr] * THIN_METADATA_BLOCK_BYTES : metadata.memory;
}

/* Whether there was any. */
static bool change(const u8 *input, const u8 *end)
{
	unsigned int nr;

	for (nr = 0; nr < MOST_CHANGES && end - input >= 3; nr++) {
		u8 *block = written_block(input[0]);
		u8 *word = block + input[1] * 2 % BLOCK_WORDS * sizeof(__le64);
		u64 value;
		__le64 disk;

		/* Words of the first half KiB each, and every other of the rest. */
		if (input[1] < 64)
			word = block + input[1] * sizeof(__le64);
		input += 2;
		value = next_word(&input, end);
		memcpy(&disk, word, sizeof(disk));
		disk = cpu_to_le64(value & 1 ? le64_to_cpu(disk) + (value >> 1) : value >> 1);
		memcpy(word, &disk, sizeof(disk));
	}
	return nr != 0;
}

/* Words of block 0 and of a record's head, as checkpoint.c has them. */
static u64 word_at(const u8 *p, unsigned int word)
{
	__le64 disk;

	memcpy(&disk, p + word * sizeof(disk), sizeof(disk));
	return le64_to_cpu(disk);
}

static void seal_record(u64 block, u64 nr_blocks)
{
	u8 *record = metadata.memory + block * THIN_METADATA_BLOCK_BYTES;
	u64 bytes = word_at(record, 3), most = nr_blocks * THIN_METADATA_BLOCK_BYTES - 32;
	__le64 digest;

	if (bytes <= most) {
		digest = cpu_to_le64(te_frame_digest_bytes(0, record + 8, 24 + bytes));
		memcpy(record, &digest, sizeof(digest));
	}
}

static void seal(const u64 *head, u8 choices)
{
	u64 first = head[2], beginning = head[5], slot = head[6], block;
	__le32 csum = cpu_to_le32(0);

	seal_record(first, beginning);
	seal_record(first + beginning, slot);
	seal_record(first + beginning + slot, slot);
	for (block = 1; block < first && !(choices & CHOICE_RAW_NODES); block++)
		if (is_written(block))
			node_seal((void *)(metadata.memory + block * THIN_METADATA_BLOCK_BYTES));
	memcpy(metadata.memory + 12, &csum, sizeof(csum));
	csum = cpu_to_le32(te_frame_csum(metadata.memory, 64));
	memcpy(metadata.memory + 12, &csum, sizeof(csum));
}

/* RESUME of the place that is kept, and the frames behind it. */
static size_t make_rest(void)
{
	struct te_frame_header header = {
		.kind = cpu_to_le16(TE_FRAME_RESUME),
		.table_bytes = cpu_to_le32(sizeof(struct te_resume)),
		.raw_bytes = cpu_to_le32(sizeof(struct te_resume)),
		.stored_bytes = cpu_to_le32(sizeof(struct te_resume)),
	};
	struct te_receive_kept kept;
	struct te_resume place = { .magic = cpu_to_le64(TE_RESUME_MAGIC) };
	size_t bytes = sizeof(header) + sizeof(place);
	struct frame frame;

	if (!te_receive_load(&kept, metadata.fd, "metadata", METADATA_BLOCKS))
		place = kept.before.resume;
	te_receive_kept_exit(&kept);
	header.payload_csum = cpu_to_le32(te_frame_csum(&place, sizeof(place)));
	te_frame_seal(&header);
	memcpy(rest, &header, sizeof(header));
	memcpy(rest + sizeof(header), &place, sizeof(place));
	if (find_frame(&whole, le64_to_cpu(place.sequence), &frame)) {
		memcpy(rest + bytes, whole.p + frame.offset, whole.nr - frame.offset);
		bytes += whole.nr - frame.offset;
	}
	return bytes;
}

struct owners {
	const struct te_superblock *sb;
	struct blocks *blocks;
	u32 nr[DATA_BYTES / 65536];
	bool exclusive[DATA_BYTES / 65536];
};

static int take_leaf(void *context, const struct te_node *leaf, struct te_range range)
{
	struct owners *owners = context;
	u32 i;

	for (i = 0; i < leaf->nr_entries; i++) {
		u64 value = te_node_value64(leaf, i), block = te_mapping_block(value);

		keeps(block < owners->sb->nr_data_blocks);
		owners->nr[block]++;
		owners->exclusive[block] |= te_mapping_time(value) >= owners->sb->time;
		keeps(!owners->exclusive[block] || owners->nr[block] == 1);
	}
	return 0;
}

static int walk_volume(void *context, const struct te_details *details)
{
	static const struct te_walk_ops ops = { .leaf = take_leaf };
	struct owners *owners = context;
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_walk *walk = te_alloc(sizeof(*walk));

	keeps(walk != NULL);
	*walk = (struct te_walk) {
		.reader = &owners->blocks->reader,
		.ops = &ops,
		.context = owners,
		.value_bytes = sizeof(__le64),
		.fault = &fault,
	};
	keeps(!te_walk_tree(walk, details->root, (struct te_range) { 0, ~0ULL }));
	te_free(walk);
	return 0;
}

static void walk_pool(void)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct te_superblock sb;
	struct owners owners = { .sb = &sb, .blocks = blocks_new(METADATA_BLOCKS) };

	memcpy(owners.blocks->bytes, metadata.memory, METADATA_BYTES);
	keeps(!te_superblock_read(&owners.blocks->reader, false, &sb, &fault));
	keeps(sb.nr_data_blocks <= ARRAY_SIZE(owners.nr));
	keeps(!te_details_each(&owners.blocks->reader, &sb, walk_volume, &owners, &fault));
	blocks_free(owners.blocks);
}

static void no_pool(void)
{
	const struct thin_disk_superblock *sb = (void *)metadata.memory;

	keeps(le64_to_cpu(sb->magic) != THIN_SUPERBLOCK_MAGIC);
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	struct frame frame;
	bool changed;
	u64 head[8];
	size_t i;

	if (!whole.nr)
		begin();
	if (bytes < 2 || !find_frame(&whole, 4 + input[0] % (count_frames(&whole) - 4), &frame))
		return 0;
	prepare();
	keeps(receive(stream, frame.offset, 1) != 0 && te_checkpoint_is_there(metadata.fd));
	for (i = 0; i < ARRAY_SIZE(head); i++)
		head[i] = word_at(metadata.memory, (unsigned int)i);
	changed = change(input + 2, input + bytes);
	if (!(input[1] & CHOICE_RAW))
		seal(head, input[1]);
	if (receive(rest, make_rest(), TE_WINDOW_NONE)) {
		keeps(changed);
		no_pool();
	} else {
		walk_pool();
		keeps(changed || !memcmp(metadata.memory, pool_metadata, METADATA_BYTES));
		keeps(changed || !memcmp(data.memory, pool_data, DATA_BYTES));
	}
	device_check(&metadata);
	device_check(&data);
	return 0;
}
