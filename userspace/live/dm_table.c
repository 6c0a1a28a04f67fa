// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole tables, all devices, and messages that are answered. */
#include "live/dm_table.h"

#include <stdio.h>
#include <sys/sysmacros.h>

#include "live/dm_task.h"

static int collect(struct dm_task *task, struct te_dm_target **targets, size_t *nr)
{
	char *type, *parameters;
	struct te_dm_target *more;
	uint64_t start, length;
	void *next = NULL;

	do {
		type = parameters = NULL;
		next = dm_get_next_target(task, next, &start, &length, &type, &parameters);
		if (!type)
			continue;
		more = realloc(*targets, (*nr + 1) * sizeof(*more));
		if (!more)
			return -ENOMEM;
		*targets = more;
		more += (*nr)++;
		more->start = start;
		more->sectors = length;
		snprintf(more->type, sizeof(more->type), "%s", type);
		snprintf(more->parameters, sizeof(more->parameters), "%s",
			 parameters ? parameters : "");
	} while (next);
	return 0;
}

int te_dm_targets(const struct te_dm_device *device, struct te_dm_target **targets, size_t *nr)
{
	struct dm_task *task = te_dm_task_on(DM_DEVICE_TABLE, device);
	int err = task ? te_dm_task_run(task) : -ENOMEM;

	*targets = NULL;
	*nr = 0;
	if (!err)
		err = collect(task, targets, nr);
	if (task)
		dm_task_destroy(task);
	if (err) {
		free(*targets);
		*targets = NULL;
		*nr = 0;
	}
	return err;
}

static int visit(const struct dm_names *names,
		 int (*each)(void *context, const struct te_dm_device *device), void *context)
{
	struct te_dm_device device;
	int stop;

	if (!names || !names->dev)
		return 0;
	for (;; names = (const void *)((const char *)names + names->next)) {
		stop = te_dm_find_number(major(names->dev), minor(names->dev), &device);
		if (!stop)
			stop = each(context, &device);
		else if (stop == -ENXIO)
			/* One that is gone since the list was made is none. */
			stop = 0;
		if (stop || !names->next)
			return stop;
	}
}

int te_dm_each(int (*each)(void *context, const struct te_dm_device *device), void *context)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_LIST);
	int err = task ? te_dm_task_run(task) : -ENOMEM;

	if (!err)
		err = visit(dm_task_get_names(task), each, context);
	if (task)
		dm_task_destroy(task);
	return err;
}

int te_dm_message(const struct te_dm_device *device, const char *message, char *answer,
		  size_t bytes)
{
	struct dm_task *task = te_dm_task_on(DM_DEVICE_TARGET_MSG, device);
	const char *answered = NULL;
	int err = -ENOMEM;

	if (!task)
		return err;
	if (dm_task_set_sector(task, 0) && dm_task_set_message(task, message))
		err = te_dm_task_run(task);
	if (!err)
		answered = dm_task_get_message_response(task);
	snprintf(answer, bytes, "%s", answered ? answered : "");
	dm_task_destroy(task);
	return err;
}

int te_dm_remove_later(const struct te_dm_device *device)
{
	struct dm_task *task = te_dm_task_on(DM_DEVICE_REMOVE, device);
	int err = -ENOMEM;

	if (!task)
		return err;
	if (dm_task_deferred_remove(task))
		err = te_dm_task_run(task);
	dm_task_destroy(task);
	return err;
}
