// SPDX-License-Identifier: GPL-2.0-or-later
/* The receiving side of a plan as simply as can be. */
#include "replay.h"

static void append(struct model *model, u64 virtual_block, size_t block)
{
	if (model->nr == model->room) {
		model->room = model->room ? 2 * model->room : 64;
		model->next = realloc(model->next, model->room * sizeof(*model->next));
	}
	model->next[model->nr++] = (struct mapping){ virtual_block, block };
}

/* Takes over a mapping of an earlier volume, which a receiver does for shared blocks only. */
static void take_over(struct model *model, const struct mapping *mapping)
{
	if (!model->blocks[mapping->block].shared)
		model->wrong = "a block is taken over that was not marked shared";
	append(model, mapping->virtual_block, mapping->block);
}

static const struct model_volume *parent_of(const struct model *model)
{
	static const struct model_volume nothing;
	long parent = model->plan->volumes[model->index].parent;

	return parent < 0 ? &nothing : &model->volumes[parent];
}

/* What no op mentions, up to `end`, is the parent's. */
static void inherit(struct model *model, u64 end)
{
	const struct model_volume *parent = parent_of(model);

	while (model->parent_at < parent->nr &&
	       parent->mappings[model->parent_at].virtual_block < end)
		take_over(model, &parent->mappings[model->parent_at++]);
}

/* What the parent has in the op's range is replaced; how many mappings that are. */
static u64 replace(struct model *model, u64 end)
{
	const struct model_volume *parent = parent_of(model);
	u64 count = 0;

	while (model->parent_at < parent->nr &&
	       parent->mappings[model->parent_at].virtual_block < end) {
		model->parent_at++;
		count++;
	}
	return count;
}

static void replay_data(struct model *model, const struct te_plan_op *op)
{
	u64 i;

	for (i = 0; i < op->count; i++) {
		if (model->nr_blocks == model->room_blocks) {
			model->room_blocks = model->room_blocks ? 2 * model->room_blocks : 1024;
			model->blocks = realloc(model->blocks,
						model->room_blocks * sizeof(*model->blocks));
		}
		model->blocks[model->nr_blocks] =
			(struct block){ op->pool_block + i, op->shared };
		append(model, op->virtual_block + i, model->nr_blocks++);
	}
}

static void replay_share(struct model *model, const struct te_plan_op *op)
{
	const struct model_volume *source = &model->volumes[op->source];
	size_t i;

	if (op->source >= model->index) {
		model->wrong = "a SHARE names a volume that does not come before";
		return;
	}
	for (i = 0; i < source->nr; i++)
		if (source->mappings[i].virtual_block >= op->virtual_block &&
		    source->mappings[i].virtual_block < op->virtual_block + op->count)
			take_over(model, &source->mappings[i]);
}

static int replay(void *context, const struct te_plan_op *op)
{
	struct model *model = context;
	u64 end = op->virtual_block + op->count, replaced;

	if (!op->count || op->virtual_block < model->position)
		model->wrong = "ops do not ascend";
	model->position = end;
	model->nr_ops++;
	inherit(model, op->virtual_block);
	replaced = replace(model, end);
	switch (op->kind) {
	case TE_OP_DATA:
		replay_data(model, op);
		break;
	case TE_OP_SHARE:
		replay_share(model, op);
		break;
	default:
		if (replaced != op->count)
			model->wrong = "an UNMAP of what the parent has not";
	}
	return 0;
}

static void replay_volume(struct model *model, size_t index)
{
	model->index = index;
	model->next = NULL;
	model->nr = model->room = model->parent_at = 0;
	model->position = model->nr_ops = 0;
	if (te_plan_ops(model->plan, index, replay, model))
		model->wrong = "the plan's ops end in an error";
	inherit(model, ~0ULL);
	model->volumes[index] = (struct model_volume){ model->next, model->nr };
}

struct model *replay_plan(struct te_plan *plan)
{
	struct model *model = calloc(1, sizeof(*model));
	size_t i;

	model->plan = plan;
	model->volumes = calloc(plan->nr_volumes + 1, sizeof(*model->volumes));
	for (i = 0; i < plan->nr_volumes; i++) {
		replay_volume(model, i);
		if (model->nr_ops != plan->volumes[i].nr_ops)
			model->wrong = "other ops come than the plan has counted";
	}
	return model;
}

void free_model(struct model *model)
{
	size_t i;

	for (i = 0; i < model->plan->nr_volumes; i++)
		free(model->volumes[i].mappings);
	free(model->volumes);
	free(model->blocks);
	free(model);
}
