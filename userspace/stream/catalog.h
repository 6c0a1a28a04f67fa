/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalog: what a stream says about its pool and volumes in JSON, beyond
 * what a receiver needs to place blocks.
 *
 *	{"pool":{"name":"vg-pool","block_sectors":128,"data_blocks":4096,
 *		 "transaction_id":7,"plan":"0123456789abcdef"},
 *	 "volumes":[
 *	  {"id":1,"name":"vg-vm1","sectors":2097152,"size_from":"known",
 *	   "mapped_blocks":812}, ...]}
 *
 * The volumes stand in the order of the stream's sections: volume i is section
 * i, with its id and size.  Names are left out when the source knew none.  Where
 * LVM knew more, that is in members "lvm" (catalog_lvm.h).  The
 * plan is a digest of all the ops the sender means to write: one who goes on with an
 * interrupted stream knows by it that he does so from the same moment.  A
 * reader ignores members that it does not know.  The same picture always gives
 * the same text.
 */
#ifndef TE_CATALOG_H
#define TE_CATALOG_H

#include <thinexport/stream.h>
#include "stream/catalog_lvm.h"
#include "source/source.h"

struct te_catalog_volume {
	u32 dev_id;
	char *name;			/* NULL: the source knew none */
	u64 sectors;			/* as te_volume_begin.virtual_sectors */
	enum te_size_from size_from;	/* _MAPPINGS: TE_VOLUME_SIZE_KNOWN is not set;
					 * else _TABLE when parsed */
	u64 mapped_blocks;
	struct te_lvm_lv *lvm;		/* what LVM knew of it, or NULL */
};

struct te_catalog {
	char *pool_name;		/* NULL: the source knew none */
	u32 block_sectors;
	u64 nr_data_blocks;
	u64 transaction_id;
	char *plan;			/* 16 hex digits; NULL: by a sender who does not tell */
	struct te_catalog_lvm_pool *lvm;	/* what LVM knew of it, or NULL */
	struct te_catalog_volume *volumes;
	size_t nr_volumes;
};

/* Room for nr_volumes, zeroed; what it points to is freed with it.  NULL: no memory. */
struct te_catalog *te_catalog_create(size_t nr_volumes);
void te_catalog_destroy(struct te_catalog *catalog);	/* NULL is fine */

/* The text, to be freed; NULL: no memory. */
char *te_catalog_write(const struct te_catalog *catalog);

/*
 * Reads text of hostile origin: `bytes` of it, and a NUL behind them.  NULL with
 * the reason, as the rest of a sentence, in `why`.
 */
struct te_catalog *te_catalog_parse(const char *json, size_t bytes, char *why, size_t why_bytes);

/* True when reading it takes no more memory than a catalog may: others are not parsed. */
bool te_catalog_is_small(const char *json, size_t bytes);

/* True when BEGIN, or section `index`, says the same; else the reason in `why`. */
bool te_catalog_fits_begin(const struct te_catalog *catalog, const struct te_begin *begin,
			   char *why, size_t why_bytes);
bool te_catalog_fits_volume(const struct te_catalog *catalog, u32 index,
			    const struct te_volume_begin *volume, char *why, size_t why_bytes);

#endif
