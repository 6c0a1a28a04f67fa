/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The room that a stream needs on its target, as far as its beginning tells. */
#ifndef TE_ROOM_H
#define TE_ROOM_H

#include "receive/choice.h"
#include "receive/target.h"

struct te_room {
	const struct te_target *target;
	const char *kind;		/* of what there is room for: "", or " free" */
	u32 block_sectors;
	u64 data_blocks;		/* that the target has room for */
	u64 data_least;			/* blocks that will be written; */
	u64 data_most;			/* the same, when all that is to come is known */
	u64 metadata_blocks;		/* that the target has, and dm-thin can use */
	u64 metadata_least;		/* packed as tightly as can be */
};

/* `choice` is settled. */
void te_room_measure(struct te_room *room, const struct te_target *target,
		     const struct te_begin *begin, const struct te_choice *choice);

/* 0, or -ENOSPC after one sentence that names the shortfall: the least does not fit. */
int te_room_check(const struct te_room *room);

#endif
