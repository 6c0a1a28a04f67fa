/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A source: one moment of one pool, to be read.
 *
 * Three kinds give the same picture: a metadata and a data device (or image
 * files of them), a view (or an image of one), and - through either - a live pool
 * whose moment window.c has frozen.
 */
#ifndef TE_SOURCE_H
#define TE_SOURCE_H

#include <sys/uio.h>

#include "core/details.h"
#include "core/reader.h"

enum te_size_from {
	TE_SIZE_FROM_TABLE,		/* the active thin's table, the pin in a view, or LVM */
	TE_SIZE_FROM_OPTION,		/* --size ID=SECTORS */
	TE_SIZE_FROM_MAPPINGS,		/* unknown: end of the last mapped block */
};

struct te_lvm;
struct te_lvm_lv;

/* A volume of the pool.  Ids, trees and details are the volume's own, never a pin's. */
struct te_volume {
	struct te_details details;
	u64 virtual_sectors;		/* 0 until known; survey fills the last resort */
	enum te_size_from size_from;
	char *name;			/* LVM's, dm name or --name, or NULL */
	const struct te_lvm_lv *lvm;	/* what LVM knows of it; NULL: was not asked, or nothing */
};

struct te_source;
struct te_image;

struct te_source_ops {
	const char *kind;		/* "devices", "view": one word for messages */

	/*
	 * Reads from `offset` of the pool's data into nr buffers; all multiples of
	 * 4 KiB.  It may span blocks; all of them must be mapped by some volume.
	 * 0 or -errno, after one line on stderr that names device and offset.
	 * May be called by several threads while another uses the reader.
	 */
	int (*read)(struct te_source *source, u64 offset, const struct iovec *iov, int nr);
	void (*close)(struct te_source *source);
};

struct te_source {
	const struct te_source_ops *ops;
	const char *name;		/* as the user gave it, for messages */
	const char *pool_name;		/* for the catalog; LVM's, dm name, --pool-name, or NULL */
	const struct te_lvm *lvm;	/* the pool, when LVM was asked for it */
	struct te_reader *reader;	/* of the metadata; checked blocks are the core's work */
	u32 block_sectors;
	u64 nr_data_blocks;
	u64 transaction_id;
	u64 metadata_used_blocks;	/* 0: not known (a view, a metadata snapshot) */
	bool needs_check;
	struct te_volume *volumes;	/* ascending by id: all of the pool, or the chosen */
	size_t nr_volumes;
	const struct te_image *images[2]; /* what is open; NULL where nothing */
};

/* Which root to start from. */
enum te_source_root {
	TE_ROOT_SUPERBLOCK,		/* the pool is not active: opened exclusively */
	TE_ROOT_HELD,			/* live: the metadata snapshot; opened shared */
};

/*
 * Opens a metadata and a data device or image file.  On error prints one
 * sentence that names the path and returns NULL.
 */
struct te_source *te_source_open_devices(const char *metadata, const char *data,
					 enum te_source_root root);

/*
 * Opens the devices of a live pool for just these volumes, whose trees something
 * holds still: nothing else of the metadata is read.
 */
struct te_source_given {
	u32 block_sectors;
	u64 nr_data_blocks;
	u64 transaction_id;
	const struct te_details *volumes;	/* ascending by id */
	size_t nr_volumes;
};
struct te_source *te_source_open_given(const char *metadata, const char *data,
				       const struct te_source_given *given);

/* Opens a view's device or an image of one. */
struct te_source *te_source_open_view(const char *path);

/* True when the file or device starts with a view header. */
bool te_source_is_view(const char *path);

void te_source_close(struct te_source *source);	/* NULL is fine */

/* The volume with this id, or NULL. */
struct te_volume *te_source_find(struct te_source *source, u32 dev_id);

/* Keeps only the volumes of which chosen[index] is true. */
void te_source_keep(struct te_source *source, const bool *chosen);

/*
 * Keeps only the chosen volumes: ids ("3"), or names when the source knows
 * them.  Sizes are "ID=SECTORS", names "ID=NAME".  -EINVAL after one sentence.
 */
int te_source_choose(struct te_source *source, char *const *wanted, size_t nr_wanted);
int te_source_set_sizes(struct te_source *source, char *const *sizes, size_t nr_sizes);
int te_source_set_names(struct te_source *source, char *const *names, size_t nr_names);

#endif
