// SPDX-License-Identifier: GPL-2.0-or-later
/* What a stream says, told in the plainest way. */
#include "model.h"

#define SECTOR_BYTES	512u
#define MAX_SECTORS	(1ULL << 54)

static struct model_volume *last_volume(struct model *model)
{
	return &model->volumes[model->nr_volumes - 1];
}

void model_volume(struct model *model, u32 dev_id, long parent)
{
	if (model->nr_volumes == MODEL_MOST_VOLUMES)
		model->too_much = true;
	if (model->too_much)
		return;
	model->nr_volumes++;
	*last_volume(model) = (struct model_volume) {
		.dev_id = dev_id,
		.parent = parent,
		.first = model->nr_runs,
	};
}

static void append(struct model *model, u64 start, u64 end, u64 place)
{
	struct model_volume *volume = last_volume(model);
	struct model_run *last = model->runs + model->nr_runs - 1;

	if (volume->nr && last->end == start && last->place + start - last->start == place) {
		last->end = end;
		return;
	}
	if (model->nr_runs == MODEL_MOST_RUNS) {
		model->too_much = true;
		return;
	}
	model->runs[model->nr_runs++] = (struct model_run) { start, end, place };
	volume->nr++;
}

static void take_over(struct model *model, const struct model_volume *source, u64 start, u64 end)
{
	size_t i;

	for (i = source->first; !model->too_much && i < source->first + source->nr; i++) {
		const struct model_run *run = &model->runs[i];
		u64 low = run->start > start ? run->start : start;
		u64 high = run->end < end ? run->end : end;

		if (low < high)
			append(model, low, high, run->place + low - run->start);
	}
}

/* What is left out is as in the parent. */
static void move_to(struct model *model, u64 position)
{
	struct model_volume *volume = last_volume(model);

	if (volume->parent >= 0)
		take_over(model, &model->volumes[volume->parent], volume->position, position);
	volume->position = position;
}

static void travel(struct model *model, u64 offset, u64 length, const void *data)
{
	if (length > MODEL_MOST_BYTES / SECTOR_BYTES - model->placed) {
		model->too_much = true;
		return;
	}
	if (model->bytes && data)
		memcpy(model->bytes + model->placed * SECTOR_BYTES, data, length * SECTOR_BYTES);
	else if (model->bytes)
		memset(model->bytes + model->placed * SECTOR_BYTES, 0, length * SECTOR_BYTES);
	append(model, offset, offset + length, model->placed);
	model->placed += length;
}

void model_op(struct model *model, const struct te_op *op, const void *data)
{
	u64 offset = le64_to_cpu(op->offset), length = le64_to_cpu(op->length);
	u32 source = le32_to_cpu(op->source);

	if (model->too_much || !model->nr_volumes)
		return;
	move_to(model, offset);
	last_volume(model)->position = offset + length;
	switch (le16_to_cpu(op->kind)) {
	case TE_OP_DATA:
		travel(model, offset, length, data);
		break;
	case TE_OP_ZERO:
		travel(model, offset, length, NULL);
		break;
	case TE_OP_SHARE:
		take_over(model, &model->volumes[source], offset, offset + length);
		break;
	}
}

u64 model_volume_end(struct model *model)
{
	const struct model_volume *volume = last_volume(model);
	u64 sectors = 0;
	size_t i;

	if (model->too_much || !model->nr_volumes)
		return 0;
	move_to(model, MAX_SECTORS);
	for (i = volume->first; i < volume->first + volume->nr; i++)
		sectors += model->runs[i].end - model->runs[i].start;
	return sectors;
}

u64 model_place(const struct model *model, const struct model_volume *volume, u64 at)
{
	size_t i;

	for (i = volume->first; i < volume->first + volume->nr; i++)
		if (model->runs[i].start <= at && at < model->runs[i].end)
			return model->runs[i].place + at - model->runs[i].start;
	return ~0ULL;
}
