/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream: what travels.
 *
 *	BEGIN  CATALOG  { VOLUME  OPS...  VOLUME_END }...  END
 *
 * Every frame is a header of 48 bytes and a payload:
 *
 *	| header | table, table_bytes | data, raw_bytes - table_bytes |
 *	          `-- together encoded as header.codec says: stored_bytes --'
 *
 * A stream is written and read strictly forward.  Each frame carries its number,
 * a checksum of its header and one of its payload as stored, so a cut, a
 * doubled, a moved or a changed frame is found before it is acted on.  END
 * carries the totals and a digest of all the frames' headers (and so, through
 * the payload checksums in them, of everything): a stream without its END is
 * broken, whatever came before.
 *
 * What was interrupted is gone on with by a continuation:
 *
 *	RESUME  { frames from the place on, with the numbers they always had }...  END
 *
 * RESUME says what must have arrived.  A frame's contents follow from the source's
 * moment alone, so the frames that did arrive, whole, and those of the continuation
 * behind its RESUME are together the stream that one pass would have been.
 *
 * Little-endian.  Reserved fields are zero when written and refused when not.
 * thinexport-stream(5) tells all of it, and what a reader must refuse.
 *
 * crc32c: polynomial 0x1edc6f41, reflected, seed 0xffffffff, result inverted; of
 * the nine bytes "123456789" it is 0xe3069283.
 * Digest: crc-64/xz: polynomial 0x42f0e1eba9ea3693, reflected, seed all ones,
 * result inverted; of "123456789" it is 0x995dc9bbdf1939fa.
 */
#ifndef THINEXPORT_STREAM_H
#define THINEXPORT_STREAM_H

#include <linux/types.h>

#define TE_STREAM_MAGIC		0x4d52545345544d44ULL	/* "DMTESTRM", starts BEGIN's payload */
#define TE_RESUME_MAGIC		0x4d53455245544d44ULL	/* "DMTERESM", starts RESUME's */
#define TE_STREAM_VERSION	1

/* Feature words of BEGIN.  A reader refuses an incompat bit it does not know. */
#define TE_STREAM_INCOMPAT_KNOWN	0
#define TE_STREAM_COMPAT_KNOWN		0

#define TE_FRAME_MAGIC		0x52464554u		/* "TEFR" */

/* Bounds a reader holds every frame to, before it allocates anything. */
#define TE_FRAME_MAX_RAW	(4u << 20)	/* table and data, decoded */
#define TE_FRAME_MAX_OPS	8192

enum te_frame_kind {
	TE_FRAME_BEGIN		= 1,	/* struct te_begin */
	TE_FRAME_CATALOG	= 2,	/* JSON, UTF-8; all of it is table */
	TE_FRAME_VOLUME		= 3,	/* struct te_volume_begin */
	TE_FRAME_OPS		= 4,	/* table of struct te_op, then the data of its DATAs */
	TE_FRAME_VOLUME_END	= 5,	/* struct te_volume_end */
	TE_FRAME_END		= 6,	/* struct te_end */
	TE_FRAME_RESUME		= 7,	/* struct te_resume; only starts a continuation */
};

/* header.flags: a reader that does not know the kind skips the frame. */
#define TE_FRAME_OPTIONAL	(1u << 0)

enum te_codec_id {
	TE_CODEC_NONE		= 0,	/* stored_bytes == raw_bytes */
	TE_CODEC_ZLIB		= 1,	/* RFC 1950 */
	TE_CODEC_ZSTD		= 2,	/* RFC 8878 */
};

struct te_frame_header {
	__le32 magic;			/*   0 TE_FRAME_MAGIC */
	__le32 header_csum;		/*   4 crc32c of these 48 bytes, this field 0 */
	__le64 sequence;		/*   8 0 for BEGIN, then one more each frame; RESUME
					 * has 0, and is not counted */
	__le16 kind;			/*  16 */
	__le16 flags;			/*  18 */
	__u8 codec;			/*  20 */
	__u8 reserved[3];		/*  21 zero */
	__le32 table_bytes;		/*  24 of raw_bytes, the part before the data */
	__le32 raw_bytes;		/*  28 payload when decoded */
	__le32 stored_bytes;		/*  32 payload as it travels */
	__le32 payload_csum;		/*  36 crc32c of the stored payload */
	__le64 reserved2;		/*  40 zero */
};					/*  48 */

/* Never compressed, so that any later version can tell what it is reading. */
struct te_begin {
	__le64 magic;			/*   0 TE_STREAM_MAGIC */
	__le32 version;			/*   8 */
	__le32 incompat;		/*  12 */
	__le32 compat;			/*  16 */
	__le32 data_block_sectors;	/*  20 the source pool's */
	__u8 stream_id[16];		/*  24 random, unless the sender was given one */
	__le64 nr_data_blocks;		/*  40 the source pool's */
	__le64 transaction_id;		/*  48 the source pool's */
	__le64 provisioned_sectors;	/*  56 in all DATA and ZERO that will follow */
	__le32 nr_volumes;		/*  64 sections that will follow */
	__le32 max_creation_time;	/*  68 highest of the volumes' */
	__u8 zero[24];			/*  72 */
};					/*  96 */

enum te_parent_kind {
	TE_PARENT_NONE		= 0,	/* starts empty */
	TE_PARENT_VOLUME	= 1,	/* an earlier section of this stream */
	TE_PARENT_BASE		= 2,	/* a volume the receiver must hold already */
};

/* te_volume_begin.flags */
#define TE_VOLUME_SIZE_KNOWN	(1u << 0) /* else virtual_sectors is the end of
					   * the last mapped block */

struct te_volume_begin {
	__le32 index;			/*   0 0 for the first section, then ascending by one */
	__le32 dev_id;			/*   4 */
	__le32 flags;			/*   8 */
	__le32 parent_kind;		/*  12 */
	__le32 parent_index;		/*  16 TE_PARENT_VOLUME: that section's index */
	__le32 creation_time;		/*  20 of its device details */
	__le64 virtual_sectors;		/*  24 */
	__le64 provisioned_sectors;	/*  32 in all, wherever they come from */
	__le64 transaction_id;		/*  40 of its device details */
	__u8 base_stream_id[16];	/*  48 TE_PARENT_BASE: the stream that held it */
	__le32 base_dev_id;		/*  64 and its id there */
	__u8 zero[28];			/*  68 */
};					/*  96 */

/*
 * What a range of the volume is.  The ops of a section ascend and do not
 * overlap; what they leave out is as in the parent (nothing, without one).
 * UNMAP and ZERO differ: a ZERO range is provisioned.
 */
enum te_op_kind {
	TE_OP_DATA	= 1,	/* provisioned; its bytes stand in the frame's data */
	TE_OP_ZERO	= 2,	/* provisioned, and all its bytes are zero */
	TE_OP_SHARE	= 3,	/* just what `source` has here: the same pool blocks,
				 * and not provisioned where that is not */
	TE_OP_UNMAP	= 4,	/* not provisioned, although the parent has it */
};

/*
 * DATA, ZERO: some other volume of this stream has these pool blocks too.  Only
 * such blocks may be shared by a later section, by SHARE or through its parent:
 * a receiver that writes metadata must know it when the block arrives.
 */
#define TE_OP_SHARED		(1u << 0)

struct te_op {
	__le64 offset;			/*   0 sectors into the volume */
	__le64 length;			/*   8 sectors, not 0 */
	__le32 source;			/*  16 SHARE: index of an earlier section */
	__le16 kind;			/*  20 */
	__le16 flags;			/*  22 */
};					/*  24 */

struct te_volume_end {
	__le32 index;			/*   0 */
	__le32 reserved;		/*   4 */
	__le64 nr_ops;			/*   8 in this section */
	__le64 data_sectors;		/*  16 in its DATAs */
	__le64 zero_sectors;		/*  24 in its ZEROs */
};					/*  32 */

struct te_end {
	__le32 nr_volumes;		/*   0 */
	__le32 reserved;		/*   4 */
	__le64 nr_ops;			/*   8 in all sections */
	__le64 data_sectors;		/*  16 */
	__le64 zero_sectors;		/*  24 */
	__le64 digest;			/*  32 of all frame headers before this one's */
};					/*  40 */

/* te_resume.flags */
#define TE_RESUME_IN_SECTION	(1u << 0) /* VOLUME has come, its VOLUME_END has not */

/*
 * A place between two frames, behind CATALOG: all that a sender must know to go on
 * there, and by which a receiver knows that it is its own.  Never compressed.
 */
struct te_resume {
	__le64 magic;			/*   0 TE_RESUME_MAGIC */
	__le32 version;			/*   8 TE_STREAM_VERSION */
	__le32 incompat;		/*  12 as BEGIN's */
	__u8 stream_id[16];		/*  16 BEGIN's */
	__le64 beginning;		/*  32 digest of BEGIN's and CATALOG's payloads, decoded */
	__le64 sequence;		/*  40 frames before the place: number of the next */
	__le64 digest;			/*  48 of their headers */
	__le32 index;			/*  56 sections that have ended */
	__le32 flags;			/*  60 */
	__le64 position;		/*  64 sector where the section's last op ended, or 0 */
	__le64 section_ops;		/*  72 in the section so far */
	__le64 section_data_sectors;	/*  80 */
	__le64 section_zero_sectors;	/*  88 */
	__le64 nr_ops;			/*  96 in all sections so far, this one included */
	__le64 data_sectors;		/* 104 */
	__le64 zero_sectors;		/* 112 */
	__u8 zero[8];			/* 120 */
};					/* 128 */

#endif
