// SPDX-License-Identifier: GPL-2.0-or-later
/* What lies between a pool's data device and what takes its discards. */
#include "passdown/stack.h"

#include <stdio.h>

#include "base/say.h"
#include "live/dm_table.h"
#include "passdown/sysfs.h"

#define MOST_LAYERS	16

/* A range of a device, and the part of the pool's data that lies there. */
struct range {
	dev_t dev;
	u64 start;			/* on dev */
	u64 sectors;
	u64 pool_start;
	unsigned int layers;
};

static int add_piece(struct te_stack *stack, const struct range *range, long shim)
{
	struct te_piece *more = realloc(stack->pieces,
					(stack->nr_pieces + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	stack->pieces = more;
	more[stack->nr_pieces++] = (struct te_piece) {
		.start = range->pool_start,
		.sectors = range->sectors,
		.shim = shim,
		.below = range->start,
	};
	return 0;
}

static int add_shim(struct te_stack *stack, const struct te_shim *shim)
{
	struct te_shim *more;
	size_t i;

	for (i = 0; i < stack->nr_shims; i++)
		if (te_shim_dev(&stack->shims[i]) == te_shim_dev(shim))
			return (int)i;
	more = realloc(stack->shims, (stack->nr_shims + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	stack->shims = more;
	more[stack->nr_shims] = *shim;
	return (int)stack->nr_shims++;
}

static int descend(struct te_stack *stack, const struct range *range);

/* The part of the range that lies in this target. */
static int descend_target(struct te_stack *stack, const struct range *range,
			  const struct te_dm_device *device, const struct te_dm_target *target)
{
	u64 end = range->start + range->sectors, target_end = target->start + target->sectors;
	unsigned int major_number, minor_number;
	unsigned long long sector;
	struct range part = *range;

	if (target->start >= end || target_end <= range->start)
		return 0;
	if (part.start < target->start)
		part.start = target->start;
	part.pool_start += part.start - range->start;
	part.sectors = (end < target_end ? end : target_end) - part.start;
	if (!strcmp(target->type, "linear") &&
	    sscanf(target->parameters, "%u:%u %llu", &major_number, &minor_number, &sector) == 3) {
		part.dev = makedev(major_number, minor_number);
		part.start = part.start - target->start + sector;
		part.layers++;
		return descend(stack, &part);
	}
	snprintf(stack->barrier, sizeof(stack->barrier), "%.20s (%.36s)", target->type,
		 device->name);
	return add_piece(stack, &part, -1);
}

static int descend_device(struct te_stack *stack, const struct range *range,
			  const struct te_dm_device *device)
{
	struct te_dm_target *targets;
	struct te_shim shim;
	size_t nr, i;
	int index, err = te_shim_read(device, &shim);

	if (err > 0) {
		index = add_shim(stack, &shim);
		return index < 0 ? index : add_piece(stack, range, index);
	}
	if (!err)
		err = te_dm_targets(device, &targets, &nr);
	if (err)
		return err;
	for (i = 0; !err && i < nr; i++)
		err = descend_target(stack, range, device, &targets[i]);
	free(targets);
	return err;
}

static int descend(struct te_stack *stack, const struct range *range)
{
	struct te_dm_device device;
	char name[8];

	if (range->layers > MOST_LAYERS)
		return -ELOOP;
	if (te_sysfs_line(range->dev, "dm/name", name, sizeof(name)) &&
	    !te_dm_find_number(major(range->dev), minor(range->dev), &device))
		return descend_device(stack, range, &device);
	te_sysfs_name(range->dev, stack->barrier, sizeof(stack->barrier));
	return add_piece(stack, range, -1);
}

static int by_place(const void *a, const void *b)
{
	const struct te_piece *x = a, *y = b;

	if (x->shim != y->shim)
		return x->shim < y->shim ? -1 : 1;
	return x->below < y->below ? -1 : x->below > y->below;
}

int te_stack_read(const struct te_pool *pool, struct te_stack *stack)
{
	struct range all = { .dev = makedev(pool->data_major, pool->data_minor),
			     .sectors = pool->nr_data_blocks * pool->block_sectors };
	int err;

	/* It does not tell its blocks any more. */
	if (pool->mode == TE_POOL_FAIL)
		all.sectors = pool->sectors;
	memset(stack, 0, sizeof(*stack));
	err = descend(stack, &all);
	if (err) {
		te_error("%s: what its data lies on cannot be found out: %s", pool->dm.name,
			 strerror(-err));
		te_stack_exit(stack);
		return err;
	}
	if (stack->nr_pieces)
		qsort(stack->pieces, stack->nr_pieces, sizeof(*stack->pieces), by_place);
	return 0;
}

void te_stack_exit(struct te_stack *stack)
{
	free(stack->pieces);
	free(stack->shims);
	memset(stack, 0, sizeof(*stack));
}

bool te_stack_same(const struct te_stack *a, const struct te_stack *b)
{
	size_t i;

	if (a->nr_pieces != b->nr_pieces || a->nr_shims != b->nr_shims)
		return false;
	for (i = 0; i < a->nr_pieces; i++)
		if (memcmp(&a->pieces[i], &b->pieces[i], sizeof(a->pieces[i])))
			return false;
	for (i = 0; i < a->nr_shims; i++)
		if (te_shim_dev(&a->shims[i]) != te_shim_dev(&b->shims[i]) ||
		    a->shims[i].below != b->shims[i].below ||
		    a->shims[i].stripe_sectors != b->shims[i].stripe_sectors ||
		    strcmp(a->shims[i].dm.name, b->shims[i].dm.name))
			return false;
	return true;
}
