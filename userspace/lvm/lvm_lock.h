/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LVM's lock of a volume group.  Its commands suspend, reload and resume the pool
 * and its volumes under it; who holds it meets none of them half done.
 */
#ifndef TE_LVM_LOCK_H
#define TE_LVM_LOCK_H

#include "live/dm.h"

#define TE_LVM_LOCK_FOLDER	"/run/lock/lvm"	/* locking_dir of lvm.conf, unless changed */

/*
 * Locks the group that the pool belongs to: a descriptor, -ENOENT when the pool
 * is not LVM's, or another -errno after one sentence.  Waits for a command that
 * is under way.  close() unlocks.
 */
int te_lvm_lock(const struct te_pool *pool);

/*
 * Likewise the group of this name, for who changes it (never -ENOENT without a
 * sentence), and for who only reads: others may read too.  `wanted` is what the user
 * named.
 */
int te_lvm_lock_group(const char *group, const char *wanted);
int te_lvm_lock_shared(const char *group, const char *wanted);

/*
 * Likewise for who takes away what he has made, after a signal too.  -ENOENT without a
 * sentence: LVM never ran here.
 */
int te_lvm_lock_undo(const char *group, const char *wanted);

/*
 * Until the group is free, right before a command of LVM's that would wait without
 * end.  0, or -errno after one sentence.
 */
int te_lvm_wait(const char *group, const char *wanted);

#endif
