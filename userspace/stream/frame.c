// SPDX-License-Identifier: GPL-2.0-or-later
/* A frame's header: sealed when written, checked when read.  Checksums and digest. */
#include "stream/frame.h"

#include <isa-l/crc64.h>
#include <stdio.h>

#include "stream/codec.h"

_Static_assert(sizeof(struct te_frame_header) == 48, "frame header");
_Static_assert(sizeof(struct te_begin) == 96, "BEGIN");
_Static_assert(sizeof(struct te_volume_begin) == 96, "VOLUME");
_Static_assert(sizeof(struct te_op) == 24, "op");
_Static_assert(sizeof(struct te_volume_end) == 32, "VOLUME_END");
_Static_assert(sizeof(struct te_end) == 40, "END");
_Static_assert(sizeof(struct te_resume) == 128, "RESUME");

u32 te_frame_csum_more(u32 csum, const void *p, size_t bytes)
{
	return ~crc32c(~csum, p, bytes);
}

u32 te_frame_csum(const void *p, size_t bytes)
{
	return te_frame_csum_more(0, p, bytes);
}

u64 te_frame_digest(u64 digest, const struct te_frame_header *header)
{
	return te_frame_digest_bytes(digest, header, sizeof(*header));
}

u64 te_frame_digest_bytes(u64 digest, const void *p, size_t bytes)
{
	/* isa-l inverts before and after, so that 0 is the seed and calls chain. */
	return crc64_ecma_refl(digest, p, bytes);
}

void te_frame_id_text(const __u8 id[16], char text[33])
{
	size_t i;

	for (i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

static u32 header_csum(const struct te_frame_header *header)
{
	struct te_frame_header copy = *header;

	copy.header_csum = cpu_to_le32(0);
	return te_frame_csum(&copy, sizeof(copy));
}

void te_frame_seal(struct te_frame_header *header)
{
	header->magic = cpu_to_le32(TE_FRAME_MAGIC);
	header->header_csum = cpu_to_le32(header_csum(header));
}

const char *te_frame_kind_name(unsigned int kind)
{
	static const char *const names[] = {
		[TE_FRAME_BEGIN] = "BEGIN",	      [TE_FRAME_CATALOG] = "CATALOG",
		[TE_FRAME_VOLUME] = "VOLUME",	      [TE_FRAME_OPS] = "OPS",
		[TE_FRAME_VOLUME_END] = "VOLUME_END", [TE_FRAME_END] = "END",
		[TE_FRAME_RESUME] = "RESUME",
	};

	return kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}

/* A kind that is not known must be optional, and a known one is never. */
static int check_kind(const struct te_frame_header *header, char *why, size_t bytes)
{
	unsigned int kind = le16_to_cpu(header->kind);
	unsigned int flags = le16_to_cpu(header->flags);

	if (flags & ~TE_FRAME_OPTIONAL) {
		snprintf(why, bytes, "has flags 0x%x, which this version does not know", flags);
		return -EOPNOTSUPP;
	}
	if (te_frame_kind_name(kind)) {
		if (!flags)
			return 0;
		snprintf(why, bytes, "is %s and marked optional, which that kind never is",
			 te_frame_kind_name(kind));
		return -EBADMSG;
	}
	if (flags & TE_FRAME_OPTIONAL)
		return 0;
	snprintf(why, bytes, "is of kind %u, which this version does not know and may not skip",
		 kind);
	return -EOPNOTSUPP;
}

/* Kinds that a later version must be able to be told from. */
static bool tells_version(unsigned int kind)
{
	return kind == TE_FRAME_BEGIN || kind == TE_FRAME_RESUME;
}

static int check_codec(const struct te_frame_header *header, char *why, size_t bytes)
{
	const struct te_codec *codec = te_codec_find(header->codec);

	if (!te_frame_kind_name(le16_to_cpu(header->kind)))
		return 0;	/* is skipped, never decoded */
	if (!codec) {
		snprintf(why, bytes, "is encoded by codec %u, which this version does not know",
			 header->codec);
		return -EOPNOTSUPP;
	}
	if (header->codec != TE_CODEC_NONE && tells_version(le16_to_cpu(header->kind))) {
		snprintf(why, bytes, "is %s and encoded by %s, which %s never is",
			 te_frame_kind_name(le16_to_cpu(header->kind)), codec->name,
			 te_frame_kind_name(le16_to_cpu(header->kind)));
		return -EBADMSG;
	}
	return 0;
}

/* The table of each kind: whole structs, and data behind it in OPS alone. */
static bool sizes_fit(const struct te_frame_header *header)
{
	u32 table = le32_to_cpu(header->table_bytes), raw = le32_to_cpu(header->raw_bytes);

	switch (le16_to_cpu(header->kind)) {
	case TE_FRAME_BEGIN:
		/* A later version may have a longer one: its version is asked first. */
		return table == raw && raw >= offsetof(struct te_begin, data_block_sectors);
	case TE_FRAME_CATALOG:
		return table == raw && raw > 0;
	case TE_FRAME_VOLUME:
		return table == raw && raw == sizeof(struct te_volume_begin);
	case TE_FRAME_OPS:
		return table > 0 && table % sizeof(struct te_op) == 0 &&
		       table / sizeof(struct te_op) <= TE_FRAME_MAX_OPS;
	case TE_FRAME_VOLUME_END:
		return table == raw && raw == sizeof(struct te_volume_end);
	case TE_FRAME_END:
		return table == raw && raw == sizeof(struct te_end);
	case TE_FRAME_RESUME:
		/* As BEGIN. */
		return table == raw && raw >= offsetof(struct te_resume, stream_id);
	default:
		return true;
	}
}

static int check_sizes(const struct te_frame_header *header, char *why, size_t bytes)
{
	u32 table = le32_to_cpu(header->table_bytes), raw = le32_to_cpu(header->raw_bytes);
	u32 stored = le32_to_cpu(header->stored_bytes);

	if (raw > TE_FRAME_MAX_RAW || stored > TE_FRAME_MAX_RAW) {
		snprintf(why, bytes, "says it holds %u bytes, stored as %u; at most %u are allowed",
			 raw, stored, TE_FRAME_MAX_RAW);
		return -EBADMSG;
	}
	if (table > raw || !sizes_fit(header)) {
		snprintf(why, bytes, "has an impossible size for its kind (table %u, payload %u bytes)",
			 table, raw);
		return -EBADMSG;
	}
	if (header->codec == TE_CODEC_NONE ? stored != raw : stored >= raw) {
		snprintf(why, bytes, "has an impossible stored size (%u bytes for %u)", stored, raw);
		return -EBADMSG;
	}
	return 0;
}

int te_frame_check(const struct te_frame_header *header, u64 sequence, char *why, size_t bytes)
{
	u32 magic = le32_to_cpu(header->magic), found = le32_to_cpu(header->header_csum);
	u64 number = le64_to_cpu(header->sequence);
	int err;

	if (magic != TE_FRAME_MAGIC) {
		snprintf(why, bytes, "is no frame (magic 0x%08x, wanted 0x%08x)", magic,
			 TE_FRAME_MAGIC);
		return -EBADMSG;
	}
	if (found != header_csum(header)) {
		snprintf(why, bytes, "has a damaged header (checksum 0x%08x, wanted 0x%08x)", found,
			 header_csum(header));
		return -EBADMSG;
	}
	if (number != sequence) {
		snprintf(why, bytes, "is numbered %llu: a frame is missing, doubled or moved",
			 (unsigned long long)number);
		return -EBADMSG;
	}
	if (header->reserved[0] || header->reserved[1] || header->reserved[2] ||
	    le64_to_cpu(header->reserved2)) {
		snprintf(why, bytes, "has reserved header fields that are not zero");
		return -EOPNOTSUPP;
	}
	err = check_kind(header, why, bytes);
	if (!err)
		err = check_codec(header, why, bytes);
	if (!err)
		err = check_sizes(header, why, bytes);
	return err;
}
