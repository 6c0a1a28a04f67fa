/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The survey of a source's trees, for the plan.
 *
 * A node is read when the first volume is found to have it.  From the second
 * on it is passed by, and marked: all below it is shared.  So a node is read once,
 * however many volumes share it.
 *
 * One 32-bit word a metadata block says whether it was met again, whether it is a
 * leaf, and the newest mapping time below it; a second one how many mappings
 * are below, and after the survey which volume owns the node.  Both are only
 * touched, and so only backed by memory, where nodes are.
 */
#ifndef TE_SURVEY_H
#define TE_SURVEY_H

#include "core/bitmap.h"
#include "send/plan.h"

struct te_survey {
	struct te_bitmap mapped;	/* pool blocks that any volume maps */
	struct te_bitmap shared;	/* of these, that two leaves map, or one twice */
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

/* More than one place in the trees has this node: all that it maps is shared. */
bool te_survey_node_is_shared(const struct te_survey *survey, u64 block);

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
