/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Volumes for a pool of LVM's that is there and active, from a stream.
 *
 *	te_lvm_into_open	the group and the pool are such as can be written to
 *	te_lvm_into_measure	names are free, LVM's text and the pool have room
 *	te_lvm_into_make	a volume: empty, or a snapshot of one made before
 *	te_lvm_into_resize	it must be longer
 *	te_lvm_into_finish	all are complete: permissions, flags, sizes
 *
 * All is done by LVM's own commands: nothing that exists is touched, and LVM counts ids
 * and transactions as ever.  Volumes carry the tag TE_LVM_NEW_TAG from the command that
 * makes them until all are complete, and skip activation meanwhile, so that after a crash
 * nothing takes a half-made one for what it is called.  What turns half-made volumes into
 * complete ones is one command: a second tag, TE_LVM_ARRIVED_TAG, on one of them.  Before
 * it cleanup removes them all; behind it, it only takes the tags away (lvm_left.h).
 *
 * The origin of a volume is, for LVM, the one that it was made a snapshot of: the volume
 * that the stream tells it from, which was not always its origin in the source.
 *
 * Volumes that are not wanted but needed (receive/choice.h) are made too, by names of
 * their own, and removed at the end.
 */
#ifndef TE_LVM_INTO_H
#define TE_LVM_INTO_H

#include "lvm/lvm_room.h"
#include "lvm/lvm_shape.h"
#include "receive/room.h"

#define TE_LVM_NO_PARENT	SIZE_MAX

struct te_lvm_into;

/* NULL after one sentence (none when interrupted).  Holds the lock of the pool. */
struct te_lvm_into *te_lvm_into_open(const struct te_lvm_new_options *options);

/* All that can be known before anything is made.  0, or -errno after one sentence. */
int te_lvm_into_measure(struct te_lvm_into *into, const struct te_begin *begin,
			const struct te_catalog *catalog, const struct te_choice *choice,
			struct te_room *room);

/*
 * Makes the volume of section `index`, of `sectors` or more, active; `parent` is the
 * index of one made before, or TE_LVM_NO_PARENT.  Each 0, or -errno after one sentence.
 */
int te_lvm_into_make(struct te_lvm_into *into, size_t index, size_t parent, u64 sectors);
int te_lvm_into_resize(struct te_lvm_into *into, size_t index, u64 sectors);

/* Of one that was made: its length at least, and the path of its device. */
u64 te_lvm_into_sectors(const struct te_lvm_into *into, size_t index);
const char *te_lvm_into_path(const struct te_lvm_into *into, size_t index);

struct te_lvm_room *te_lvm_into_room(struct te_lvm_into *into);

int te_lvm_into_finish(struct te_lvm_into *into);

/* Removes what is not finished. */
void te_lvm_into_close(struct te_lvm_into *into);	/* NULL is fine */

#endif
