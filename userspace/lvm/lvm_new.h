/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A new pool in a volume group, from a stream.
 *
 *	te_lvm_new_open		the group is there, the pool's name is free
 *	te_target.make		plain volumes for data, metadata and the spare, as the
 *				stream's beginning asks for them
 *	(te_receive writes the pool into the first two)
 *	te_lvm_new_finish	they become the pool and its volumes (lvm_text.h), active
 *
 * Until the last the group has plain volumes alone, which tell by a tag and by their
 * names whose they are; then a pool that has the tag until it is active.  So what a
 * killed run leaves says itself what it is, in the same write to the group's metadata
 * that makes it: `thinexport cleanup` removes just that (lvm_left.h).
 *
 * The group's text is read, edited and restored under the lock that keeps LVM's
 * commands out, and only if LVM counts no change of the group between: whatever else
 * is in the group stays as it is.  Each command of LVM holds the lock itself too, so
 * that it is not let go while one is at work whose caller was killed.  The text as it
 * was is kept in a file until the pool is active.
 */
#ifndef TE_LVM_NEW_H
#define TE_LVM_NEW_H

#include "lvm/lvm_shape.h"
#include "receive/target.h"

struct te_lvm_new;

/*
 * The target is one that is not there yet: its make() makes the plain volumes and
 * opens them; when dry, only says how large they would be.  NULL after one sentence
 * (none when interrupted).
 */
struct te_lvm_new *te_lvm_new_open(const struct te_lvm_new_options *options,
				   struct te_target *target);

/* After te_receive, the target closed.  0, or -errno after one sentence (none for -EINTR). */
int te_lvm_new_finish(struct te_lvm_new *new);

/* Removes from the group what is not finished. */
void te_lvm_new_close(struct te_lvm_new *new);	/* NULL is fine */

#endif
