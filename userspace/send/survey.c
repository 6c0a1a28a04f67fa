// SPDX-License-Identifier: GPL-2.0-or-later
/* The survey of a source's trees, for the plan. */
#include "send/survey.h"

#include <stdio.h>

#include "core/walk.h"
#include "base/say.h"

/* survey.info: the newest time below in the low bits, then these. */
#define INFO_TIME	((1u << THIN_TIME_BITS) - 1)
#define INFO_LEAF	(1u << 24)
#define INFO_MET	(1u << 25)	/* by one volume */
#define INFO_MET_AGAIN	(1u << 26)	/* by more: all below it is shared */

bool te_survey_node_is_shared(const struct te_survey *survey, u64 block)
{
	return survey->info[block] & INFO_MET_AGAIN;
}

int te_survey_say(const struct te_source *source, const struct te_volume *volume, int err,
		  const struct te_fault *fault)
{
	char name[256];

	if (err == -EINTR || fault->kind == TE_FAULT_NONE)
		return err;
	snprintf(name, sizeof(name), "%s, volume %u", source->name, volume->details.dev_id);
	te_error_fault(name, fault);
	return err;
}

/* What is known of the part of a node that was walked so far. */
struct sum {
	u32 newest;
	u32 below;
};

struct survey_walk {
	struct te_walk walk;
	struct te_survey *survey;
	struct te_fault *fault;
	u64 max_virtual_block;
	unsigned int level;		/* of the node entered last */
	struct sum sums[TE_BTREE_MAX_DEPTH + 1];
};

static void add_to_parent(struct survey_walk *sw, unsigned int level, u64 block)
{
	struct te_survey *survey = sw->survey;
	struct sum *parent;
	u32 newest = survey->info[block] & INFO_TIME;

	if (!level)
		return;
	parent = &sw->sums[level - 1];
	parent->below += survey->below[block];
	if (newest > parent->newest)
		parent->newest = newest;
}

static int survey_enter(void *context, u64 block, unsigned int level, struct te_range range)
{
	struct survey_walk *sw = context;
	u32 *info;

	/* A root beyond the device, or a tree too deep: the walk has the words for it. */
	if (block >= sw->survey->nr_nodes || level >= TE_BTREE_MAX_DEPTH)
		return TE_VISIT_DESCEND;
	info = &sw->survey->info[block];
	if (*info & INFO_MET) {
		*info |= INFO_MET_AGAIN;
		add_to_parent(sw, level, block);
		return TE_VISIT_SKIP;
	}
	*info |= INFO_MET;
	sw->level = level;
	sw->sums[level] = (struct sum){ 0, 0 };
	return TE_VISIT_DESCEND;
}

static bool survey_wanted(void *context, u64 block, u64 low)
{
	const struct survey_walk *sw = context;

	return !(sw->survey->info[block] & INFO_MET);
}

static int survey_leaf(void *context, const struct te_node *leaf, struct te_range range)
{
	struct survey_walk *sw = context;
	struct te_survey *survey = sw->survey;
	struct sum *sum = &sw->sums[sw->level];
	u32 i;

	if (leaf->nr_entries) {
		u64 last = te_node_key(leaf, leaf->nr_entries - 1);

		if (last >= sw->max_virtual_block)
			return te_fail(sw->fault, -EILSEQ, TE_FAULT_VIRTUAL_BLOCK, leaf->block,
				       last, sw->max_virtual_block);
	}
	for (i = 0; i < leaf->nr_entries; i++) {
		u64 value = te_node_value64(leaf, i);
		u64 block = te_mapping_block(value);
		u32 time = te_mapping_time(value);

		if (block >= survey->mapped.nr_bits)
			return te_fail(sw->fault, -EILSEQ, TE_FAULT_DATA_BLOCK, leaf->block,
				       block, survey->mapped.nr_bits);
		if (te_bitmap_set(&survey->mapped, block))
			te_bitmap_set(&survey->shared, block);
		if (time > sum->newest)
			sum->newest = time;
	}
	sum->below = leaf->nr_entries;
	survey->info[leaf->block] |= INFO_LEAF;
	return 0;
}

static int survey_leave(void *context, u64 block, unsigned int level, struct te_range range)
{
	struct survey_walk *sw = context;
	struct te_survey *survey = sw->survey;

	survey->info[block] = (survey->info[block] & ~INFO_TIME) | sw->sums[level].newest;
	survey->below[block] = sw->sums[level].below;
	add_to_parent(sw, level, block);
	return 0;
}

static const struct te_walk_ops survey_ops = {
	.enter = survey_enter,
	.leaf = survey_leaf,
	.leave = survey_leave,
	.wanted = survey_wanted,
};

/* Virtual block behind the last mapping of a tree that was walked: down its right edge. */
static int find_end(struct te_source *source, u64 root, u64 *end, struct te_fault *fault)
{
	struct te_range range = { 0, ~0ULL };
	unsigned int level;
	u64 block = root;

	*end = 0;
	for (level = 0; level < TE_BTREE_MAX_DEPTH; level++) {
		struct te_node node;
		void *cookie;
		bool leaf;
		u32 last;
		int err;

		err = te_node_get(source->reader, block, sizeof(__le64), range, &node, &cookie,
				  fault);
		if (err)
			return err;
		leaf = node.leaf;
		last = node.nr_entries - 1;
		if (leaf && node.nr_entries)
			*end = te_node_key(&node, last) + 1;
		if (!leaf) {
			block = te_node_value64(&node, last);
			range = te_node_child_range(&node, last, range);
		}
		te_node_put(source->reader, cookie);
		if (leaf)
			break;
	}
	return 0;
}

static int allocate(struct te_survey *survey, const struct te_source *source)
{
	int err;

	memset(survey, 0, sizeof(*survey));
	survey->nr_nodes = source->reader->nr_blocks;
	survey->info = te_alloc(survey->nr_nodes * sizeof(*survey->info));
	survey->below = te_alloc(survey->nr_nodes * sizeof(*survey->below));
	err = survey->info && survey->below ? 0 : -ENOMEM;
	if (!err)
		err = te_bitmap_init(&survey->mapped, source->nr_data_blocks);
	if (!err)
		err = te_bitmap_init(&survey->shared, source->nr_data_blocks);
	if (err)
		te_error("not enough memory for a plan of %llu data blocks",
			 (unsigned long long)source->nr_data_blocks);
	return err;
}

void te_survey_exit(struct te_survey *survey)
{
	te_bitmap_exit(&survey->mapped);
	te_bitmap_exit(&survey->shared);
	te_free(survey->info);
	te_free(survey->below);
	memset(survey, 0, sizeof(*survey));
}

static int run_walks(struct survey_walk *sw, struct te_source *source,
		     struct te_plan_volume *volumes, size_t nr_volumes)
{
	const struct te_range all = { 0, ~0ULL };
	struct te_survey *survey = sw->survey;
	size_t i;
	int err;

	for (i = 0; i < nr_volumes; i++) {
		struct te_plan_volume *volume = &volumes[i];
		u64 root = volume->volume->details.root;

		err = te_walk_tree(&sw->walk, root, all);
		if (!err)
			err = find_end(source, root, &volume->end_block, sw->fault);
		if (err)
			return te_survey_say(source, volume->volume, err, sw->fault);
		volume->newest_time = survey->info[root] & INFO_TIME;
		volume->mapped_blocks = survey->below[root];
	}
	return 0;
}

int te_survey_run(struct te_survey *survey, struct te_source *source,
		  struct te_plan_volume *volumes, size_t nr_volumes)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct survey_walk *sw;
	int err;

	err = allocate(survey, source);
	if (err)
		return err;
	sw = te_alloc(sizeof(*sw));
	if (!sw) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	sw->survey = survey;
	sw->fault = &fault;
	sw->max_virtual_block = THIN_MAX_SECTORS / source->block_sectors;
	sw->walk.reader = source->reader;
	sw->walk.ops = &survey_ops;
	sw->walk.context = sw;
	sw->walk.value_bytes = sizeof(__le64);
	sw->walk.fault = &fault;
	err = run_walks(sw, source, volumes, nr_volumes);
	te_free(sw);
	return err;
}

struct own_walk {
	struct te_walk walk;
	struct te_survey *survey;
	u32 index;			/* of the volume */
	long parent;			/* latest owner met, or -1 */
};

static int own_enter(void *context, u64 block, unsigned int level, struct te_range range)
{
	struct own_walk *ow = context;
	u32 *owner = &ow->survey->owner[block];

	if (*owner) {
		if ((long)*owner - 1 > ow->parent)
			ow->parent = (long)*owner - 1;
		return TE_VISIT_SKIP;
	}
	*owner = ow->index + 1;
	return ow->survey->info[block] & INFO_LEAF ? TE_VISIT_SKIP : TE_VISIT_DESCEND;
}

static bool own_wanted(void *context, u64 block, u64 low)
{
	const struct own_walk *ow = context;

	return !ow->survey->owner[block] && !(ow->survey->info[block] & INFO_LEAF);
}

/* Never entered: a node that the survey took for a leaf is not one now. */
static int own_leaf(void *context, const struct te_node *leaf, struct te_range range)
{
	return -EILSEQ;
}

static const struct te_walk_ops own_ops = {
	.enter = own_enter,
	.leaf = own_leaf,
	.wanted = own_wanted,
};

int te_survey_own(struct te_survey *survey, struct te_source *source,
		  struct te_plan_volume *volumes, size_t nr_volumes)
{
	const struct te_range all = { 0, ~0ULL };
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	struct own_walk *ow = te_alloc(sizeof(*ow));
	int err = 0;
	size_t i;

	if (!ow) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	/* The counts are done with; fresh pages, so that only nodes cost memory. */
	te_free(survey->below);
	survey->owner = te_alloc(survey->nr_nodes * sizeof(*survey->owner));
	if (!survey->owner) {
		te_free(ow);
		te_error("not enough memory");
		return -ENOMEM;
	}
	ow->survey = survey;
	ow->walk.reader = source->reader;
	ow->walk.ops = &own_ops;
	ow->walk.context = ow;
	ow->walk.value_bytes = sizeof(__le64);
	ow->walk.fault = &fault;
	for (i = 0; i < nr_volumes && !err; i++) {
		ow->index = (u32)i;
		ow->parent = -1;
		err = te_walk_tree(&ow->walk, volumes[i].volume->details.root, all);
		if (err)
			te_survey_say(source, volumes[i].volume, err, &fault);
		volumes[i].parent = ow->parent;
	}
	te_free(ow);
	return err;
}
