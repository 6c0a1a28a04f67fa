/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the catalog tells of LVM: the member "lvm" of its pool and of its volumes,
 * there when the source was named by LVM's names.
 *
 *	"lvm":{"group":"vms","group_uuid":"...","uuid":"...","tags":["a","b"],
 *	       "metadata_sectors":8192,"zero":true,"discards":"passdown",
 *	       "error_when_full":false,"transaction_id":7,"profile":"...",
 *	       "created":1732190400,"host":"..."}
 *	"lvm":{"uuid":"...","origin":"web","tags":[],"read_only":true,
 *	       "skip_activation":true,"transaction_id":5,"created":1732190400,
 *	       "host":"..."}
 *
 * What LVM did not know is left out, and reads as NULL, 0 or false.
 */
#ifndef TE_CATALOG_LVM_H
#define TE_CATALOG_LVM_H

#include "stream/catalog_member.h"
#include "lvm/lvm.h"

/* A pool's own, with the group that it is in. */
struct te_catalog_lvm_pool {
	char *group;
	char *group_uuid;
	struct te_lvm_lv lv;		/* its name is not used */
};

/* Copies of what LVM told.  NULL: no memory. */
struct te_catalog_lvm_pool *te_catalog_lvm_pool_create(const struct te_lvm *lvm);
struct te_lvm_lv *te_catalog_lvm_volume_create(const struct te_lvm_lv *lv);

/* NULL: no memory. */
json_object *te_catalog_lvm_pool_object(const struct te_catalog_lvm_pool *pool);
json_object *te_catalog_lvm_volume_object(const struct te_lvm_lv *lv);

/*
 * Read the member of a pool's, or a volume's, object: NULL in *pool, *lv when it
 * has none.  The uuids are not checked to be any.
 */
bool te_catalog_lvm_parse_pool(json_object *from, struct te_catalog_lvm_pool **pool,
			       struct te_catalog_reason *why);
bool te_catalog_lvm_parse_volume(json_object *from, struct te_lvm_lv **lv,
				 struct te_catalog_reason *why);

void te_catalog_lvm_pool_free(struct te_catalog_lvm_pool *pool);	/* NULL is fine */
void te_catalog_lvm_volume_free(struct te_lvm_lv *lv);			/* likewise */

#endif
