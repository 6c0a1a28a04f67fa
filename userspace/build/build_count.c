// SPDX-License-Identifier: GPL-2.0-or-later
/* Reference counts of the new pool, by reading what was written. */
#include "build/build_parts.h"

#include "base/say.h"

/* Blocks read together. */
#define CHUNK_BLOCKS	256u

/* Blocks with a count in the directory of "many": 16 words. */
#define SPAN_BLOCKS	512u
#define BLOCKS_A_WORD	32u
#define LOW_BITS	0x5555555555555555ULL

/*
 * Two bits a block as they lie on disk: the high bit of the count is the lower
 * one.  So 0, 1, 2 and "more" are 0, 2, 1 and 3.
 */
static u32 get_bits(const __le64 *data, u64 block)
{
	return le64_to_cpu(data[block / BLOCKS_A_WORD]) >> (block % BLOCKS_A_WORD * 2) & 3;
}

static void count_data(struct te_counts *counts, u64 block)
{
	static const u64 next[] = { 2, 3, 1, 3 };
	u32 shift = (u32)(block % BLOCKS_A_WORD) * 2;
	__le64 *word = &counts->data[block / BLOCKS_A_WORD];
	u64 old = le64_to_cpu(*word) >> shift & 3;

	if (!old)
		counts->nr_data_used++;
	else if (old == 1)
		counts->nr_many++;
	*word = cpu_to_le64((le64_to_cpu(*word) & ~(3ULL << shift)) | next[old] << shift);
}

/* A node's entries, as they lie in the store. */
static const __le64 *values_of(const struct thin_disk_node *node)
{
	return node->keys + te_tree_max_entries(sizeof(__le64));
}

static bool is_leaf(const struct thin_disk_node *node)
{
	return le32_to_cpu(node->flags) == THIN_NODE_LEAF;
}

/*
 * Hands each mapping node that something points to to `each`, from the last to
 * the first.  Whether something points to it is asked when its turn comes.
 */
static int each_node(struct te_counts *counts, struct te_store *store, u64 end,
		     int (*each)(struct te_counts *counts, struct te_store *store,
				 const struct thin_disk_node *node, void *context),
		     void *context)
{
	u8 *chunk = te_alloc((size_t)CHUNK_BLOCKS * THIN_METADATA_BLOCK_BYTES);
	u64 first = end, block = end;
	int err = 0;

	if (!chunk) {
		te_error("no memory to count references");
		return -ENOMEM;
	}
	while (!err && block > 1) {
		const void *data;

		if (block-- == first) {
			u64 count = first - 1 < CHUNK_BLOCKS ? first - 1 : CHUNK_BLOCKS;

			first -= count;
			err = te_store_read_many(store, first, count, chunk);
			if (err)
				break;
		}
		if (!counts->metadata[block])
			continue;
		data = chunk + (block - first) * THIN_METADATA_BLOCK_BYTES;
		err = te_store_check(store, data, block, THIN_NODE_CSUM_XOR);
		if (!err)
			err = each(counts, store, data, context);
	}
	te_free(chunk);
	return err;
}

static int count_node(struct te_counts *counts, struct te_store *store,
		      const struct thin_disk_node *node, void *context)
{
	u32 nr = le32_to_cpu(node->nr_entries), i;
	const __le64 *values = values_of(node);

	for (i = 0; i < nr; i++) {
		u64 value = le64_to_cpu(values[i]);
		u64 block = te_mapping_block(value);

		if (!is_leaf(node)) {
			counts->metadata[value]++;
			continue;
		}
		if (te_mapping_time(value) && get_bits(counts->data, block)) {
			te_error("%s: data block %llu is mapped twice but not marked shared",
				 store->name, (unsigned long long)block);
			return -EBADMSG;
		}
		count_data(counts, block);
	}
	return 0;
}

int te_counts_take(struct te_counts *counts, struct te_store *store, u64 end,
		   const u64 *roots, size_t nr_roots, u64 nr_data_blocks)
{
	size_t i;
	int err;

	*counts = (struct te_counts) {
		.metadata = te_alloc(store->nr_blocks * sizeof(*counts->metadata)),
		.nr_metadata = store->nr_blocks,
		.counted = end,
		/* Whole bitmaps, so that each block of them can be copied from here. */
		.data = te_alloc(DIV_ROUND_UP(nr_data_blocks, THIN_BITMAP_ENTRIES) *
				 (THIN_BITMAP_ENTRIES / 4)),
		.nr_data = nr_data_blocks,
	};
	if (!counts->metadata || !counts->data) {
		te_counts_exit(counts);
		te_error("no memory to count references");
		return -ENOMEM;
	}
	counts->metadata[THIN_SUPERBLOCK_LOCATION] = 1;
	for (i = 0; i < nr_roots; i++)
		counts->metadata[roots[i]]++;
	err = te_store_settle(store);
	if (!err)
		err = each_node(counts, store, end, count_node, NULL);
	if (err)
		te_counts_exit(counts);
	return err;
}

void te_counts_exit(struct te_counts *counts)
{
	te_free(counts->metadata);
	te_free(counts->data);
	*counts = (struct te_counts) { .metadata = NULL };
}

/* The blocks with "many": which of them a block is, counted from the first. */
struct many {
	u32 *before;			/* in all spans before each span */
	u32 *window;			/* exact counts of [first, first + TE_COUNT_WINDOW) */
	u64 first;
};

static u32 many_in_word(__le64 word)
{
	u64 bits = le64_to_cpu(word);

	return hweight64(bits & bits >> 1 & LOW_BITS);
}

static void index_many(const struct te_counts *counts, struct many *many)
{
	u64 words = DIV_ROUND_UP(counts->nr_data, BLOCKS_A_WORD), i;
	u32 sum = 0;

	for (i = 0; i < words; i++) {
		if (i % (SPAN_BLOCKS / BLOCKS_A_WORD) == 0)
			many->before[i / (SPAN_BLOCKS / BLOCKS_A_WORD)] = sum;
		sum += many_in_word(counts->data[i]);
	}
}

static u64 rank_many(const struct te_counts *counts, const struct many *many, u64 block)
{
	u64 span = block / SPAN_BLOCKS, word = span * (SPAN_BLOCKS / BLOCKS_A_WORD);
	u64 rank = many->before[span];
	u64 rest;

	for (; word < block / BLOCKS_A_WORD; word++)
		rank += many_in_word(counts->data[word]);
	rest = le64_to_cpu(counts->data[word]) & ((1ULL << block % BLOCKS_A_WORD * 2) - 1);
	return rank + many_in_word(cpu_to_le64(rest));
}

static int count_many(struct te_counts *counts, struct te_store *store,
		      const struct thin_disk_node *node, void *context)
{
	const __le64 *values = values_of(node);
	struct many *many = context;
	u32 nr = le32_to_cpu(node->nr_entries), i;

	for (i = 0; is_leaf(node) && i < nr; i++) {
		u64 block = te_mapping_block(le64_to_cpu(values[i]));
		u64 rank;

		if (get_bits(counts->data, block) != 3)
			continue;
		rank = rank_many(counts, many, block);
		if (rank >= many->first && rank - many->first < TE_COUNT_WINDOW)
			many->window[rank - many->first]++;
	}
	return 0;
}

static int tell_many(struct te_counts *counts, struct many *many,
		     int (*each)(void *context, u64 block, u32 count), void *context)
{
	u64 rank = 0, block;
	int err = 0;

	for (block = 0; !err && block < counts->nr_data; block++) {
		if (block % BLOCKS_A_WORD == 0 &&
		    !many_in_word(counts->data[block / BLOCKS_A_WORD])) {
			block += BLOCKS_A_WORD - 1;
			continue;
		}
		if (get_bits(counts->data, block) != 3)
			continue;
		if (rank >= many->first && rank - many->first < TE_COUNT_WINDOW)
			err = each(context, block, many->window[rank - many->first]);
		rank++;
	}
	return err;
}

int te_counts_each_many(struct te_counts *counts, struct te_store *store, u64 end,
			int (*each)(void *context, u64 block, u32 count), void *context)
{
	u64 most = counts->nr_many < TE_COUNT_WINDOW ? counts->nr_many : TE_COUNT_WINDOW;
	struct many many;
	int err = 0;

	if (!counts->nr_many)
		return 0;
	many = (struct many) {
		.before = te_alloc((counts->nr_data / SPAN_BLOCKS + 1) * sizeof(u32)),
		.window = te_alloc(most * sizeof(u32)),
	};
	if (!many.before || !many.window) {
		te_error("no memory to count references");
		err = -ENOMEM;
		goto out;
	}
	index_many(counts, &many);
	for (; !err && many.first < counts->nr_many; many.first += TE_COUNT_WINDOW) {
		memset(many.window, 0, most * sizeof(u32));
		err = each_node(counts, store, end, count_many, &many);
		if (!err)
			err = tell_many(counts, &many, each, context);
	}
out:
	te_free(many.before);
	te_free(many.window);
	return err;
}
