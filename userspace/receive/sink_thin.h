/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sink that is an active pool of LVM's: volumes are made by LVM as their sections
 * come (lvm/lvm_into.h), and written through their thin devices.
 *
 * A volume with a parent is made as a thin snapshot of it, which is complete by then: so
 * what they share they share again.  One without is made as a snapshot of an earlier one
 * that was kin to it for LVM, its base, or empty.  What an op says becomes
 *
 *	DATA, ZERO	whole blocks written, zeros too, so that a pool that does not zero
 *			new blocks shows nothing of what they held
 *	UNMAP		a discard; zeros where the pool ignores discards.  So does what is
 *			left out, when the base is not the parent
 *	SHARE		with the parent or base: nothing.  With another volume: blocks are read from
 *			it and written, since thin devices cannot share otherwise
 *
 * What of each volume is provisioned is noted (provisioned.h), since zeros that are read
 * may be either; at its end the kernel must count as many mapped blocks.
 *
 * A volume is as long as all its blocks need, and no shorter than its parent, until
 * te_lvm_into_finish; it may be that it has blocks behind its end.
 */
#ifndef TE_SINK_THIN_H
#define TE_SINK_THIN_H

#include "lvm/lvm_into.h"
#include "receive/sink.h"

/* NULL after one sentence. */
struct te_sink *te_sink_thin_create(struct te_lvm_into *into);
void te_sink_thin_destroy(struct te_sink *sink);

#endif
