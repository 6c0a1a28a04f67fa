/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a stream says, told in the plainest way: of each volume a row of runs, and
 * all bytes that travelled in one piece of memory.  It takes what stream_check.c
 * has let pass, and is what a received pool is held to.
 */
#ifndef TE_FUZZ_MODEL_H
#define TE_FUZZ_MODEL_H

#include <thinexport/stream.h>
#include "core/seam.h"

#define MODEL_MOST_VOLUMES	64u
#define MODEL_MOST_RUNS		4096u		/* in all volumes */
#define MODEL_MOST_BYTES	(8u << 20)	/* that travel */

/* Sectors of the volume, and where they stand among all that has travelled. */
struct model_run {
	u64 start, end, place;
};

struct model_volume {
	u32 dev_id;
	long parent;			/* index, -1: none */
	u64 position;			/* what is before it has been told */
	size_t first, nr;		/* its runs */
};

struct model {
	struct model_volume volumes[MODEL_MOST_VOLUMES];
	size_t nr_volumes;
	struct model_run runs[MODEL_MOST_RUNS];
	size_t nr_runs;
	u64 placed;			/* sectors that have travelled */
	u8 *bytes;			/* of them; NULL: nobody asks */
	bool too_much;			/* more than a model holds: what follows is not told */
};

/* A volume begins; so the one before has ended. */
void model_volume(struct model *model, u32 dev_id, long parent);

/* `data`: of DATA, its bytes. */
void model_op(struct model *model, const struct te_op *op, const void *data);

/* Sectors that the last volume has provisioned, now that it ends. */
u64 model_volume_end(struct model *model);

/* Where sector `at` of the volume stands, or ~0 when it is not provisioned. */
u64 model_place(const struct model *model, const struct model_volume *volume, u64 at);

#endif
