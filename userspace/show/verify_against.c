// SPDX-License-Identifier: GPL-2.0-or-later
/* A stream compared with a source that should hold the same. */
#include "show/verify_against.h"

#include "base/interrupt.h"
#include "show/mapping.h"
#include "send/plan.h"
#include "base/say.h"

#define SECTOR_BYTES	512u
#define PAGE_BYTES	4096u
#define READ_BYTES	(1u << 20)
/* Differing ranges that are listed of one volume. */
#define MAX_LINES	16u

typedef unsigned long long ull;

/* A section of the stream, and its volume in the source. */
struct section {
	u32 dev_id;
	struct te_volume *volume;	/* NULL: the source has none of this id */
	u64 provisioned_sectors;
	u64 exclusive_sectors;
	bool differs;
};

/* Differing sectors, gathered while they are neighbours and alike. */
struct difference {
	const char *what;		/* NULL: none */
	u64 start;
	u64 end;
};

struct te_against {
	struct te_source *source;
	const char *stream;
	struct te_verify_report *report;
	struct te_fault fault;
	u32 block_sectors;
	struct section *sections;
	u32 nr_sections;
	u8 *buffer;			/* READ_BYTES and a page, aligned */
	u64 bytes;

	/* Of the section that is being compared. */
	struct section *section;
	struct section *parent;		/* NULL: it has none */
	struct te_mapping own;
	struct te_mapping inherited;	/* the parent's, for what is left out */
	struct te_mapping shared;	/* that of the last SHARE's source */
	struct section *shared_with;	/* whose that is */
	u64 position;			/* sectors: where the last op ended */
	u64 run_block, run_count;	/* virtual blocks found mapped in a row, */
	u64 run_pool_block;		/* from here on in the pool */
	struct difference difference;
	unsigned int lines;
};

struct te_against *te_against_create(struct te_source *source, const char *stream,
				     struct te_verify_report *report)
{
	struct te_against *against = te_alloc(sizeof(*against));

	if (against) {
		against->source = source;
		against->stream = stream;
		against->report = report;
		against->buffer = aligned_alloc(PAGE_BYTES, READ_BYTES + PAGE_BYTES);
	}
	if (against && against->buffer)
		return against;
	te_error("%s: not enough memory to compare", stream);
	te_against_destroy(against);
	return NULL;
}

static void close_mappings(struct te_against *against)
{
	te_mapping_exit(&against->own);
	te_mapping_exit(&against->inherited);
	te_mapping_exit(&against->shared);
	against->shared_with = NULL;
}

void te_against_destroy(struct te_against *against)
{
	if (!against)
		return;
	close_mappings(against);
	te_free(against->sections);
	free(against->buffer);
	te_free(against);
}

u64 te_against_nr_different(const struct te_against *against)
{
	u64 nr = 0;
	u32 i;

	for (i = 0; i < against->nr_sections; i++)
		nr += against->sections[i].differs;
	return nr;
}

u64 te_against_bytes(const struct te_against *against)
{
	return against->bytes;
}

/* Lists the range that was gathered. */
static void tell_difference(struct te_against *against)
{
	struct difference *difference = &against->difference;

	if (!difference->what)
		return;
	if (against->lines++ < MAX_LINES)
		te_report_range(against->report, against->section->dev_id, difference->start,
				difference->end, difference->what);
	difference->what = NULL;
}

static void differ(struct te_against *against, const char *what, u64 start, u64 end)
{
	struct difference *difference = &against->difference;

	against->section->differs = true;
	if (difference->what != what || difference->end != start) {
		tell_difference(against);
		*difference = (struct difference){ .what = what, .start = start };
	}
	difference->end = end;
}

/* Passes a negative result on, with its sentence when it is the metadata's. */
static int check_metadata(struct te_against *against, int result)
{
	if (result < 0 && result != -EINTR)
		te_error_fault(against->source->name, &against->fault);
	return result;
}

static int take_begin(struct te_against *against, const struct te_begin *begin)
{
	u32 block_sectors = le32_to_cpu(begin->data_block_sectors);

	if (block_sectors != against->source->block_sectors) {
		te_error("%s: has blocks of %u sectors and %s of %u; only the same can be compared",
			 against->stream, block_sectors, against->source->name,
			 against->source->block_sectors);
		return -EINVAL;
	}
	against->block_sectors = block_sectors;
	against->nr_sections = le32_to_cpu(begin->nr_volumes);
	return 0;
}

/* The number of volumes is BEGIN's word until the catalog has shown them. */
static int take_catalog(struct te_against *against)
{
	against->sections = te_alloc(against->nr_sections * sizeof(*against->sections));
	if (against->sections)
		return 0;
	te_error("%s: not enough memory to compare", against->stream);
	return -ENOMEM;
}

static void open_mapping(struct te_against *against, struct te_mapping *mapping,
			 const struct section *section)
{
	te_mapping_exit(mapping);
	te_mapping_init(mapping, against->source->reader, section->volume->details.root,
			&against->fault);
}

static int take_parent(struct te_against *against, const struct te_volume_begin *from)
{
	against->parent = NULL;
	switch (le32_to_cpu(from->parent_kind)) {
	case TE_PARENT_NONE:
		return 0;
	case TE_PARENT_VOLUME:
		against->parent = &against->sections[le32_to_cpu(from->parent_index)];
		return 0;
	default:
		te_error("%s: volume %u is told from a base that is not in the stream; it cannot be compared",
			 against->stream, le32_to_cpu(from->dev_id));
		return -EOPNOTSUPP;
	}
}

static int take_volume(struct te_against *against, const struct te_volume_begin *from)
{
	struct section *section = &against->sections[le32_to_cpu(from->index)];
	const struct te_volume *volume;
	int err = take_parent(against, from);

	if (err)
		return err;
	against->section = section;
	section->dev_id = le32_to_cpu(from->dev_id);
	section->provisioned_sectors = le64_to_cpu(from->provisioned_sectors);
	section->volume = te_source_find(against->source, section->dev_id);
	volume = section->volume;
	if (!volume) {
		section->differs = true;
		te_report_missing(against->report, section->dev_id);
		return 0;
	}
	if (le32_to_cpu(from->flags) & TE_VOLUME_SIZE_KNOWN &&
	    volume->size_from != TE_SIZE_FROM_MAPPINGS &&
	    volume->virtual_sectors != le64_to_cpu(from->virtual_sectors)) {
		section->differs = true;
		te_report_size(against->report, section->dev_id, volume->virtual_sectors,
			       le64_to_cpu(from->virtual_sectors));
	}
	against->position = 0;
	against->run_count = 0;
	against->lines = 0;
	open_mapping(against, &against->own, section);
	if (against->parent && against->parent->volume)
		open_mapping(against, &against->inherited, against->parent);
	return 0;
}

/* Sectors that the stream says are not provisioned: the source must have none there. */
static int compare_unmapped(struct te_against *against, u64 start, u64 end)
{
	u64 block = start / against->block_sectors, virtual_block, pool_block;
	int result;

	while ((result = te_mapping_next(&against->own, block, &virtual_block, &pool_block)) == 1) {
		u64 sector = virtual_block * against->block_sectors;

		if (sector >= end)
			return 0;
		differ(against, "are provisioned, and not in the stream", sector,
		       sector + against->block_sectors);
		block = virtual_block + 1;
	}
	return check_metadata(against, result);
}

/* Sectors that are as another volume has them. */
static int compare_mapped(struct te_against *against, struct te_mapping *with, const char *what,
			  u64 start, u64 end)
{
	u64 block = start / against->block_sectors, last = end / against->block_sectors;
	int result;

	while (!(result = te_mapping_same(&against->own, with, &block, last))) {
		differ(against, what, block * against->block_sectors,
		       (block + 1) * against->block_sectors);
		block++;
	}
	return result < 0 ? check_metadata(against, result) : 0;
}

static int compare_left_out(struct te_against *against, u64 start, u64 end)
{
	if (start >= end)
		return 0;
	if (!against->parent)
		return compare_unmapped(against, start, end);
	if (!against->parent->volume) {
		differ(against, "should be as in a volume that is not there", start, end);
		return 0;
	}
	return compare_mapped(against, &against->inherited, "are not as in the volume's parent",
			      start, end);
}

static int compare_share(struct te_against *against, const struct te_op *op)
{
	struct section *with = &against->sections[le32_to_cpu(op->source)];
	u64 start = le64_to_cpu(op->offset), end = start + le64_to_cpu(op->length);

	if (!with->volume) {
		differ(against, "should be shared with a volume that is not there", start, end);
		return 0;
	}
	/* Ops ascend, so that the same source's mappings go on from where they are. */
	if (against->shared_with != with) {
		open_mapping(against, &against->shared, with);
		against->shared_with = with;
	}
	return compare_mapped(against, &against->shared, "are not shared as in the stream", start,
			      end);
}

/*
 * Finds the run of blocks that starts at or holds `block`, up to end_block; with
 * *count 0 none does, and *next is where the next one starts.
 */
static int find_run(struct te_against *against, u64 block, u64 end_block, u64 *pool_block,
		    u64 *count, u64 *next)
{
	u64 most = DIV_ROUND_UP(READ_BYTES / SECTOR_BYTES, against->block_sectors);
	u64 virtual_block, found;
	int result;

	/* Beyond the op the mappings are still to be looked at. */
	if (most > end_block - block)
		most = end_block - block;
	*next = UINT64_MAX;
	if (block - against->run_block >= against->run_count) {
		against->run_block = block;
		against->run_count = 0;
		do {
			result = te_mapping_next(&against->own, block + against->run_count,
						 &virtual_block, &found);
			if (result < 0)
				return check_metadata(against, result);
			*next = result ? virtual_block : UINT64_MAX;
			if (*next != block + against->run_count)
				break;
			if (!against->run_count)
				against->run_pool_block = found;
			if (found != against->run_pool_block + against->run_count)
				break;
		} while (++against->run_count < most);
	}
	*pool_block = against->run_pool_block + (block - against->run_block);
	*count = against->run_count - (block - against->run_block);
	if (!against->run_count)
		*count = 0;
	return 0;
}

/* Sectors of the source from a sector of its data, against `data`; NULL: zeros. */
static int compare_bytes(struct te_against *against, u64 start, u64 pool_sector, u64 sectors,
			 const u8 *data)
{
	static const u8 zeros[SECTOR_BYTES];
	u64 offset = pool_sector * SECTOR_BYTES;
	u64 within = offset % PAGE_BYTES, bytes = sectors * SECTOR_BYTES, i;
	const struct iovec iov = { against->buffer, round_up(within + bytes, (u64)PAGE_BYTES) };
	const u8 *found = against->buffer + within;
	int err;

	if (te_interrupted())
		return -EINTR;
	err = against->source->ops->read(against->source, offset - within, &iov, 1);
	if (err)
		return err;
	against->bytes += bytes;
	if (data ? !memcmp(found, data, bytes) :
		   !memcmp(found, zeros, SECTOR_BYTES) &&
			   !memcmp(found, found + SECTOR_BYTES, bytes - SECTOR_BYTES))
		return 0;
	for (i = 0; i < sectors; i++)
		if (memcmp(found + i * SECTOR_BYTES, data ? data + i * SECTOR_BYTES : zeros,
			   SECTOR_BYTES))
			differ(against, "hold something else", start + i, start + i + 1);
	return 0;
}

/* DATA and ZERO: [start, end), with their bytes or NULL for zeros. */
static int compare_contents(struct te_against *against, u64 start, u64 end, const u8 *data)
{
	while (start < end) {
		u64 block = start / against->block_sectors, within = start % against->block_sectors;
		u64 pool_block, count, next, sectors;
		int err = find_run(against, block, DIV_ROUND_UP(end, against->block_sectors),
				   &pool_block, &count, &next);

		if (err)
			return err;
		sectors = end - start;
		if (!count) {
			if (next < UINT64_MAX / against->block_sectors &&
			    sectors > next * against->block_sectors - start)
				sectors = next * against->block_sectors - start;
			differ(against, "are not provisioned", start, start + sectors);
		} else {
			if (sectors > count * against->block_sectors - within)
				sectors = count * against->block_sectors - within;
			if (sectors > READ_BYTES / SECTOR_BYTES)
				sectors = READ_BYTES / SECTOR_BYTES;
			err = compare_bytes(against, start,
					    pool_block * against->block_sectors + within, sectors,
					    data);
			if (err)
				return err;
		}
		start += sectors;
		data = data ? data + sectors * SECTOR_BYTES : NULL;
	}
	return 0;
}

/* What is mapped is mapped in whole blocks; only the data of one may be cut by a frame. */
static int check_aligned(struct te_against *against, const struct te_op *op)
{
	unsigned int kind = le16_to_cpu(op->kind);
	u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);
	bool goes_on = offset == against->position && (kind == TE_OP_DATA || kind == TE_OP_ZERO);

	if ((goes_on || !(offset % against->block_sectors)) &&
	    (kind == TE_OP_DATA || kind == TE_OP_ZERO || !(length % against->block_sectors)) &&
	    (offset == against->position || !(against->position % against->block_sectors)))
		return 0;
	te_error("%s: volume %u has an op at sector %llu that is not of whole blocks",
		 against->stream, against->section->dev_id, (ull)offset);
	return -EBADMSG;
}

static int compare_op(struct te_against *against, const struct te_op *op, const u8 **data)
{
	u64 start = le64_to_cpu(op->offset), end = start + le64_to_cpu(op->length);
	int err = check_aligned(against, op);

	if (!err)
		err = compare_left_out(against, against->position, start);
	if (err)
		return err;
	against->position = end;
	if (le16_to_cpu(op->kind) != TE_OP_SHARE && le16_to_cpu(op->kind) != TE_OP_UNMAP &&
	    !(le16_to_cpu(op->flags) & TE_OP_SHARED))
		against->section->exclusive_sectors += end - start;
	switch (le16_to_cpu(op->kind)) {
	case TE_OP_DATA:
		err = compare_contents(against, start, end, *data);
		*data += (end - start) * SECTOR_BYTES;
		return err;
	case TE_OP_ZERO:
		return compare_contents(against, start, end, NULL);
	case TE_OP_SHARE:
		return compare_share(against, op);
	default:
		return compare_unmapped(against, start, end);
	}
}

static int take_ops(struct te_against *against, const struct te_record *record)
{
	const u8 *data = record->ops.data;
	size_t i;
	int err = 0;

	if (!against->section->volume)
		return 0;
	for (i = 0; i < record->ops.nr_ops && !err; i++)
		err = compare_op(against, &record->ops.ops[i], &data);
	return err;
}

static int take_volume_end(struct te_against *against)
{
	u64 last = UINT64_MAX / against->block_sectors * against->block_sectors;
	int err;

	if (!against->section->volume)
		return 0;
	err = compare_left_out(against, against->position, last);
	tell_difference(against);
	if (against->lines > MAX_LINES)
		te_report_more_ranges(against->report, against->section->dev_id,
				      against->lines - MAX_LINES);
	close_mappings(against);
	return err;
}

int te_against_record(struct te_against *against, const struct te_record *record)
{
	switch (record->kind) {
	case TE_RECORD_BEGIN:
		return take_begin(against, record->begin);
	case TE_RECORD_CATALOG:
		return take_catalog(against);
	case TE_RECORD_VOLUME:
		return take_volume(against, record->volume);
	case TE_RECORD_OPS:
		return take_ops(against, record);
	case TE_RECORD_VOLUME_END:
		return take_volume_end(against);
	default:
		return 0;
	}
}

/* Keeps the stream's volumes alone, so that what they share with others is not counted. */
static int choose_volumes(struct te_against *against)
{
	struct te_source *source = against->source;
	bool *chosen = te_alloc(source->nr_volumes * sizeof(*chosen));
	size_t nr_before = source->nr_volumes;
	u32 i;

	if (!chosen) {
		te_error("%s: not enough memory to compare", against->stream);
		return -ENOMEM;
	}
	for (i = 0; i < against->nr_sections; i++)
		if (against->sections[i].volume)
			chosen[against->sections[i].volume - source->volumes] = true;
	te_source_keep(source, chosen);
	te_free(chosen);
	te_report_not_in_stream(against->report, nr_before - source->nr_volumes);
	/* They have moved. */
	for (i = 0; i < against->nr_sections; i++)
		against->sections[i].volume =
			te_source_find(source, against->sections[i].dev_id);
	return 0;
}

static void compare_counts(struct te_against *against, struct section *section,
			   const struct te_plan_volume *found)
{
	const struct te_report_counts counts = {
		.blocks = found->mapped_blocks,
		.exclusive_blocks = found->mapped_blocks - found->shared_blocks,
		.stream_blocks = section->provisioned_sectors / against->block_sectors,
		.stream_exclusive_blocks = section->exclusive_sectors / against->block_sectors,
	};

	if (counts.blocks == counts.stream_blocks &&
	    counts.exclusive_blocks == counts.stream_exclusive_blocks)
		return;
	section->differs = true;
	te_report_counts(against->report, section->dev_id, &counts);
}

/* The plan's volume for each of the source's, which are in another order. */
static const struct te_plan_volume **plan_volumes(struct te_against *against,
						  const struct te_plan *plan)
{
	const struct te_source *source = against->source;
	const struct te_plan_volume **found = te_alloc(source->nr_volumes * sizeof(*found));
	size_t i;

	if (!found)
		te_error("%s: not enough memory to compare", against->stream);
	for (i = 0; found && i < plan->nr_volumes; i++)
		found[plan->volumes[i].volume - source->volumes] = &plan->volumes[i];
	return found;
}

int te_against_finish(struct te_against *against)
{
	const struct te_plan_volume **found;
	struct te_plan *plan;
	u32 i;
	int err = choose_volumes(against);

	if (err)
		return err;
	plan = te_plan_create(against->source);
	if (!plan)
		return te_interrupted() ? -EINTR : -EIO;
	found = plan_volumes(against, plan);
	for (i = 0; found && i < against->nr_sections; i++) {
		struct section *section = &against->sections[i];

		if (section->volume)
			compare_counts(against, section,
				       found[section->volume - against->source->volumes]);
	}
	err = found ? 0 : -ENOMEM;
	te_free(found);
	te_plan_destroy(plan);
	return err;
}
