/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LVM: what it calls a pool and its volumes, and what only it knows of them.
 *
 * A pool's metadata has device ids and mappings.  Names, lengths of volumes that
 * are not active, tags, origins, permissions and flags are LVM's alone, in the
 * metadata of the volume group.  LVM is asked for them by its own commands, in
 * JSON (lvm_report.h): their output is documented and old, where its metadata
 * text is private and liblvm2 is gone.
 *
 * It is asked twice.  First, the names lead to a pool, the pool to a device.  Then
 * again right before the window: from that answer to the moment the group's lock
 * is held (lvm_lock.h), and nothing of the group can change.  Both times we lock
 * the group and LVM does not (--nolocking): it would wait for us, or without end
 * for a command that hangs.
 *
 * Devices are found by uuid, "LVM-" and the uuids of group and volume: a name may
 * hold dashes, which the device-mapper name doubles, and which is undone here only
 * where no device is left to be asked for (te_lvm_dm_name).
 *
 * LVM and the kernel both count a transaction id up with each volume that is
 * created or deleted.  When they differ, one of them has been changed behind the
 * other's back (thin_restore, a restored group, a crash), and ids may mean other
 * volumes than LVM thinks.
 *
 * What LVM cannot know, it does not tell: whether a pool is active on another host
 * that shares the disks.  Groups that say they are shared (lvmlockd, clvmd) are
 * therefore refused; those of another host's system id LVM itself refuses.
 */
#ifndef TE_LVM_H
#define TE_LVM_H

#include "live/dm.h"
#include "lvm/lvm_report.h"

#define TE_LVM_PATH_BYTES	(2 * TE_LVM_NAME_BYTES)	/* "vms/pool" */

struct te_lvm {
	const char **names;		/* as asked for; the strings are borrowed */
	size_t nr_names;
	struct te_lvm_group group;
	const struct te_lvm_lv *pool;
	const struct te_lvm_lv **volumes;	/* of the pool, ascending by id */
	size_t nr_volumes;
	const struct te_lvm_lv **chosen;	/* of these, those named; none: the pool was */
	size_t nr_chosen;
	char path[TE_LVM_PATH_BYTES];	/* "vms/pool" */
};

/* True for "VG/NAME" where there is no such file or folder. */
bool te_lvm_is_path(const char *what);

/*
 * Asks for the pool that the names are, or are volumes of: te_lvm_is_path() is
 * true of the first, and there may be more.  NULL after one sentence.
 */
struct te_lvm *te_lvm_open(const char *name, char *const *more, size_t nr_more);
void te_lvm_close(struct te_lvm *lvm);	/* NULL is fine */

/* Asks for the volumes anew, by one who holds the group's lock. */
int te_lvm_again(struct te_lvm *lvm);

/* The part of te_lvm_open that asks nobody: names against group->lvs. */
int te_lvm_resolve(struct te_lvm *lvm);

/* A group that is exported or shared is not touched.  -EPERM after one sentence. */
int te_lvm_check_group(const struct te_lvm_group *group);

/* A volume of the pool, or NULL. */
const struct te_lvm_lv *te_lvm_find_id(const struct te_lvm *lvm, u32 dev_id);
const struct te_lvm_lv *te_lvm_find_name(const struct te_lvm *lvm, const char *name);

/* True when part of what it shows lies outside the pool. */
bool te_lvm_has_external_origin(const struct te_lvm *lvm, const struct te_lvm_lv *lv);

/*
 * The device of the pool, active here.  0 or -errno after one sentence; the first
 * without any for -ENXIO, that it is not active.
 */
int te_lvm_find_active(const struct te_lvm *lvm, struct te_pool *pool);
int te_lvm_find_pool(const struct te_lvm *lvm, struct te_pool *pool);

/* What that device is called: "vg/my-pool" is "vg-my--pool-tpool". */
void te_lvm_dm_name(const char *path, char name[TE_DM_NAME_BYTES]);

#endif
