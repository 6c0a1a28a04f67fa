// SPDX-License-Identifier: GPL-2.0-or-later
/* What `thinexport info` tells of a source: gathered from its plan. */
#include "show/info.h"

#include "send/plan.h"
#include "base/say.h"

static bool fill_volume(struct te_info_volume *to, const struct te_plan *plan, size_t index)
{
	const struct te_plan_volume *planned = &plan->volumes[index];
	const struct te_volume *volume = planned->volume;
	u32 block_sectors = plan->source->block_sectors;

	to->dev_id = volume->details.dev_id;
	to->sectors = volume->virtual_sectors;
	to->size_known = volume->size_from != TE_SIZE_FROM_MAPPINGS;
	to->provisioned_sectors = planned->mapped_blocks * block_sectors;
	to->exclusive_sectors = (planned->mapped_blocks - planned->shared_blocks) * block_sectors;
	to->parent = planned->parent < 0 ? -1 :
		     (long)plan->volumes[planned->parent].volume->details.dev_id;
	to->name = volume->name ? strdup(volume->name) : NULL;
	return to->name || !volume->name;
}

struct te_info *te_info_of_source(struct te_source *source)
{
	struct te_plan *plan = te_plan_create(source);
	struct te_info *info;
	size_t i;

	if (!plan)
		return NULL;
	info = te_info_create(plan->nr_volumes);
	if (!info)
		goto no_memory;
	info->block_sectors = source->block_sectors;
	info->nr_data_blocks = source->nr_data_blocks;
	info->transaction_id = source->transaction_id;
	info->provisioned_sectors = plan->provisioned_blocks * source->block_sectors;
	info->pool_name = source->pool_name ? strdup(source->pool_name) : NULL;
	if (source->pool_name && !info->pool_name)
		goto no_memory;
	for (i = 0; i < plan->nr_volumes; i++)
		if (!fill_volume(&info->volumes[i], plan, i))
			goto no_memory;
	te_plan_destroy(plan);
	return info;

no_memory:
	te_error("not enough memory");
	te_info_destroy(info);
	te_plan_destroy(plan);
	return NULL;
}
