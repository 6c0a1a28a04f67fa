/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `thinexport info` tells of a stream or of a source: gathered, then printed. */
#ifndef TE_INFO_H
#define TE_INFO_H

#include "source/source.h"

/*
 * A volume.  Provisioned is all that it maps; exclusive is what no other volume
 * of the stream or source maps, shared is the rest: as thin_ls counts them.
 */
struct te_info_volume {
	u32 dev_id;
	char *name;			/* NULL: not known */
	u64 sectors;
	bool size_known;		/* else sectors is the end of the last mapped block */
	u64 provisioned_sectors;
	u64 exclusive_sectors;
	long parent;			/* device id of the volume it is told from, or -1 */
};

/* Of a stream alone. */
struct te_info_stream {
	char id[33];			/* hexadecimal */
	u64 bytes;			/* all of it, as it travels */
	u64 raw_bytes;			/* payloads, decoded */
	u64 stored_bytes[3];		/* payloads as they travel, by te_codec_id */
	u64 data_sectors;
	u64 zero_sectors;
	u64 nr_ops;
};

struct te_info {
	char *pool_name;		/* NULL: not known */
	u32 block_sectors;
	u64 nr_data_blocks;
	u64 transaction_id;
	u64 provisioned_sectors;	/* distinct pool blocks that the volumes map */
	struct te_info_volume *volumes;	/* ascending by device id once printed */
	size_t nr_volumes;
	struct te_info_stream *stream;	/* NULL: of a source */
};

/* Zeroed, with room for nr_volumes.  NULL: no memory. */
struct te_info *te_info_create(size_t nr_volumes);
void te_info_destroy(struct te_info *info);	/* NULL is fine; frees names and stream */

/* Reads a stream to its end.  NULL after one sentence. */
struct te_info *te_info_of_stream(int fd, const char *name);

/* Walks a source's metadata.  NULL after one sentence, or when interrupted. */
struct te_info *te_info_of_source(struct te_source *source);

void te_info_print(struct te_info *info);
void te_info_print_json(struct te_info *info);

#endif
