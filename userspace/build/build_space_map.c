// SPDX-License-Identifier: GPL-2.0-or-later
/* The space maps of the new pool: bitmaps, their index, and large counts. */
#include "build/build_parts.h"

#define BYTES_A_BITMAP	(THIN_BITMAP_ENTRIES / 4)

u64 te_space_map_metadata_blocks(u64 nr_metadata_blocks)
{
	/* Bitmaps, the index, and a tree of large counts that may be empty. */
	return DIV_ROUND_UP(nr_metadata_blocks, THIN_BITMAP_ENTRIES) + 2;
}

/*
 * Writes the index-th bitmap of two-bit counts.  nr_free counts a bitmap's bits
 * behind the end of the device as free: the kernel does, and relies on it when
 * the device grows.
 */
static int write_bitmap(struct te_store *store, const __le64 *bits, u64 index,
			struct thin_disk_index_entry *entry)
{
	struct thin_disk_bitmap bitmap = { .padding = 0 };
	u32 used = 0, first_free = THIN_BITMAP_ENTRIES, i;
	u64 block;
	int err;

	memcpy(bitmap.words, (const u8 *)bits + index * BYTES_A_BITMAP, BYTES_A_BITMAP);
	for (i = 0; i < THIN_BITMAP_ENTRIES; i++) {
		if (le64_to_cpu(bitmap.words[i / 32]) >> (i % 32 * 2) & 3)
			used++;
		else if (first_free == THIN_BITMAP_ENTRIES)
			first_free = i;
	}
	err = te_store_append(store, &bitmap, THIN_BITMAP_CSUM_XOR, &block);
	*entry = (struct thin_disk_index_entry) {
		.blocknr = cpu_to_le64(block),
		.nr_free = cpu_to_le32(THIN_BITMAP_ENTRIES - used),
		.none_free_before = cpu_to_le32(first_free),
	};
	return err;
}

static int push_count(void *context, u64 block, u32 count)
{
	__le32 value = cpu_to_le32(count);

	return te_tree_push(context, block, &value);
}

static int data_counts(struct te_store *store, struct te_counts *counts, u64 mapping_end,
		       u64 *block)
{
	struct te_tree_root root;
	struct te_tree tree;
	int err = te_tree_init(&tree, store, sizeof(__le32), false);

	if (err)
		return err;
	err = te_counts_each_many(counts, store, mapping_end, push_count, &tree);
	if (!err)
		err = te_tree_finish(&tree, &root);
	te_tree_exit(&tree);
	*block = err ? 0 : root.block;
	return err;
}

static int data_bitmaps(struct te_store *store, struct te_counts *counts, u64 *block)
{
	u64 nr = DIV_ROUND_UP(counts->nr_data, THIN_BITMAP_ENTRIES), i;
	struct thin_disk_index_entry entry;
	struct te_tree_root root;
	struct te_tree tree;
	int err = te_tree_init(&tree, store, sizeof(entry), false);

	if (err)
		return err;
	for (i = 0; !err && i < nr; i++) {
		err = write_bitmap(store, counts->data, i, &entry);
		if (!err)
			err = te_tree_push(&tree, i, &entry);
	}
	if (!err)
		err = te_tree_finish(&tree, &root);
	te_tree_exit(&tree);
	*block = err ? 0 : root.block;
	return err;
}

int te_space_map_data(struct te_store *store, struct te_counts *counts, u64 mapping_end,
		      struct thin_disk_space_map_root *root)
{
	u64 ref_counts, bitmaps = 0;
	int err = data_counts(store, counts, mapping_end, &ref_counts);

	if (!err)
		err = data_bitmaps(store, counts, &bitmaps);
	*root = (struct thin_disk_space_map_root) {
		.nr_blocks = cpu_to_le64(counts->nr_data),
		.nr_allocated = cpu_to_le64(counts->nr_data_used),
		.bitmap_root = cpu_to_le64(bitmaps),
		.ref_count_root = cpu_to_le64(ref_counts),
	};
	return err;
}

/* Counts above two of metadata blocks; all that are, stand before `end`. */
static int metadata_counts(struct te_store *store, struct te_counts *counts, u64 end, u64 *block)
{
	struct te_tree_root root;
	struct te_tree tree;
	int err = te_tree_init(&tree, store, sizeof(__le32), false);
	u64 i;

	if (err)
		return err;
	for (i = 0; !err && i < end; i++)
		if (counts->metadata[i] > 2)
			err = push_count(&tree, i, counts->metadata[i]);
	if (!err)
		err = te_tree_finish(&tree, &root);
	te_tree_exit(&tree);
	*block = err ? 0 : root.block;
	return err;
}

static __le64 *two_bits(const struct te_counts *counts, u64 end)
{
	u64 bitmaps = DIV_ROUND_UP(counts->nr_metadata, THIN_BITMAP_ENTRIES), i;
	static const u64 bits[] = { 0, 2, 1, 3 };
	__le64 *words = te_alloc(bitmaps * BYTES_A_BITMAP);

	for (i = 0; words && i < end && i < counts->nr_metadata; i++) {
		u32 count = counts->metadata[i];

		words[i / 32] = cpu_to_le64(le64_to_cpu(words[i / 32]) |
					    bits[count > 2 ? 3 : count] << (i % 32 * 2));
	}
	return words;
}

int te_space_map_metadata(struct te_store *store, struct te_counts *counts,
			  struct thin_disk_space_map_root *root)
{
	u64 nr = DIV_ROUND_UP(store->nr_blocks, THIN_BITMAP_ENTRIES);
	struct thin_disk_metadata_index index = { .padding = 0 };
	u64 i, end, used = 0, ref_counts, block;
	__le64 *words;
	int err;

	err = metadata_counts(store, counts, store->next, &ref_counts);
	if (err)
		return err;
	/*
	 * All that follows the mapping trees - whose counts are taken - is pointed to
	 * once, and so are the bitmaps and the index that are about to be written.
	 */
	end = store->next + nr + 1;
	for (i = counts->counted; i < end && i < counts->nr_metadata; i++)
		counts->metadata[i] = 1;
	for (i = 0; i < end && i < counts->nr_metadata; i++)
		used += counts->metadata[i] != 0;

	words = two_bits(counts, end);
	if (!words)
		return -ENOMEM;
	for (i = 0, err = 0; !err && i < nr; i++)
		err = write_bitmap(store, words, i, &index.index[i]);
	te_free(words);
	if (!err)
		err = te_store_append(store, &index, THIN_INDEX_CSUM_XOR, &block);
	if (err)
		return err;
	*root = (struct thin_disk_space_map_root) {
		.nr_blocks = cpu_to_le64(counts->nr_metadata),
		.nr_allocated = cpu_to_le64(used),
		.bitmap_root = cpu_to_le64(block),
		.ref_count_root = cpu_to_le64(ref_counts),
	};
	return 0;
}
