// SPDX-License-Identifier: GPL-2.0-or-later
/* Headers of frames: their bytes, their checksums, and each check of them. */
#include "stream/frame.h"

#include <isa-l/crc64.h>

#include "unit.h"

static void crc32c_of_the_nine_digits_is_the_worked_value(void)
{
	CHECK_EQ(te_frame_csum("123456789", 9), 0xe3069283u);
}

/* The digest takes headers only: its worked value is checked through isa-l's own call. */
static void digest_chains_over_headers_as_over_one_buffer(void)
{
	struct te_frame_header two[2];
	u64 digest;

	memset(two, 0x5a, sizeof(two));
	two[1].kind = cpu_to_le16(3);
	digest = te_frame_digest(te_frame_digest(0, &two[0]), &two[1]);
	CHECK_EQ(digest, crc64_ecma_refl(0, (const unsigned char *)two, sizeof(two)));
	CHECK_EQ(crc64_ecma_refl(0, (const unsigned char *)"123456789", 9), 0x995dc9bbdf1939faULL);
}

static struct te_frame_header good_header(void)
{
	struct te_frame_header header = {
		.sequence = cpu_to_le64(0x0102030405060708ULL),
		.kind = cpu_to_le16(TE_FRAME_OPS),
		.codec = TE_CODEC_ZLIB,
		.table_bytes = cpu_to_le32(48),
		.raw_bytes = cpu_to_le32(0x00010030),
		.stored_bytes = cpu_to_le32(0x1234),
		.payload_csum = cpu_to_le32(0xcafef00d),
	};

	te_frame_seal(&header);
	return header;
}

static void a_sealed_header_has_just_these_bytes(void)
{
	static const u8 golden[48] = {
		0x54, 0x45, 0x46, 0x52, 0, 0, 0, 0, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03,
		0x02, 0x01, 0x04, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x30, 0x00,
		0x00, 0x00, 0x30, 0x00, 0x01, 0x00, 0x34, 0x12, 0x00, 0x00, 0x0d, 0xf0,
		0xfe, 0xca, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	};
	struct te_frame_header header = good_header();

	CHECK_EQ(le32_to_cpu(header.header_csum), te_frame_csum(golden, sizeof(golden)));
	header.header_csum = cpu_to_le32(0);
	CHECK(!memcmp(&header, golden, sizeof(golden)));
}

/* What te_frame_check says of the header when it is sealed again. */
static int check_sealed(struct te_frame_header *header, char *why)
{
	te_frame_seal(header);
	return te_frame_check(header, 0x0102030405060708ULL, why, 200);
}

#define REFUSED(field, value, err, words) do {					\
	struct te_frame_header header = good_header();				\
	char why[200] = "";							\
										\
	header.field = value;							\
	CHECK_EQ(check_sealed(&header, why), err);				\
	if (!strstr(why, words))						\
		UNIT_FAIL("\"%s\" does not say \"%s\"", why, words);		\
} while (0)

static void a_good_header_passes(void)
{
	struct te_frame_header header = good_header();
	char why[200];

	CHECK_EQ(check_sealed(&header, why), 0);
}

static void each_field_is_checked(void)
{
	REFUSED(sequence, cpu_to_le64(9), -EBADMSG, "missing, doubled or moved");
	REFUSED(kind, cpu_to_le16(8), -EOPNOTSUPP, "kind 8");
	REFUSED(kind, cpu_to_le16(0), -EOPNOTSUPP, "kind 0");
	REFUSED(kind, cpu_to_le16(TE_FRAME_BEGIN), -EBADMSG, "BEGIN never");
	REFUSED(flags, cpu_to_le16(TE_FRAME_OPTIONAL), -EBADMSG, "optional");
	REFUSED(flags, cpu_to_le16(2), -EOPNOTSUPP, "flags 0x2");
	REFUSED(codec, 9, -EOPNOTSUPP, "codec 9");
	REFUSED(codec, TE_CODEC_NONE, -EBADMSG, "stored size");
	REFUSED(reserved[0], 1, -EOPNOTSUPP, "reserved");
	REFUSED(reserved[2], 1, -EOPNOTSUPP, "reserved");
	REFUSED(reserved2, cpu_to_le64(1), -EOPNOTSUPP, "reserved");
	REFUSED(table_bytes, cpu_to_le32(0), -EBADMSG, "size for its kind");
	REFUSED(table_bytes, cpu_to_le32(47), -EBADMSG, "size for its kind");
	REFUSED(table_bytes, cpu_to_le32(0x10048), -EBADMSG, "size for its kind");
	REFUSED(raw_bytes, cpu_to_le32(TE_FRAME_MAX_RAW + 1), -EBADMSG, "at most");
	REFUSED(raw_bytes, cpu_to_le32(24), -EBADMSG, "size for its kind");
	REFUSED(raw_bytes, cpu_to_le32(0x1234), -EBADMSG, "stored size");
	REFUSED(stored_bytes, cpu_to_le32(~0u), -EBADMSG, "at most");
	REFUSED(stored_bytes, cpu_to_le32(0x00010030), -EBADMSG, "stored size");
}

static void more_ops_than_allowed_are_refused(void)
{
	struct te_frame_header header = good_header();
	char why[200];

	header.raw_bytes = cpu_to_le32(TE_FRAME_MAX_RAW);
	header.table_bytes = cpu_to_le32(TE_FRAME_MAX_OPS * 24);
	CHECK_EQ(check_sealed(&header, why), 0);
	header.table_bytes = cpu_to_le32((TE_FRAME_MAX_OPS + 1) * 24);
	CHECK_EQ(check_sealed(&header, why), -EBADMSG);
}

static void an_unknown_optional_kind_passes_whatever_its_codec(void)
{
	struct te_frame_header header = good_header();
	char why[200];

	header.kind = cpu_to_le16(4711);
	header.flags = cpu_to_le16(TE_FRAME_OPTIONAL);
	header.codec = 200;
	CHECK_EQ(check_sealed(&header, why), 0);
}

static void any_flipped_bit_of_a_header_is_found(void)
{
	char why[200];
	size_t bit;

	for (bit = 0; bit < 48 * 8; bit++) {
		struct te_frame_header header = good_header();

		((u8 *)&header)[bit / 8] ^= (u8)(1 << bit % 8);
		CHECK_EQ(te_frame_check(&header, 0x0102030405060708ULL, why, 200), -EBADMSG);
	}
}

UNIT_MAIN(UNIT(crc32c_of_the_nine_digits_is_the_worked_value),
	  UNIT(digest_chains_over_headers_as_over_one_buffer),
	  UNIT(a_sealed_header_has_just_these_bytes),
	  UNIT(a_good_header_passes),
	  UNIT(each_field_is_checked),
	  UNIT(more_ops_than_allowed_are_refused),
	  UNIT(an_unknown_optional_kind_passes_whatever_its_codec),
	  UNIT(any_flipped_bit_of_a_header_is_found))
