// SPDX-License-Identifier: GPL-2.0-or-later
/* Volumes of a pool: top level of the mapping tree beside the details tree. */
#include "details.h"

#include "cursor.h"

static void fill_details(struct te_details *details, u32 dev_id, u64 root,
			 const struct thin_disk_details *disk)
{
	details->dev_id = dev_id;
	details->root = root;
	details->mapped_blocks = le64_to_cpu(disk->mapped_blocks);
	details->transaction_id = le64_to_cpu(disk->transaction_id);
	details->creation_time = le32_to_cpu(disk->creation_time);
	details->snapshotted_time = le32_to_cpu(disk->snapshotted_time);
}

int te_details_find(struct te_reader *reader, const struct te_superblock *sb,
		    u32 dev_id, struct te_details *details, struct te_fault *fault)
{
	struct thin_disk_details disk;
	__le64 root;
	int r;

	if (dev_id > THIN_DEV_ID_MAX)
		return te_fail(fault, -ENODATA, TE_FAULT_DEV_ID, sb->mapping_root,
			       dev_id, THIN_DEV_ID_MAX);
	r = te_btree_lookup(reader, sb->mapping_root, sizeof(root), dev_id, &root, fault);
	if (r == -ENODATA)
		return te_fail(fault, r, TE_FAULT_NO_VOLUME, sb->mapping_root, dev_id, dev_id);
	if (r)
		return r;
	r = te_btree_lookup(reader, sb->details_root, sizeof(disk), dev_id, &disk, fault);
	if (r == -ENODATA)
		return te_fail(fault, r, TE_FAULT_NO_DETAILS, sb->details_root, dev_id, dev_id);
	if (r)
		return r;
	fill_details(details, dev_id, le64_to_cpu(root), &disk);
	return 0;
}

/* Two trees that have the same keys, side by side. */
struct pair {
	struct te_cursor mapping;
	struct te_cursor details;
};

/* The next volume: 1, 0 behind the last, or -errno. */
static int next_volume(struct pair *pair, struct te_details *details, struct te_fault *fault)
{
	struct te_cursor_item volume, detail;
	const struct thin_disk_details *disk;
	int more, has_details;
	u64 root;

	more = te_cursor_entry(&pair->mapping, &volume);
	if (more < 0)
		return more;
	has_details = te_cursor_entry(&pair->details, &detail);
	if (has_details < 0)
		return has_details;
	if (!more && !has_details)
		return 0;
	if (more && (!has_details || volume.range.low < detail.range.low))
		return te_fail(fault, -EILSEQ, TE_FAULT_NO_DETAILS, volume.block,
			       volume.range.low, volume.range.low);
	if (!more || detail.range.low < volume.range.low)
		return te_fail(fault, -EILSEQ, TE_FAULT_NO_VOLUME, detail.block,
			       detail.range.low, detail.range.low);
	if (volume.range.low > THIN_DEV_ID_MAX)
		return te_fail(fault, -EILSEQ, TE_FAULT_DEV_ID, volume.block,
			       volume.range.low, THIN_DEV_ID_MAX);

	root = te_node_value64(&te_cursor_top(&pair->mapping)->node, volume.index);
	disk = te_cursor_top(&pair->details)->node.values;
	fill_details(details, (u32)volume.range.low, root, disk + detail.index);
	te_cursor_step(&pair->mapping);
	te_cursor_step(&pair->details);
	return 1;
}

int te_details_each(struct te_reader *reader, const struct te_superblock *sb,
		    int (*each)(void *context, const struct te_details *details),
		    void *context, struct te_fault *fault)
{
	const struct te_range all = { 0, ~0ULL };
	struct te_details details;
	struct pair *pair;
	int r;

	pair = te_alloc(sizeof(*pair));
	if (!pair)
		return te_fail(fault, -ENOMEM, TE_FAULT_MEMORY, 0, 0, 0);
	te_cursor_init(&pair->mapping, reader, sizeof(__le64), fault);
	te_cursor_init(&pair->details, reader, sizeof(struct thin_disk_details), fault);
	te_cursor_begin(&pair->mapping, sb->mapping_root, all);
	te_cursor_begin(&pair->details, sb->details_root, all);

	while ((r = next_volume(pair, &details, fault)) > 0) {
		r = each(context, &details);
		if (r)
			break;
	}

	te_cursor_exit(&pair->details);
	te_cursor_exit(&pair->mapping);
	te_free(pair);
	return r;
}
