/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LVM's lock of a volume group.  Its commands suspend, reload and resume the pool
 * and its volumes under it; who holds it meets none of them half done.
 */
#ifndef TE_LVM_LOCK_H
#define TE_LVM_LOCK_H

#include "live/dm.h"

/*
 * Locks the group that the pool belongs to: a descriptor, -ENOENT when the pool
 * is not LVM's, or another -errno after one sentence.  Waits for a command that
 * is under way.  close() unlocks.
 */
int te_lvm_lock(const struct te_pool *pool);

/*
 * Likewise the group of this name, for who only reads: others may read too.
 * `wanted` is what the user named.
 */
int te_lvm_lock_shared(const char *group, const char *wanted);

#endif
