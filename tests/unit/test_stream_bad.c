// SPDX-License-Identifier: GPL-2.0-or-later
/* Streams that are not whole, or that lie: each is refused, in the right words. */
#include "stream/frame.h"
#include "streams.h"
#include "unit.h"

static const struct te_codec_choice none = { TE_CODEC_NONE, 0 }, zlib = { TE_CODEC_ZLIB, 1 };

/* Frames of small_stream. */
enum { BEGIN, CATALOG, VOLUME_0, OPS_0, VOLUME_END_0, VOLUME_1, OPS_1, VOLUME_END_1, END, NR };

static void expect(const struct bytes *bytes, int err, const char *words)
{
	const char *said;

	CHECK_EQ(read_all_of(bytes, NULL, &said), err);
	if (!strstr(said, words))
		UNIT_FAIL("\"%s\" does not say \"%s\"", said, words);
	/* One sentence, no more. */
	CHECK(!err || strchr(said, '\n') == said + strlen(said) - 1);
}

/* The same, of a stream that is not used any more, its checksums made right. */
static void expect_sealed(struct bytes *bytes, int err, const char *words)
{
	reseal(bytes);
	expect(bytes, err, words);
	free(bytes->p);
}

static struct frame frame_at(const struct bytes *bytes, size_t index)
{
	struct frame frame = { 0 };

	CHECK(find_frame(bytes, index, &frame));
	return frame;
}

static void remove_frame(struct bytes *bytes, size_t index)
{
	struct frame frame = frame_at(bytes, index);
	u8 *end = (u8 *)frame.header + frame.bytes;

	memmove(frame.header, end, (size_t)(bytes->p + bytes->nr - end));
	bytes->nr -= frame.bytes;
}

/* Puts a copy of `from`'s bytes before frame `index`. */
static void insert(struct bytes *bytes, size_t index, const void *from, size_t nr)
{
	size_t at = index < count_frames(bytes) ? frame_at(bytes, index).offset : bytes->nr;
	u8 *p = malloc(bytes->nr + nr);

	memcpy(p, bytes->p, at);
	memcpy(p + at, from, nr);
	memcpy(p + at + nr, bytes->p + at, bytes->nr - at);
	free(bytes->p);
	bytes->p = p;
	bytes->nr += nr;
}

static void copy_frame(struct bytes *to, size_t before, const struct bytes *from, size_t index)
{
	struct bytes whole = copy_of(from);	/* from may be to */
	struct frame frame = frame_at(&whole, index);

	insert(to, before, frame.header, frame.bytes);
	free(whole.p);
}

static void put_kind(struct bytes *bytes, size_t before, unsigned int kind, unsigned int flags)
{
	struct {
		struct te_frame_header header;
		u8 payload[5];
	} frame = { .payload = "later" };

	frame.header.kind = cpu_to_le16((u16)kind);
	frame.header.flags = cpu_to_le16((u16)flags);
	frame.header.raw_bytes = cpu_to_le32(5);
	frame.header.stored_bytes = cpu_to_le32(5);
	insert(bytes, before, &frame, sizeof(frame.header) + 5);
}

static void a_whole_stream_is_read(void)
{
	struct bytes bytes = small_stream(none);

	CHECK_EQ(count_frames(&bytes), NR);
	expect(&bytes, 0, "");
	expect_sealed(&bytes, 0, "");
}

static void a_stream_cut_at_any_byte_is_refused(void)
{
	struct te_codec_choice codecs[] = { none, zlib };
	size_t c;

	for (c = 0; c < 2; c++) {
		struct bytes bytes = small_stream(codecs[c]);
		struct bytes cut = copy_of(&bytes);

		/* Each byte of the packed one; of the other, which is longer, some. */
		for (cut.nr = 0; cut.nr < bytes.nr; cut.nr += c ? 1 : 11)
			expect(&cut, -EBADMSG, cut.nr ? "cut short" : "it is empty");
		free(cut.p);
		free(bytes.p);
	}
}

/* After a damaged frame nothing more is returned, and nothing of it was. */
static size_t returned;

static void count_records(const struct te_record *record)
{
	returned++;
}

static void any_flipped_bit_is_found_before_its_frame_is_returned(void)
{
	struct te_codec_choice codecs[] = { none, zlib };
	size_t c, i, bit;

	/* Each bit of the packed one; of the other, which is longer, some. */
	for (c = 0; c < 2; c++) {
		struct bytes bytes = small_stream(codecs[c]);
		struct frame frame;

		for (i = 0; find_frame(&bytes, i, &frame); i++) {
			for (bit = 0; bit < frame.bytes * 8; bit += c ? 1 : 37) {
				u8 *byte = bytes.p + frame.offset + bit / 8;
				const char *said;
				int err;

				*byte ^= (u8)(1 << bit % 8);
				returned = 0;
				err = read_all_of(&bytes, count_records, &said);
				*byte ^= (u8)(1 << bit % 8);
				CHECK_EQ(err, -EBADMSG);
				CHECK_EQ(returned, i);
			}
		}
		free(bytes.p);
	}
}

static void a_missing_frame_is_found(void)
{
	size_t i;

	for (i = 0; i < NR; i++) {
		struct bytes bytes = small_stream(none);

		remove_frame(&bytes, i);
		expect(&bytes, -EBADMSG, i < END ? "is missing, doubled or moved" : "cut short");
		free(bytes.p);
	}
}

static void a_missing_frame_is_found_when_the_rest_is_numbered_anew(void)
{
	static const char *const words[NR] = {
		"is CATALOG, which cannot come here", "is VOLUME, which cannot come here",
		"is OPS, which cannot come here",     "other totals than its volume's ops",
		"is VOLUME, which cannot come here",  "is OPS, which cannot come here",
		"other totals than its volume's ops", "is END, which cannot come here",
		"cut short",
	};
	size_t i;

	for (i = 0; i < NR; i++) {
		struct bytes bytes = small_stream(none);

		remove_frame(&bytes, i);
		expect_sealed(&bytes, -EBADMSG, words[i]);
	}
}

static void a_doubled_frame_is_found(void)
{
	size_t i;

	for (i = 0; i < NR; i++) {
		struct bytes bytes = small_stream(none);

		copy_frame(&bytes, i, &bytes, i);
		expect(&bytes, -EBADMSG,
		       i < END ? "is missing, doubled or moved" : "another follows");
		/* Doubled and numbered anew: END's twin stands where a section may not. */
		expect_sealed(&bytes, -EBADMSG,
			      i == END ? "another follows" :
			      i == OPS_0 || i == OPS_1 ? "which the op before reaches beyond" :
							 "which cannot come here");
	}
}

static void two_frames_that_changed_places_are_found(void)
{
	size_t i;

	for (i = 0; i + 1 < NR; i++) {
		struct bytes bytes = small_stream(none);

		copy_frame(&bytes, i, &bytes, i + 1);
		remove_frame(&bytes, i + 2);
		expect(&bytes, -EBADMSG, "is missing, doubled or moved");
		expect_sealed(&bytes, -EBADMSG, "");
	}
}

/* Of the same number and kind, whole, from a stream that differs in one name. */
static void a_frame_from_another_stream_is_found(void)
{
	size_t i;

	for (i = 0; i < END; i++) {
		struct bytes bytes = small_stream(none), other = small_stream(none);
		struct frame frame = frame_at(&other, i);

		/* Behind the first byte's meaning: data, the id, a transaction id, a name. */
		switch (i) {
		case BEGIN:
			((loose_begin *)frame.payload)->stream_id[0]++;
			break;
		case CATALOG:
			*(u8 *)memmem(frame.payload, frame.bytes - 48, "vm", 2) = 'w';
			break;
		case VOLUME_0:
		case VOLUME_1:
			((loose_volume *)frame.payload)->transaction_id = cpu_to_le64(4);
			break;
		case OPS_0:
		case OPS_1:
			frame.payload[frame.bytes - 48 - 1]++;
			break;
		default:	/* VOLUME_END says nothing that could differ and fit */
			free(bytes.p);
			free(other.p);
			continue;
		}
		reseal(&other);
		remove_frame(&bytes, i);
		copy_frame(&bytes, i, &other, i);
		expect(&bytes, -EBADMSG, "has another digest");
		free(bytes.p);
		free(other.p);
	}
}

static void an_unknown_optional_frame_is_skipped_anywhere_behind_begin(void)
{
	size_t i;

	for (i = 0; i <= NR; i++) {
		struct bytes bytes = small_stream(none);

		put_kind(&bytes, i, 77, TE_FRAME_OPTIONAL);
		if (i == BEGIN)
			expect_sealed(&bytes, -EBADMSG, "is not BEGIN");
		else if (i == NR)
			expect_sealed(&bytes, -EBADMSG, "another follows");
		else
			expect_sealed(&bytes, 0, "");
	}
}

static void a_skipped_frame_is_checked_all_the_same(void)
{
	struct bytes bytes = small_stream(none);

	put_kind(&bytes, 3, 77, TE_FRAME_OPTIONAL);
	reseal(&bytes);
	frame_at(&bytes, 3).payload[2] ^= 1;
	expect(&bytes, -EBADMSG, "has a damaged payload");
	free(bytes.p);
}

static void an_unknown_mandatory_frame_is_refused(void)
{
	struct bytes bytes = small_stream(none);

	put_kind(&bytes, 3, 77, 0);
	expect_sealed(&bytes, -EOPNOTSUPP, "is of kind 77, which this version does not know");
}

static void two_streams_in_a_row_are_refused(void)
{
	struct bytes bytes = small_stream(none), other = small_stream(zlib);

	insert(&bytes, NR, other.p, other.nr);
	expect(&bytes, -EBADMSG, "another follows");
	free(bytes.p);
	free(other.p);
}

static void bytes_behind_the_end_are_refused(void)
{
	struct bytes bytes = small_stream(none);

	insert(&bytes, NR, "\n", 1);
	expect(&bytes, -EBADMSG, "bytes follow that are no part of it");
	free(bytes.p);
}

static void what_is_no_stream_is_called_so(void)
{
	static u8 zeros[5000];
	struct bytes bytes = { zeros, sizeof(zeros) };

	expect(&bytes, -EBADMSG, "is not a thinexport stream");
	bytes.nr = 3;
	expect(&bytes, -EBADMSG, "is not a thinexport stream");
}

#define FORGE(index, type, field, value, err, words) do {			\
	struct bytes bytes = small_stream(none);				\
	struct frame frame = frame_at(&bytes, index);				\
										\
	((type *)frame.payload)->field = value;					\
	expect_sealed(&bytes, err, words);					\
} while (0)

#define BEGIN_HAS(field, value, err, words) \
	FORGE(BEGIN, loose_begin, field, value, err, words)

static void each_field_of_begin_is_checked(void)
{
	BEGIN_HAS(magic, cpu_to_le64(1), -EBADMSG, "is no stream's BEGIN");
	BEGIN_HAS(version, cpu_to_le32(2), -EOPNOTSUPP, "is of version 2");
	BEGIN_HAS(version, cpu_to_le32(0), -EOPNOTSUPP, "is of version 0");
	BEGIN_HAS(incompat, cpu_to_le32(8), -EOPNOTSUPP, "incompat 0x8");
	BEGIN_HAS(compat, cpu_to_le32(8), 0, "");
	BEGIN_HAS(data_block_sectors, cpu_to_le32(0), -EBADMSG, "data block size");
	BEGIN_HAS(data_block_sectors, cpu_to_le32(129), -EBADMSG, "data block size");
	BEGIN_HAS(data_block_sectors, cpu_to_le32(2097152 + 128), -EBADMSG, "data block size");
	BEGIN_HAS(data_block_sectors, cpu_to_le32(256), -EBADMSG, "another pool than BEGIN");
	BEGIN_HAS(nr_data_blocks, cpu_to_le64(1ULL << 48), -EBADMSG, "number of data blocks");
	BEGIN_HAS(nr_data_blocks, cpu_to_le64(1001), -EBADMSG, "another pool than BEGIN");
	BEGIN_HAS(transaction_id, cpu_to_le64(8), -EBADMSG, "another pool than BEGIN");
	BEGIN_HAS(provisioned_sectors, cpu_to_le64(8), -EBADMSG, "more than the 8 sectors");
	BEGIN_HAS(provisioned_sectors, cpu_to_le64(10), -EBADMSG, "announced (10 sectors)");
	BEGIN_HAS(provisioned_sectors, cpu_to_le64(~0ULL), -EBADMSG, "impossible amount of data");
	BEGIN_HAS(nr_volumes, cpu_to_le32(~0u), -EBADMSG, "number of volumes");
	BEGIN_HAS(nr_volumes, cpu_to_le32(3), -EBADMSG, "another pool than BEGIN");
	BEGIN_HAS(max_creation_time, cpu_to_le32(0), -EBADMSG, "created at 1");
	BEGIN_HAS(max_creation_time, cpu_to_le32(2), -EBADMSG, "where BEGIN said 2");
	BEGIN_HAS(zero[23], 1, -EBADMSG, "reserved bytes");
}

/* A later version may have a longer BEGIN, and is still told apart. */
static void a_longer_begin_of_a_later_version_says_its_version(void)
{
	struct bytes bytes = small_stream(none);
	struct frame frame = frame_at(&bytes, BEGIN);

	insert(&bytes, 1, "12345678", 8);
	frame = frame_at(&bytes, BEGIN);
	frame.header->table_bytes = cpu_to_le32(104);
	frame.header->raw_bytes = cpu_to_le32(104);
	frame.header->stored_bytes = cpu_to_le32(104);
	reseal(&bytes);
	expect(&bytes, -EBADMSG, "has 104 bytes, not 96");
	((loose_begin *)frame.payload)->version = cpu_to_le32(3);
	expect_sealed(&bytes, -EOPNOTSUPP, "is of version 3");
}

#define VOLUME_HAS(index, field, value, err, words) \
	FORGE(index, loose_volume, field, value, err, words)

static void each_field_of_a_volume_is_checked(void)
{
	VOLUME_HAS(VOLUME_0, index, cpu_to_le32(1), -EBADMSG, "volume 1 where volume 0");
	VOLUME_HAS(VOLUME_1, index, cpu_to_le32(0), -EBADMSG, "volume 0 where volume 1");
	VOLUME_HAS(VOLUME_1, dev_id, cpu_to_le32(1), -EBADMSG, "as a volume before it has");
	VOLUME_HAS(VOLUME_1, dev_id, cpu_to_le32(1 << 24), -EBADMSG, "beyond 24 bits");
	VOLUME_HAS(VOLUME_1, dev_id, cpu_to_le32(6), -EBADMSG, "not the volume that the catalog");
	VOLUME_HAS(VOLUME_0, flags, cpu_to_le32(2), -EOPNOTSUPP, "volume flags 0x2");
	VOLUME_HAS(VOLUME_0, flags, cpu_to_le32(0), -EBADMSG, "not the volume that the catalog");
	VOLUME_HAS(VOLUME_1, parent_kind, cpu_to_le32(3), -EOPNOTSUPP, "parent of kind 3");
	VOLUME_HAS(VOLUME_0, parent_kind, cpu_to_le32(1), -EBADMSG, "does not come before it");
	VOLUME_HAS(VOLUME_1, parent_kind, cpu_to_le32(0), -EBADMSG, "an UNMAP, in a volume without");
	VOLUME_HAS(VOLUME_1, parent_kind, cpu_to_le32(2), 0, "");
	VOLUME_HAS(VOLUME_1, parent_index, cpu_to_le32(1), -EBADMSG, "volume 1 as its parent");
	VOLUME_HAS(VOLUME_0, parent_index, cpu_to_le32(1), -EBADMSG, "says there is none");
	VOLUME_HAS(VOLUME_0, base_stream_id[15], 1, -EBADMSG, "says there is none");
	VOLUME_HAS(VOLUME_1, base_dev_id, cpu_to_le32(1), -EBADMSG, "does not come before it");
	VOLUME_HAS(VOLUME_1, creation_time, cpu_to_le32(9), -EBADMSG, "created at 9, later than");
	VOLUME_HAS(VOLUME_1, virtual_sectors, cpu_to_le64(~0ULL), -EBADMSG, "larger than a device");
	VOLUME_HAS(VOLUME_1, virtual_sectors, cpu_to_le64(1), -EBADMSG, "that the catalog has");
	VOLUME_HAS(VOLUME_1, provisioned_sectors, cpu_to_le64(~0ULL), -EBADMSG, "larger than a");
	VOLUME_HAS(VOLUME_0, provisioned_sectors, cpu_to_le64(7), -EBADMSG, "7 sectors that the vol");
	VOLUME_HAS(VOLUME_1, zero[0], 1, -EBADMSG, "reserved bytes");
}

static void an_impossible_base_is_refused(void)
{
	int field;

	for (field = 0; field < 2; field++) {
		struct bytes bytes = small_stream(none);
		loose_volume *volume = (loose_volume *)frame_at(&bytes, VOLUME_1).payload;

		volume->parent_kind = cpu_to_le32(TE_PARENT_BASE);
		if (field)
			volume->parent_index = cpu_to_le32(1);
		else
			volume->base_dev_id = cpu_to_le32(THIN_DEV_ID_MAX + 1);
		expect_sealed(&bytes, -EBADMSG, "names an impossible base");
	}
}

#define OP_HAS(frame, nr, field, value, err, words) do {			\
	struct bytes bytes = small_stream(none);				\
	loose_op *op = (loose_op *)frame_at(&bytes, frame).payload + (nr);	\
										\
	op->field = value;							\
	expect_sealed(&bytes, err, words);					\
} while (0)

static void each_field_of_an_op_is_checked(void)
{
	OP_HAS(OPS_0, 1, offset, cpu_to_le64(2), -EBADMSG, "op 1 at sector 2");
	OP_HAS(OPS_0, 1, offset, cpu_to_le64(~0ULL), -EBADMSG, "beyond 2^63 bytes");
	OP_HAS(OPS_0, 3, offset, cpu_to_le64((1ULL << 54) - 1), -EBADMSG, "beyond 2^63 bytes");
	OP_HAS(OPS_0, 3, offset, cpu_to_le64((1ULL << 54) - 2), 0, "");
	OP_HAS(OPS_0, 0, length, cpu_to_le64(0), -EBADMSG, "op 0 of no length");
	OP_HAS(OPS_0, 0, length, cpu_to_le64(4), -EBADMSG, "op 1 at sector 3");
	OP_HAS(OPS_0, 2, length, cpu_to_le64(~0ULL), -EBADMSG, "beyond 2^63 bytes");
	OP_HAS(OPS_0, 2, length, cpu_to_le64(2), -EBADMSG, "more than the 8 sectors");
	OP_HAS(OPS_0, 0, length, cpu_to_le64(2), -EBADMSG, "2048 bytes of data for ops that need 3");
	OP_HAS(OPS_0, 1, length, cpu_to_le64(1), -EBADMSG, "other totals than its volume's");
	OP_HAS(OPS_0, 1, kind, cpu_to_le16(TE_OP_DATA), -EBADMSG, "2048 bytes of data for ops");
	OP_HAS(OPS_0, 1, kind, cpu_to_le16(TE_OP_UNMAP), -EBADMSG, "in a volume without a parent");
	OP_HAS(OPS_0, 1, kind, cpu_to_le16(TE_OP_SHARE), -EBADMSG, "with volume 0, which does not");
	OP_HAS(OPS_0, 1, kind, cpu_to_le16(0), -EOPNOTSUPP, "of kind 0");
	OP_HAS(OPS_0, 1, kind, cpu_to_le16(5), -EOPNOTSUPP, "of kind 5");
	OP_HAS(OPS_0, 1, flags, cpu_to_le16(2), -EOPNOTSUPP, "with flags 0x2");
	OP_HAS(OPS_1, 0, flags, cpu_to_le16(1), -EBADMSG, "marked shared, which only");
	OP_HAS(OPS_1, 2, flags, cpu_to_le16(1), -EBADMSG, "marked shared, which only");
	OP_HAS(OPS_0, 0, source, cpu_to_le32(1), -EBADMSG, "with a source and not a SHARE");
	OP_HAS(OPS_1, 2, source, cpu_to_le32(1), -EBADMSG, "with volume 1, which does not");
}

static void ops_may_not_start_before_those_of_the_frame_before(void)
{
	struct bytes bytes = small_stream(none);

	copy_frame(&bytes, OPS_1 + 1, &bytes, OPS_1);
	expect_sealed(&bytes, -EBADMSG, "op 0 at sector 3, which the op before reaches beyond (22)");
}

static void data_that_no_op_asks_for_is_refused(void)
{
	struct bytes bytes = small_stream(none);
	struct frame frame = frame_at(&bytes, OPS_0);
	u32 raw = le32_to_cpu(frame.header->raw_bytes);

	insert(&bytes, OPS_0 + 1, "x", 1);
	frame = frame_at(&bytes, OPS_0);
	frame.header->raw_bytes = cpu_to_le32(raw + 1);
	frame.header->stored_bytes = cpu_to_le32(raw + 1);
	expect_sealed(&bytes, -EBADMSG, "2049 bytes of data for ops that need 4 sectors");
}

#define VOLUME_END_HAS(field, value, words) \
	FORGE(VOLUME_END_0, loose_volume_end, field, value, -EBADMSG, words)
#define END_HAS(field, value, words) FORGE(END, loose_end, field, value, -EBADMSG, words)

static void forged_counts_are_refused(void)
{
	VOLUME_END_HAS(index, cpu_to_le32(1), "ends volume 1 where volume 0");
	VOLUME_END_HAS(reserved, cpu_to_le32(1), "reserved bytes");
	VOLUME_END_HAS(nr_ops, cpu_to_le64(5), "other totals");
	VOLUME_END_HAS(data_sectors, cpu_to_le64(5), "other totals");
	VOLUME_END_HAS(zero_sectors, cpu_to_le64(5), "other totals");
	END_HAS(nr_volumes, cpu_to_le32(1), "other totals");
	END_HAS(reserved, cpu_to_le32(1), "reserved bytes");
	END_HAS(nr_ops, cpu_to_le64(8), "other totals");
	END_HAS(data_sectors, cpu_to_le64(6), "other totals");
	END_HAS(zero_sectors, cpu_to_le64(6), "other totals");
}

static void a_forged_digest_is_refused(void)
{
	struct bytes bytes = small_stream(none);
	struct frame frame = frame_at(&bytes, END);
	struct te_frame_header header;

	((loose_end *)frame.payload)->digest = cpu_to_le64(0x1234);
	memcpy(&header, frame.header, sizeof(header));
	header.payload_csum = cpu_to_le32(te_frame_csum(frame.payload, sizeof(struct te_end)));
	te_frame_seal(&header);
	memcpy(frame.header, &header, sizeof(header));
	expect(&bytes, -EBADMSG, "has another digest (0x0000000000001234)");
	free(bytes.p);
}

/* The payload's checksum is right, and what it decodes to is not what the header says. */
static void a_payload_that_decodes_to_another_size_is_refused(void)
{
	int change;

	for (change = -24; change <= 24; change += 48) {
		struct bytes bytes = small_stream(zlib);
		struct frame frame = frame_at(&bytes, OPS_0);

		frame.header->raw_bytes =
			cpu_to_le32(le32_to_cpu(frame.header->raw_bytes) + (u32)change);
		expect_sealed(&bytes, -EBADMSG, "does not decode by zlib");
	}
}

static void a_payload_that_does_not_decode_is_refused(void)
{
	struct bytes bytes = small_stream(zlib);
	struct frame frame = frame_at(&bytes, OPS_0);

	memset(frame.payload, 0xee, 20);
	expect_sealed(&bytes, -EBADMSG, "does not decode by zlib");
}

static void bytes_behind_a_packed_payload_are_refused(void)
{
	struct bytes bytes = small_stream(zlib);
	struct frame frame = frame_at(&bytes, OPS_0);
	u32 stored = le32_to_cpu(frame.header->stored_bytes);

	insert(&bytes, OPS_0 + 1, "x", 1);
	frame_at(&bytes, OPS_0).header->stored_bytes = cpu_to_le32(stored + 1);
	expect_sealed(&bytes, -EBADMSG, "does not decode by zlib");
}

static void what_is_no_zstd_frame_is_refused(void)
{
	struct bytes bytes = small_stream(zlib);

	frame_at(&bytes, OPS_0).header->codec = TE_CODEC_ZSTD;
	expect_sealed(&bytes, -EBADMSG, "does not decode by zstd");
}

/* The catalog with one text for another of the same length. */
static void catalog_has(const char *from, const char *to, const char *words)
{
	struct bytes bytes = small_stream(none);
	struct frame frame = frame_at(&bytes, CATALOG);
	char *place = memmem(frame.payload, frame.bytes - 48, from, strlen(from));

	CHECK(place && strlen(from) == strlen(to));
	memcpy(place, to, strlen(to));
	expect_sealed(&bytes, -EBADMSG, words);
}

static void a_broken_catalog_is_refused(void)
{
	struct bytes bytes = small_stream(none);
	struct frame frame = frame_at(&bytes, CATALOG);

	frame.payload[20] = 0;
	expect_sealed(&bytes, -EBADMSG, "broken catalog: it is not UTF-8");
	catalog_has("vm", "\xc3(", "it is not UTF-8");
	catalog_has("{\"pool\"", "[\"pool\"", "it is not JSON");
	catalog_has("\"pool\":{", "\"poll\":{", "no \"pool\" object");
	catalog_has("volumes", "columns", "no \"volumes\" array");
	catalog_has("\"id\":1", "\"id\":2", "not the volume that the catalog has");
	catalog_has("\"id\":1", "\"ip\":1", "\"id\" is not a number");
	catalog_has("\"sectors\":1024", "\"sectors\":9024", "not the volume that the catalog");
	catalog_has("\"known\"", "\"nkown\"", "\"size_from\" is not");
	catalog_has("\"known\"", "\"known ", "it is not JSON");
	catalog_has("\"data_blocks\":1000", "\"data_blocks\":1.00", "\"data_blocks\" is not a number");
	catalog_has("\"data_blocks\":1000", "\"data_blocks\":1001", "another pool than BEGIN");
}

UNIT_MAIN(UNIT(a_whole_stream_is_read),
	  UNIT(a_stream_cut_at_any_byte_is_refused),
	  UNIT(any_flipped_bit_is_found_before_its_frame_is_returned),
	  UNIT(a_missing_frame_is_found),
	  UNIT(a_missing_frame_is_found_when_the_rest_is_numbered_anew),
	  UNIT(a_doubled_frame_is_found),
	  UNIT(two_frames_that_changed_places_are_found),
	  UNIT(a_frame_from_another_stream_is_found),
	  UNIT(an_unknown_optional_frame_is_skipped_anywhere_behind_begin),
	  UNIT(a_skipped_frame_is_checked_all_the_same),
	  UNIT(an_unknown_mandatory_frame_is_refused),
	  UNIT(two_streams_in_a_row_are_refused),
	  UNIT(bytes_behind_the_end_are_refused),
	  UNIT(what_is_no_stream_is_called_so),
	  UNIT(each_field_of_begin_is_checked),
	  UNIT(a_longer_begin_of_a_later_version_says_its_version),
	  UNIT(each_field_of_a_volume_is_checked),
	  UNIT(an_impossible_base_is_refused),
	  UNIT(each_field_of_an_op_is_checked),
	  UNIT(ops_may_not_start_before_those_of_the_frame_before),
	  UNIT(data_that_no_op_asks_for_is_refused),
	  UNIT(forged_counts_are_refused),
	  UNIT(a_forged_digest_is_refused),
	  UNIT(a_payload_that_decodes_to_another_size_is_refused),
	  UNIT(a_payload_that_does_not_decode_is_refused),
	  UNIT(bytes_behind_a_packed_payload_are_refused),
	  UNIT(what_is_no_zstd_frame_is_refused),
	  UNIT(a_broken_catalog_is_refused))
