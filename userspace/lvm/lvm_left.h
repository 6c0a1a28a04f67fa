/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a `receive VG/POOL` or `receive --into VG/POOL` that did not end well has left in
 * its group.
 *
 * It tells of itself: plain volumes called POOL.thinexport-..., or a pool that was not
 * finished, or volumes of a pool, all with the tag TE_LVM_NEW_TAG (lvm_shape.h).  Nothing
 * else is touched.  A pool's volumes are removed youngest first, children before their
 * parents; but when one of them tells by TE_LVM_ARRIVED_TAG that all are complete, they
 * only lose their tags, that one last.
 * What is removed is asked for under the lock of the pool's name, which a receive
 * that is at work holds.  A pool that is whole but for its tag stays when one of its
 * volumes is open: somebody works with it.
 */
#ifndef TE_LVM_LEFT_H
#define TE_LVM_LEFT_H

#include "lvm/lvm.h"

struct te_lvm_left {
	const char *path;		/* only of this "VG/POOL"; NULL: of all */
	bool dry;
	void *context;

	/* Is told of each pool that has left something, and of each thing, first. */
	void (*begin)(void *context, const char *pool);
	void (*tell)(void *context, const char *pool, const char *act);
};

/* 0, also where there is no LVM, or -errno after one sentence. */
int te_lvm_left_remove(struct te_lvm_left *left);

/*
 * Only of the pool left->path, by who holds its lock; waits for the group's, but not for
 * ever.  Also the end of a good receive into it.
 */
int te_lvm_left_remove_locked(struct te_lvm_left *left);

/*
 * Where the group's text, as it was before the pool was put in, is kept until all
 * is done; with `edited`, the other.
 */
void te_lvm_left_text_path(const char *pool, bool edited, char *path, size_t bytes);
void te_lvm_left_drop_texts(const char *pool);

#endif
