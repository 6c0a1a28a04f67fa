/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a volume group, as vgcfgbackup writes it and vgcfgrestore takes it:
 * plain volumes become the parts of a thin pool that has all its volumes, in one
 * step.
 *
 *	logical_volumes {
 *		PLAIN {			becomes POOL_tdata, POOL_tmeta, lvol0_pmspare:
 *			id = "..."	kept
 *			status = [...]	not visible any more
 *			flags, tags	gone: they told that it is being received
 *			...		kept: where it lies
 *		}
 *		POOL { ... }		new
 *		VOLUME { ... }		new, one each
 *	}
 *
 * LVM has no command for this.  What creates a thin volume also sends the pool a
 * message to create it, which fails for one that is there; lvconvert takes
 * metadata of which LVM knows the volumes already, so each would have to be made
 * twice.  The text is LVM's own way to bring a group back, volumes of thin pools
 * included (vgcfgrestore --force), and it is all or nothing: before it there are
 * plain volumes that lvremove takes away, after it there is the pool.
 *
 * The text is edited by lines, strings and braces alone, and what does not look as
 * LVM writes it is refused.  What LVM reads back it checks once more as a whole.
 */
#ifndef TE_LVM_TEXT_H
#define TE_LVM_TEXT_H

#include "lvm/lvm_report.h"

struct te_lvm_text_pool {
	const char *data;		/* plain volumes: what is to be POOL_tdata, */
	const char *metadata;		/* POOL_tmeta, */
	const char *spare;		/* and lvol0_pmspare; NULL: the group's own will do */
	const char *old_spare;		/* that `spare` replaces, or NULL */
	const struct te_lvm_lv *lv;	/* the pool: name, uuid, chunk, discards, ... */
	const struct te_lvm_lv *volumes;	/* names, uuids, device ids, tags, origins, ... */
	size_t nr_volumes;
	u64 extent_sectors;		/* sizes are rounded up to extents */
};

/*
 * The text with the pool in it, to be freed.  NULL with the reason, as the rest of
 * a sentence, in `why`.
 */
char *te_lvm_text_add_pool(const char *text, const struct te_lvm_text_pool *pool, char *why,
			   size_t why_bytes);

/* How much longer the text becomes, about.  0: no memory. */
size_t te_lvm_text_bytes(const struct te_lvm_text_pool *pool);

/* LVM counts the changes of a group: the number of the text's state.  false: it has none. */
bool te_lvm_text_seqno(const char *text, u64 *seqno);

/* True for what LVM takes as a tag; and for what can stand in a string of the text. */
bool te_lvm_is_tag(const char *tag);
bool te_lvm_is_plain(const char *text);

/* A new uuid, as LVM makes them: 32 random letters and digits.  0 or -errno. */
int te_lvm_text_uuid(char uuid[TE_LVM_UUID_BYTES]);

#endif
