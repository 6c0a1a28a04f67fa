// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan: order, parents and ops of the volumes. */
#include "send/plan.h"

#include "core/diff.h"
#include "stream/frame.h"
#include "base/say.h"
#include "send/sharer.h"
#include "send/survey.h"

struct te_plan_state {
	struct te_survey survey;	/* its `mapped` has become `sent` */
	struct te_sharer *sharer;
};

static int by_age(const void *a, const void *b)
{
	const struct te_plan_volume *x = a, *y = b;
	const struct te_details *dx = &x->volume->details, *dy = &y->volume->details;

	if (x->newest_time != y->newest_time)
		return x->newest_time < y->newest_time ? -1 : 1;
	if (dx->creation_time != dy->creation_time)
		return dx->creation_time < dy->creation_time ? -1 : 1;
	return dx->dev_id < dy->dev_id ? -1 : 1;
}

/* The last resort for a volume's length; and no length may cut mappings off unsaid. */
static int settle_size(const struct te_source *source, struct te_plan_volume *planned)
{
	struct te_volume *volume = planned->volume;
	u64 end_sector = planned->end_block * source->block_sectors;
	u64 blocks = DIV_ROUND_UP(volume->virtual_sectors, source->block_sectors);

	if (volume->size_from == TE_SIZE_FROM_MAPPINGS) {
		volume->virtual_sectors = end_sector;
		return 0;
	}
	if (blocks >= planned->end_block)
		return 0;
	if (volume->size_from == TE_SIZE_FROM_OPTION) {
		te_error("--size %u=%llu: the volume has blocks up to sector %llu",
			 volume->details.dev_id, (unsigned long long)volume->virtual_sectors,
			 (unsigned long long)end_sector);
		return -EINVAL;
	}
	te_warn("volume %u is %llu sectors long but has blocks up to sector %llu; they travel too",
		volume->details.dev_id, (unsigned long long)volume->virtual_sectors,
		(unsigned long long)end_sector);
	return 0;
}

struct ops_run {
	struct te_plan *plan;
	u32 index;
	long parent;
	bool shared_at[TE_BTREE_MAX_DEPTH];	/* the way to the node read last: below one
						 * that another place has too */
	unsigned int level;		/* of that node */
	struct te_plan_op pending;	/* count 0: none */
	int (*op)(void *context, const struct te_plan_op *op);
	void *context;
	struct te_fault fault;
};

static int flush_op(struct ops_run *run)
{
	struct te_plan_op op = run->pending;

	run->pending.count = 0;
	return op.count ? run->op(run->context, &op) : 0;
}

static bool continues(const struct te_plan_op *op, const struct te_plan_op *next)
{
	if (!op->count || op->kind != next->kind || op->shared != next->shared ||
	    op->source != next->source || op->virtual_block + op->count != next->virtual_block)
		return false;
	return op->kind != TE_OP_DATA || op->pool_block + op->count == next->pool_block;
}

/* The same of one block more, which most blocks are. */
static inline bool extends_data(const struct te_plan_op *op, const struct te_plan_op *next)
{
	return op->kind == TE_OP_DATA && op->count &&
	       op->virtual_block + op->count == next->virtual_block &&
	       op->pool_block + op->count == next->pool_block && op->shared == next->shared;
}

static int add_op(struct ops_run *run, const struct te_plan_op *next)
{
	int err;

	if (continues(&run->pending, next)) {
		run->pending.count += next->count;
		return 0;
	}
	err = flush_op(run);
	run->pending = *next;
	return err;
}

static int enter(void *context, u64 block, unsigned int level)
{
	struct ops_run *run = context;
	const struct te_survey *survey = &run->plan->state->survey;

	if (survey->owner[block] - 1 < run->index)
		return TE_VISIT_SKIP;
	/* Beyond the depth that there is, the difference ends by itself. */
	if (level >= TE_BTREE_MAX_DEPTH)
		return TE_VISIT_DESCEND;
	run->level = level;
	run->shared_at[level] = (level && run->shared_at[level - 1]) ||
				te_survey_node_is_shared(survey, block);
	return TE_VISIT_DESCEND;
}

/* A node that an earlier volume owns: in the range of its content both are the same. */
static int skipped(void *context, u64 block, struct te_range range)
{
	struct ops_run *run = context;
	const struct te_plan_op op = {
		.kind = TE_OP_SHARE,
		.virtual_block = range.low,
		.count = range.high - range.low,
		.source = run->plan->state->survey.owner[block] - 1,
	};

	/* What is not mentioned is as in the parent. */
	if ((long)op.source == run->parent)
		return 0;
	return add_op(run, &op);
}

static int entry(void *context, u64 virtual_block, bool has_old, u64 old_value, bool has_new,
		 u64 new_value)
{
	struct ops_run *run = context;
	struct te_plan_state *state = run->plan->state;
	struct te_plan_op op = {
		.kind = TE_OP_UNMAP,
		.virtual_block = virtual_block,
		.count = 1,
	};
	int err;

	if (!has_new)
		return add_op(run, &op);

	op.pool_block = te_mapping_block(new_value);
	/* The survey has seen every mapping; what changed since is not to be trusted. */
	if (op.pool_block >= state->survey.mapped.nr_bits)
		return te_fail(&run->fault, -EILSEQ, TE_FAULT_DATA_BLOCK, 0, op.pool_block,
			       state->survey.mapped.nr_bits);
	if (te_bitmap_set(&state->survey.mapped, op.pool_block)) {
		err = te_sharer_find(state->sharer, virtual_block, op.pool_block, &op.source,
				     &run->fault);
		if (!err) {
			op.kind = TE_OP_SHARE;
			op.pool_block = 0;
			return add_op(run, &op);
		}
		if (err != -ENODATA)
			return err;
		/* Another volume has it elsewhere, or this one twice: a copy. */
		run->plan->resent_blocks++;
	}
	op.kind = TE_OP_DATA;
	op.shared = run->shared_at[run->level] ||
		    te_bitmap_test(&state->survey.shared, op.pool_block);
	if (extends_data(&run->pending, &op)) {
		run->pending.count++;
		return 0;
	}
	return add_op(run, &op);
}

static const struct te_diff_ops diff_ops = {
	.enter = enter,
	.skipped = skipped,
	.entry = entry,
};

int te_plan_ops(struct te_plan *plan, size_t index,
		int (*op)(void *context, const struct te_plan_op *op), void *context)
{
	struct te_plan_volume *volume = &plan->volumes[index];
	struct te_plan_state *state = plan->state;
	struct ops_run run = {
		.plan = plan,
		.index = (u32)index,
		.parent = volume->parent,
		.op = op,
		.context = context,
	};
	u64 parent_root = 0;
	struct te_diff *diff;
	int err;

	if (!index) {
		te_bitmap_clear_all(&state->survey.mapped);
		plan->resent_blocks = 0;
	}
	te_sharer_begin(state->sharer, index);
	if (volume->parent >= 0)
		parent_root = plan->volumes[volume->parent].volume->details.root;

	diff = te_diff_create(plan->source->reader, &diff_ops, &run, &run.fault);
	if (!diff) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	err = te_diff_run(diff, parent_root, volume->volume->details.root);
	te_diff_destroy(diff);
	te_sharer_release(state->sharer);
	if (!err)
		err = flush_op(&run);
	if (err)
		te_survey_say(plan->source, volume->volume, err, &run.fault);
	return err;
}

struct measuring {
	struct te_plan *plan;
	struct te_plan_volume *volume;
};

static void digest_op(struct te_plan *plan, const struct te_plan_op *op)
{
	const __le64 words[] = {
		cpu_to_le64((u64)op->kind << 32 | op->shared),
		cpu_to_le64(op->virtual_block),
		cpu_to_le64(op->count),
		cpu_to_le64(op->kind == TE_OP_DATA ? op->pool_block : op->source),
	};

	plan->digest = te_frame_digest_bytes(plan->digest, words, sizeof(words));
}

static void digest_volume(struct te_plan *plan, const struct te_plan_volume *volume)
{
	const struct te_details *details = &volume->volume->details;
	const __le64 words[] = {
		cpu_to_le64(details->dev_id),
		cpu_to_le64(details->transaction_id),
		cpu_to_le64(details->creation_time),
		cpu_to_le64((u64)volume->parent),
		cpu_to_le64(volume->mapped_blocks),
	};

	plan->digest = te_frame_digest_bytes(plan->digest, words, sizeof(words));
}

static int measure_op(void *context, const struct te_plan_op *op)
{
	const struct measuring *measuring = context;
	struct te_plan_volume *volume = measuring->volume;

	digest_op(measuring->plan, op);
	volume->nr_ops++;
	if (op->kind == TE_OP_DATA)
		volume->sent_blocks += op->count;
	/* What a volume shares with none can come from nowhere but its own DATA. */
	if (op->kind == TE_OP_DATA && !op->shared)
		volume->shared_blocks -= op->count;
	if (op->kind == TE_OP_DATA && op->shared)
		volume->sent_shared_blocks += op->count;
	return 0;
}

static int measure(struct te_plan *plan)
{
	size_t i;
	int err;

	for (i = 0; i < plan->nr_volumes; i++) {
		struct measuring measuring = { plan, &plan->volumes[i] };

		plan->volumes[i].shared_blocks = plan->volumes[i].mapped_blocks;
		digest_volume(plan, &plan->volumes[i]);
		err = te_plan_ops(plan, i, measure_op, &measuring);
		if (err)
			return err;
		plan->sent_blocks += plan->volumes[i].sent_blocks;
		plan->shared_blocks += plan->volumes[i].sent_shared_blocks;
	}
	/* What is sent again is shared, and counted already. */
	plan->shared_blocks -= plan->resent_blocks;
	return 0;
}

static int make_plan(struct te_plan *plan)
{
	struct te_survey *survey = &plan->state->survey;
	struct te_source *source = plan->source;
	size_t i;
	int err;

	for (i = 0; i < plan->nr_volumes; i++)
		plan->volumes[i].volume = &source->volumes[i];
	err = te_survey_run(survey, source, plan->volumes, plan->nr_volumes);
	if (err)
		return err;
	plan->provisioned_blocks = survey->mapped.nr_set;
	for (i = 0; i < plan->nr_volumes; i++) {
		err = settle_size(source, &plan->volumes[i]);
		if (err)
			return err;
	}
	qsort(plan->volumes, plan->nr_volumes, sizeof(*plan->volumes), by_age);
	err = te_survey_own(survey, source, plan->volumes, plan->nr_volumes);
	if (err)
		return err;
	return measure(plan);
}

struct te_plan *te_plan_create(struct te_source *source)
{
	struct te_plan *plan = calloc(1, sizeof(*plan));

	if (!plan) {
		te_error("not enough memory");
		return NULL;
	}
	plan->source = source;
	plan->nr_volumes = source->nr_volumes;
	plan->volumes = calloc(plan->nr_volumes + 1, sizeof(*plan->volumes));
	plan->state = calloc(1, sizeof(*plan->state));
	if (plan->state)
		plan->state->sharer = te_sharer_create(plan);
	if (!plan->volumes || !plan->state || !plan->state->sharer) {
		te_error("not enough memory");
		te_plan_destroy(plan);
		return NULL;
	}
	if (make_plan(plan)) {
		te_plan_destroy(plan);
		return NULL;
	}
	return plan;
}

void te_plan_destroy(struct te_plan *plan)
{
	if (!plan)
		return;
	if (plan->state) {
		te_sharer_destroy(plan->state->sharer);
		te_survey_exit(&plan->state->survey);
	}
	free(plan->state);
	free(plan->volumes);
	free(plan);
}
