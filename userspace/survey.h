/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The survey of a source's trees, for the plan.
 *
 * A node is read when the first volume is found to have it, and once more at
 * the second: then all below it is shared, and is marked so.  From the third
 * on it is passed by.  So a node is read twice at most, however many volumes
 * share it.
 *
 * One 32-bit word a metadata block says how often it was met, whether it is a
 * leaf, and the newest mapping time below it; a second one how many mappings
 * are below, and after the survey which volume owns the node.  Both are only
 * touched, and so only backed by memory, where nodes are.
 */
#ifndef TE_SURVEY_H
#define TE_SURVEY_H

#include "core/bitmap.h"
#include "plan.h"

struct te_survey {
	struct te_bitmap mapped;	/* pool blocks that any volume maps */
	struct te_bitmap shared;	/* of these, that more than one maps, or one twice */
	u64 nr_nodes;			/* metadata blocks: entries of the two below */
	u32 *info;			/* survey.c's own */
	union {
		u32 *below;		/* in the survey: mappings below the node */
		u32 *owner;		/* after it: 1 + index of the first volume, 0 none */
	};
};

/*
 * Walks all volumes, filling mapped_blocks, end_block and newest_time of each.
 * 0 or -errno after one sentence (none for -EINTR).
 */
int te_survey_run(struct te_survey *survey, struct te_source *source,
		  struct te_plan_volume *volumes, size_t nr_volumes);
void te_survey_exit(struct te_survey *survey);	/* also of a zeroed one */

/*
 * With the volumes in order: gives every node its owner, and every volume its
 * parent.  Reads inner nodes only.
 */
int te_survey_own(struct te_survey *survey, struct te_source *source,
		  struct te_plan_volume *volumes, size_t nr_volumes);

/* Says what a walk of the source's metadata failed of; the error is returned. */
int te_survey_say(const struct te_source *source, const struct te_volume *volume, int err,
		  const struct te_fault *fault);

#endif
