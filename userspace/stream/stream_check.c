// SPDX-License-Identifier: GPL-2.0-or-later
/* What the frames of a stream must be to each other. */
#include "stream/stream_check.h"

#include <stdarg.h>
#include <stdio.h>

#include "stream/frame.h"
#include "stream/resume.h"

/* 2^63 bytes: what a block device can be long. */
#define MAX_SECTORS		(1ULL << 54)
#define SECTOR_BYTES		512u

#define KNOWN_OP_FLAGS		TE_OP_SHARED
#define KNOWN_VOLUME_FLAGS	TE_VOLUME_SIZE_KNOWN

__attribute__((format(printf, 3, 4)))
static int refuse(struct te_stream_check *check, int err, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(check->why, sizeof(check->why), format, arguments);
	va_end(arguments);
	return err;
}

static bool all_zero(const void *p, size_t bytes)
{
	const u8 *byte = p;

	while (bytes--)
		if (*byte++)
			return false;
	return true;
}

int te_stream_check_init(struct te_stream_check *check)
{
	memset(check, 0, sizeof(*check));
	check->wanted = 1u << TE_FRAME_BEGIN;
	check->seen_ids = te_alloc((THIN_DEV_ID_MAX + 1) / 8);
	return check->seen_ids ? 0 : -ENOMEM;
}

void te_stream_check_exit(struct te_stream_check *check)
{
	te_catalog_destroy(check->catalog);
	te_free(check->seen_ids);
}

/* What may follow a section, or the catalog. */
static void want_next_section(struct te_stream_check *check)
{
	bool more = check->index < le32_to_cpu(check->begin.nr_volumes);

	check->wanted = 1u << (more ? TE_FRAME_VOLUME : TE_FRAME_END);
}

static int check_version(struct te_stream_check *check, const struct te_begin *begin)
{
	u32 version = le32_to_cpu(begin->version), incompat = le32_to_cpu(begin->incompat);

	if (le64_to_cpu(begin->magic) != TE_STREAM_MAGIC)
		return refuse(check, -EBADMSG, "is no stream's BEGIN (magic 0x%016llx)",
			      (unsigned long long)le64_to_cpu(begin->magic));
	if (version != TE_STREAM_VERSION)
		return refuse(check, -EOPNOTSUPP,
			      "says the stream is of version %u; this thinexport reads version %u",
			      version, TE_STREAM_VERSION);
	if (incompat & ~TE_STREAM_INCOMPAT_KNOWN)
		return refuse(check, -EOPNOTSUPP,
			      "says the stream uses features (incompat 0x%x) that this thinexport does not know",
			      incompat);
	return 0;
}

static int check_begin(struct te_stream_check *check, const struct te_begin *begin, size_t bytes)
{
	u32 block = le32_to_cpu(begin->data_block_sectors);
	int err = check_version(check, begin);

	if (err)
		return err;
	if (bytes != sizeof(*begin))
		return refuse(check, -EBADMSG, "is BEGIN and has %zu bytes, not %zu", bytes,
			      sizeof(*begin));
	if (!all_zero(begin->zero, sizeof(begin->zero)))
		return refuse(check, -EBADMSG, "has reserved bytes that are not zero");
	if (block < THIN_DATA_BLOCK_MIN_SECTORS || block > THIN_DATA_BLOCK_MAX_SECTORS ||
	    block % THIN_DATA_BLOCK_MIN_SECTORS)
		return refuse(check, -EBADMSG, "has an impossible data block size (%u sectors)",
			      block);
	if (le64_to_cpu(begin->nr_data_blocks) > MAX_SECTORS / block)
		return refuse(check, -EBADMSG, "has an impossible number of data blocks (%llu)",
			      (unsigned long long)le64_to_cpu(begin->nr_data_blocks));
	if (le64_to_cpu(begin->provisioned_sectors) > MAX_SECTORS)
		return refuse(check, -EBADMSG, "announces an impossible amount of data (%llu sectors)",
			      (unsigned long long)le64_to_cpu(begin->provisioned_sectors));
	if (le32_to_cpu(begin->nr_volumes) > THIN_DEV_ID_MAX + 1)
		return refuse(check, -EBADMSG, "has an impossible number of volumes (%u)",
			      le32_to_cpu(begin->nr_volumes));
	check->begin = *begin;
	check->beginning = te_frame_digest_bytes(0, begin, sizeof(*begin));
	check->wanted = 1u << TE_FRAME_CATALOG;
	return 0;
}

static int check_catalog(struct te_stream_check *check, const char *json, size_t bytes)
{
	char why[160];

	check->catalog = te_catalog_parse(json, bytes, why, sizeof(why));
	if (!check->catalog ||
	    !te_catalog_fits_begin(check->catalog, &check->begin, why, sizeof(why)))
		return refuse(check, -EBADMSG, "has a broken catalog: %s", why);
	check->beginning = te_frame_digest_bytes(check->beginning, json, bytes);
	want_next_section(check);
	return 0;
}

/* The parent: nothing, a section before this one, or a base; its other fields zero. */
static int check_parent(struct te_stream_check *check, const struct te_volume_begin *volume)
{
	u32 kind = le32_to_cpu(volume->parent_kind), index = le32_to_cpu(volume->parent_index);
	bool no_base = all_zero(volume->base_stream_id, sizeof(volume->base_stream_id)) &&
		       !le32_to_cpu(volume->base_dev_id);

	switch (kind) {
	case TE_PARENT_NONE:
		if (index || !no_base)
			return refuse(check, -EBADMSG, "names a parent and says there is none");
		break;
	case TE_PARENT_VOLUME:
		if (index >= check->index || !no_base)
			return refuse(check, -EBADMSG,
				      "has volume %u as its parent, which does not come before it",
				      index);
		break;
	case TE_PARENT_BASE:
		if (index || le32_to_cpu(volume->base_dev_id) > THIN_DEV_ID_MAX)
			return refuse(check, -EBADMSG, "names an impossible base");
		break;
	default:
		return refuse(check, -EOPNOTSUPP,
			      "has a parent of kind %u, which this version does not know", kind);
	}
	check->has_parent = kind != TE_PARENT_NONE;
	return 0;
}

static int check_dev_id(struct te_stream_check *check, u32 dev_id)
{
	u64 bit = 1ULL << dev_id % 64;

	if (dev_id > THIN_DEV_ID_MAX)
		return refuse(check, -EBADMSG, "has device id %u, beyond 24 bits", dev_id);
	if (check->seen_ids[dev_id / 64] & bit)
		return refuse(check, -EBADMSG, "has device id %u, as a volume before it has",
			      dev_id);
	check->seen_ids[dev_id / 64] |= bit;
	return 0;
}

static int check_volume(struct te_stream_check *check, const struct te_volume_begin *volume)
{
	u32 creation_time = le32_to_cpu(volume->creation_time);
	char why[160];
	int err;

	if (le32_to_cpu(volume->index) != check->index)
		return refuse(check, -EBADMSG, "is volume %u where volume %u should come",
			      le32_to_cpu(volume->index), check->index);
	if (le32_to_cpu(volume->flags) & ~KNOWN_VOLUME_FLAGS)
		return refuse(check, -EOPNOTSUPP,
			      "has volume flags 0x%x, which this version does not know",
			      le32_to_cpu(volume->flags));
	if (!all_zero(volume->zero, sizeof(volume->zero)))
		return refuse(check, -EBADMSG, "has reserved bytes that are not zero");
	if (le64_to_cpu(volume->virtual_sectors) > MAX_SECTORS ||
	    le64_to_cpu(volume->provisioned_sectors) > MAX_SECTORS)
		return refuse(check, -EBADMSG, "is a volume larger than a device can be");
	if (creation_time > le32_to_cpu(check->begin.max_creation_time))
		return refuse(check, -EBADMSG, "was created at %u, later than BEGIN allows (%u)",
			      creation_time, le32_to_cpu(check->begin.max_creation_time));
	err = check_dev_id(check, le32_to_cpu(volume->dev_id));
	if (!err)
		err = check_parent(check, volume);
	if (err)
		return err;
	if (!te_catalog_fits_volume(check->catalog, check->index, volume, why, sizeof(why)))
		return refuse(check, -EBADMSG, "%s", why);
	if (creation_time > check->newest_creation_time)
		check->newest_creation_time = creation_time;
	check->position = 0;
	check->volume_sectors = le64_to_cpu(volume->provisioned_sectors);
	memset(&check->section, 0, sizeof(check->section));
	check->wanted = 1u << TE_FRAME_OPS | 1u << TE_FRAME_VOLUME_END;
	return 0;
}

static int check_op_kind(struct te_stream_check *check, size_t i, const struct te_op *op)
{
	u32 source = le32_to_cpu(op->source);
	unsigned int kind = le16_to_cpu(op->kind), flags = le16_to_cpu(op->flags);

	if (kind < TE_OP_DATA || kind > TE_OP_UNMAP)
		return refuse(check, -EOPNOTSUPP,
			      "has op %zu of kind %u, which this version does not know", i, kind);
	if (flags & ~KNOWN_OP_FLAGS)
		return refuse(check, -EOPNOTSUPP,
			      "has op %zu with flags 0x%x, which this version does not know", i,
			      flags);
	if (flags && kind != TE_OP_DATA && kind != TE_OP_ZERO)
		return refuse(check, -EBADMSG,
			      "has op %zu marked shared, which only DATA and ZERO can be", i);
	if (kind != TE_OP_SHARE && source)
		return refuse(check, -EBADMSG, "has op %zu with a source and not a SHARE", i);
	if (kind == TE_OP_SHARE && source >= check->index)
		return refuse(check, -EBADMSG,
			      "has op %zu sharing with volume %u, which does not come before it", i,
			      source);
	if (kind == TE_OP_UNMAP && !check->has_parent)
		return refuse(check, -EBADMSG, "has op %zu an UNMAP, in a volume without a parent",
			      i);
	return 0;
}

static int check_op(struct te_stream_check *check, size_t i, const struct te_op *op)
{
	u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);

	if (!length)
		return refuse(check, -EBADMSG, "has op %zu of no length", i);
	if (offset > MAX_SECTORS || length > MAX_SECTORS - offset)
		return refuse(check, -EBADMSG,
			      "has op %zu reaching beyond 2^63 bytes (offset %llu, %llu sectors)", i,
			      (unsigned long long)offset, (unsigned long long)length);
	if (offset < check->position)
		return refuse(check, -EBADMSG,
			      "has op %zu at sector %llu, which the op before reaches beyond (%llu)",
			      i, (unsigned long long)offset, (unsigned long long)check->position);
	check->position = offset + length;
	return check_op_kind(check, i, op);
}

/* What DATA and ZERO come to may at no time pass what BEGIN and VOLUME have announced. */
static int add_provisioned(struct te_stream_check *check, const struct te_op *op,
			   u64 *data_sectors)
{
	struct te_stream_sums *total = &check->total, *section = &check->section;
	unsigned int kind = le16_to_cpu(op->kind);
	u64 length = le64_to_cpu(op->length);

	if (kind != TE_OP_DATA && kind != TE_OP_ZERO)
		return 0;
	if (length > le64_to_cpu(check->begin.provisioned_sectors) - total->data_sectors -
			     total->zero_sectors)
		return refuse(check, -EBADMSG,
			      "provisions more than the %llu sectors that BEGIN has announced",
			      (unsigned long long)le64_to_cpu(check->begin.provisioned_sectors));
	if (length > check->volume_sectors - section->data_sectors - section->zero_sectors)
		return refuse(check, -EBADMSG,
			      "provisions more than the %llu sectors that the volume has",
			      (unsigned long long)check->volume_sectors);
	if (kind == TE_OP_DATA) {
		section->data_sectors += length;
		total->data_sectors += length;
		*data_sectors += length;
	} else {
		section->zero_sectors += length;
		total->zero_sectors += length;
	}
	return 0;
}

static int check_ops(struct te_stream_check *check, const struct te_op *ops, size_t nr_ops,
		     size_t data_bytes)
{
	u64 data_sectors = 0;
	size_t i;
	int err;

	for (i = 0; i < nr_ops; i++) {
		err = check_op(check, i, &ops[i]);
		if (!err)
			err = add_provisioned(check, &ops[i], &data_sectors);
		if (err)
			return err;
	}
	/* In sectors: their bytes need not fit 64 bits. */
	if (data_bytes % SECTOR_BYTES || data_sectors != data_bytes / SECTOR_BYTES)
		return refuse(check, -EBADMSG,
			      "carries %zu bytes of data for ops that need %llu sectors", data_bytes,
			      (unsigned long long)data_sectors);
	check->section.nr_ops += nr_ops;
	check->total.nr_ops += nr_ops;
	return 0;
}

static bool same_sums(const struct te_stream_sums *sums, __le64 nr_ops, __le64 data_sectors,
		      __le64 zero_sectors)
{
	return sums->nr_ops == le64_to_cpu(nr_ops) &&
	       sums->data_sectors == le64_to_cpu(data_sectors) &&
	       sums->zero_sectors == le64_to_cpu(zero_sectors);
}

static int check_volume_end(struct te_stream_check *check, const struct te_volume_end *end)
{
	if (le32_to_cpu(end->index) != check->index)
		return refuse(check, -EBADMSG, "ends volume %u where volume %u should end",
			      le32_to_cpu(end->index), check->index);
	if (le32_to_cpu(end->reserved))
		return refuse(check, -EBADMSG, "has reserved bytes that are not zero");
	if (!same_sums(&check->section, end->nr_ops, end->data_sectors, end->zero_sectors))
		return refuse(check, -EBADMSG, "has other totals than its volume's ops come to");
	check->index++;
	want_next_section(check);
	return 0;
}

static int check_end(struct te_stream_check *check, const struct te_end *end, u64 digest)
{
	const struct te_begin *begin = &check->begin;

	if (le32_to_cpu(end->reserved))
		return refuse(check, -EBADMSG, "has reserved bytes that are not zero");
	if (le32_to_cpu(end->nr_volumes) != check->index ||
	    !same_sums(&check->total, end->nr_ops, end->data_sectors, end->zero_sectors))
		return refuse(check, -EBADMSG, "has other totals than the volumes come to");
	if (check->total.data_sectors + check->total.zero_sectors !=
	    le64_to_cpu(begin->provisioned_sectors))
		return refuse(check, -EBADMSG,
			      "comes before all that BEGIN has announced (%llu sectors)",
			      (unsigned long long)le64_to_cpu(begin->provisioned_sectors));
	if (check->newest_creation_time != le32_to_cpu(begin->max_creation_time))
		return refuse(check, -EBADMSG, "ends volumes created by %u, where BEGIN said %u",
			      check->newest_creation_time, le32_to_cpu(begin->max_creation_time));
	if (le64_to_cpu(end->digest) != digest)
		return refuse(check, -EBADMSG,
			      "has another digest (0x%016llx) than the stream (0x%016llx)",
			      (unsigned long long)le64_to_cpu(end->digest),
			      (unsigned long long)digest);
	check->wanted = 0;
	return 0;
}

/* The device ids of what came before, which the catalog has in the same order. */
static int see_ids_before(struct te_stream_check *check, u32 nr)
{
	u32 i;
	int err = 0;

	for (i = 0; !err && i < nr; i++)
		err = check_dev_id(check, check->catalog->volumes[i].dev_id);
	return err;
}

int te_stream_check_continue(struct te_stream_check *check,
			     const struct te_stream_before *before)
{
	const struct te_resume *at = &before->resume;
	bool in_section = le32_to_cpu(at->flags) & TE_RESUME_IN_SECTION;
	int err = te_resume_check(at, check->why, sizeof(check->why));

	if (!err)
		err = check_begin(check, &before->begin, sizeof(before->begin));
	if (!err)
		err = check_catalog(check, before->catalog, before->catalog_bytes);
	if (err)
		return err;
	if (le64_to_cpu(at->beginning) != check->beginning ||
	    le32_to_cpu(at->index) + in_section > le32_to_cpu(check->begin.nr_volumes))
		return refuse(check, -EBADMSG, "names a place of another stream");
	err = see_ids_before(check, le32_to_cpu(at->index) + in_section);
	if (err)
		return err;
	check->before = before;
	check->index = le32_to_cpu(at->index);
	check->newest_creation_time = before->newest_creation_time;
	check->has_parent = before->has_parent;
	check->volume_sectors = before->volume_sectors;
	check->position = le64_to_cpu(at->position);
	check->section = (struct te_stream_sums) {
		.nr_ops = le64_to_cpu(at->section_ops),
		.data_sectors = le64_to_cpu(at->section_data_sectors),
		.zero_sectors = le64_to_cpu(at->section_zero_sectors),
	};
	check->total = (struct te_stream_sums) {
		.nr_ops = le64_to_cpu(at->nr_ops),
		.data_sectors = le64_to_cpu(at->data_sectors),
		.zero_sectors = le64_to_cpu(at->zero_sectors),
	};
	if (check->total.data_sectors + check->total.zero_sectors >
	    le64_to_cpu(check->begin.provisioned_sectors) ||
	    (in_section && check->section.data_sectors + check->section.zero_sectors >
				   check->volume_sectors))
		return refuse(check, -EBADMSG, "names an impossible place");
	check->wanted = 1u << TE_FRAME_RESUME;
	return 0;
}

void te_stream_check_place(const struct te_stream_check *check, u64 sequence, u64 digest,
			   struct te_resume *place)
{
	bool in_section = check->wanted & 1u << TE_FRAME_OPS;
	const struct te_stream_sums none = { 0 };
	const struct te_stream_sums *section = in_section ? &check->section : &none;

	*place = (struct te_resume) {
		.magic = cpu_to_le64(TE_RESUME_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.beginning = cpu_to_le64(check->beginning),
		.sequence = cpu_to_le64(sequence),
		.digest = cpu_to_le64(digest),
		.index = cpu_to_le32(check->index),
		.flags = cpu_to_le32(in_section ? TE_RESUME_IN_SECTION : 0),
		.position = cpu_to_le64(in_section ? check->position : 0),
		.section_ops = cpu_to_le64(section->nr_ops),
		.section_data_sectors = cpu_to_le64(section->data_sectors),
		.section_zero_sectors = cpu_to_le64(section->zero_sectors),
		.nr_ops = cpu_to_le64(check->total.nr_ops),
		.data_sectors = cpu_to_le64(check->total.data_sectors),
		.zero_sectors = cpu_to_le64(check->total.zero_sectors),
	};
	memcpy(place->stream_id, check->begin.stream_id, sizeof(place->stream_id));
}

/* Which of the two is wrong is told: another stream, or another place in this one. */
static int check_resume(struct te_stream_check *check, const struct te_resume *resume,
			size_t bytes)
{
	const struct te_resume *wanted = &check->before->resume;
	char id[33];
	int err = te_resume_check(resume, check->why, sizeof(check->why));

	if (err)
		return err;
	if (bytes != sizeof(*resume))
		return refuse(check, -EBADMSG, "is RESUME and has %zu bytes, not %zu", bytes,
			      sizeof(*resume));
	te_frame_id_text(resume->stream_id, id);
	if (memcmp(resume->stream_id, wanted->stream_id, sizeof(wanted->stream_id)) ||
	    resume->beginning != wanted->beginning)
		return refuse(check, -EBADMSG, "goes on with another stream, %s", id);
	if (memcmp(resume, wanted, sizeof(*wanted)))
		return refuse(check, -EBADMSG, "goes on at frame %llu, and what has arrived ends before frame %llu of stream %s: send with the token that is printed now",
			      (unsigned long long)le64_to_cpu(resume->sequence),
			      (unsigned long long)le64_to_cpu(wanted->sequence), id);
	if (le32_to_cpu(wanted->flags) & TE_RESUME_IN_SECTION)
		check->wanted = 1u << TE_FRAME_OPS | 1u << TE_FRAME_VOLUME_END;
	else
		want_next_section(check);
	return 0;
}

static int refuse_begin(struct te_stream_check *check)
{
	char id[33];

	te_frame_id_text(check->before->resume.stream_id, id);
	return refuse(check, -EEXIST, "begins a stream, but the target holds an interrupted receive of stream %s: go on with that (thinexport receive --status prints the token), or overwrite it with --force",
		      id);
}

int te_stream_check_frame(struct te_stream_check *check, const struct te_frame_header *header,
			  const void *raw, u64 digest)
{
	unsigned int kind = le16_to_cpu(header->kind);
	size_t table_bytes = le32_to_cpu(header->table_bytes);
	size_t raw_bytes = le32_to_cpu(header->raw_bytes);

	if (check->before && kind == TE_FRAME_BEGIN)
		return refuse_begin(check);
	if (!(check->wanted & 1u << kind))
		return refuse(check, -EBADMSG, "is %s, which cannot come here",
			      te_frame_kind_name(kind));
	switch (kind) {
	case TE_FRAME_BEGIN:
		return check_begin(check, raw, raw_bytes);
	case TE_FRAME_CATALOG:
		return check_catalog(check, raw, raw_bytes);
	case TE_FRAME_VOLUME:
		return check_volume(check, raw);
	case TE_FRAME_OPS:
		return check_ops(check, raw, table_bytes / sizeof(struct te_op),
				 raw_bytes - table_bytes);
	case TE_FRAME_VOLUME_END:
		return check_volume_end(check, raw);
	case TE_FRAME_RESUME:
		return check_resume(check, raw, raw_bytes);
	default:
		return check_end(check, raw, digest);
	}
}
