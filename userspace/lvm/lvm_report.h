/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What LVM reports of a volume group and its logical volumes, as `vgs` and `lvs`
 * print it in JSON: read, and checked field by field.
 *
 *	{"report":[{"vg":[{"vg_name":"vms","vg_uuid":"...", ...}]}]}
 *	{"report":[{"seg":[{"lv_name":"web","lv_uuid":"...", ...}, ...]}]}
 *
 * LVM gives every value as a string.  Sizes are sectors (--units s --nosuffix),
 * what is true or false is 1 or 0 (--binary), times are seconds since 1970.
 */
#ifndef TE_LVM_REPORT_H
#define TE_LVM_REPORT_H

#include "core/seam.h"

#define TE_LVM_NAME_BYTES	128	/* of a group or a volume, with its NUL */
#define TE_LVM_UUID_BYTES	39	/* "abcdef-ghij-klmn-opqr-stuv-wxyz-012345" */

enum te_lvm_kind {
	TE_LVM_OTHER,			/* linear, raid, a pool's hidden parts, ... */
	TE_LVM_POOL,
	TE_LVM_THIN,
};

struct te_lvm_strings {
	char **strings;
	size_t nr;
};

/* A logical volume.  NULL or 0 stands for what LVM does not know. */
struct te_lvm_lv {
	enum te_lvm_kind kind;
	char *name;
	char uuid[TE_LVM_UUID_BYTES];
	char *segtype;			/* "thin", "linear", ... */
	u64 sectors;
	bool read_only;
	bool skip_activation;
	bool merging;			/* its origin becomes this snapshot when next activated */
	u64 created;			/* seconds since 1970 */
	char *host;			/* where */
	struct te_lvm_strings tags;
	char *origin;			/* name */
	char pool_uuid[TE_LVM_UUID_BYTES];	/* of a thin volume, "" for others */
	u32 dev_id;			/* of a thin volume */
	u64 transaction_id;		/* of a pool, and of a thin volume when it was made */
	/* Of a pool. */
	u64 metadata_sectors;
	u64 chunk_sectors;
	char *discards;			/* "passdown", "nopassdown", "ignore" */
	bool zero;			/* new blocks are zeroed */
	bool error_when_full;
	char *profile;
};

struct te_lvm_group {
	char name[TE_LVM_NAME_BYTES];
	char uuid[TE_LVM_UUID_BYTES];
	bool exported;
	bool partial;			/* devices of it are missing */
	bool clustered;
	char *lock_type;		/* of lvmlockd, or NULL */
	u64 seqno;			/* counts its changes */
	u64 extent_sectors;
	u64 free_extents;
	u64 free_text_sectors;		/* by which its text may grow */
	struct te_lvm_lv *lvs;
	size_t nr_lvs;
};

/* What to ask for, separated by commas. */
extern const char te_lvm_group_fields[], te_lvm_lv_fields[];

/*
 * Reads what vgs said into a new group, and what lvs said into the group's
 * volumes: `bytes` of it, and a NUL behind them.  -EINVAL or -ENOMEM with the
 * reason, as the rest of a sentence, in `why`.
 */
int te_lvm_read_group(struct te_lvm_group *group, const char *json, size_t bytes, char *why,
		      size_t why_bytes);
int te_lvm_read_lvs(struct te_lvm_group *group, const char *json, size_t bytes, char *why,
		    size_t why_bytes);
void te_lvm_group_forget(struct te_lvm_group *group);	/* its volumes */
void te_lvm_group_exit(struct te_lvm_group *group);	/* frees all that it points to */

/* Its volume of this name, or NULL. */
const struct te_lvm_lv *te_lvm_group_find(const struct te_lvm_group *group, const char *name);

/* True for what LVM takes as a name. */
bool te_lvm_is_name(const char *name, size_t bytes);

/* A copy with all it points to, and its end.  false: no memory. */
bool te_lvm_lv_copy(struct te_lvm_lv *to, const struct te_lvm_lv *from);
void te_lvm_lv_exit(struct te_lvm_lv *lv);

#endif
