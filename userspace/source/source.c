// SPDX-License-Identifier: GPL-2.0-or-later
/* A source's volumes: which are chosen, how long they are, what they are called. */
#include "source/source.h"

#include <stdio.h>

#include "base/say.h"
#include "base/words.h"

void te_source_close(struct te_source *source)
{
	if (source)
		source->ops->close(source);
}

struct te_volume *te_source_find(struct te_source *source, u32 dev_id)
{
	size_t low = 0, high = source->nr_volumes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (source->volumes[middle].details.dev_id < dev_id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < source->nr_volumes && source->volumes[low].details.dev_id == dev_id)
		return &source->volumes[low];
	return NULL;
}

static struct te_volume *find_wanted(struct te_source *source, const char *wanted)
{
	const char *rest;
	size_t i;
	u64 id;

	for (i = 0; i < source->nr_volumes; i++)
		if (source->volumes[i].name && !strcmp(source->volumes[i].name, wanted))
			return &source->volumes[i];
	if (te_parse_number(wanted, '\0', THIN_DEV_ID_MAX, &id, &rest))
		return te_source_find(source, (u32)id);
	return NULL;
}

void te_source_keep(struct te_source *source, const bool *chosen)
{
	size_t i, kept = 0;

	for (i = 0; i < source->nr_volumes; i++) {
		if (chosen[i])
			source->volumes[kept++] = source->volumes[i];
		else
			free(source->volumes[i].name);
	}
	source->nr_volumes = kept;
}

int te_source_choose(struct te_source *source, char *const *wanted, size_t nr_wanted)
{
	bool *chosen = calloc(source->nr_volumes + 1, sizeof(*chosen));
	size_t i;

	if (!chosen) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	for (i = 0; i < nr_wanted; i++) {
		struct te_volume *volume = find_wanted(source, wanted[i]);

		if (!volume) {
			te_error("%s has no volume %s", source->name, wanted[i]);
			free(chosen);
			return -EINVAL;
		}
		chosen[volume - source->volumes] = true;
	}
	te_source_keep(source, chosen);
	free(chosen);
	return 0;
}

/* The volume that "ID=..." names, and what stands behind the '='. */
static struct te_volume *find_assigned(struct te_source *source, const char *option,
				       const char *assignment, const char **value)
{
	struct te_volume *volume;
	u64 id;

	if (!te_parse_number(assignment, '=', THIN_DEV_ID_MAX, &id, value)) {
		te_error("%s %s: it must start with a device id and '='", option, assignment);
		return NULL;
	}
	++*value;
	volume = te_source_find(source, (u32)id);
	if (!volume)
		te_error("%s %s: %s has no such volume, or it was not chosen", option, assignment,
			 source->name);
	return volume;
}

int te_source_set_sizes(struct te_source *source, char *const *sizes, size_t nr_sizes)
{
	size_t i;

	for (i = 0; i < nr_sizes; i++) {
		const char *value, *rest;
		struct te_volume *volume;
		u64 sectors;

		volume = find_assigned(source, "--size", sizes[i], &value);
		if (!volume)
			return -EINVAL;
		/* 2^63 bytes is what a block device can be long. */
		if (!te_parse_number(value, '\0', 1ULL << 54, &sectors, &rest) || !sectors) {
			te_error("--size %s: the size must be a number of sectors", sizes[i]);
			return -EINVAL;
		}
		if (volume->size_from == TE_SIZE_FROM_TABLE && volume->virtual_sectors != sectors) {
			te_error("--size %s: the volume is known to be %llu sectors long", sizes[i],
				 (unsigned long long)volume->virtual_sectors);
			return -EINVAL;
		}
		if (volume->size_from == TE_SIZE_FROM_TABLE)
			continue;
		volume->virtual_sectors = sectors;
		volume->size_from = TE_SIZE_FROM_OPTION;
	}
	return 0;
}

int te_source_set_names(struct te_source *source, char *const *names, size_t nr_names)
{
	size_t i;

	for (i = 0; i < nr_names; i++) {
		struct te_volume *volume;
		const char *value;
		char *name;

		volume = find_assigned(source, "--name", names[i], &value);
		if (!volume)
			return -EINVAL;
		if (!*value) {
			te_error("--name %s: the name is empty", names[i]);
			return -EINVAL;
		}
		name = strdup(value);
		if (!name) {
			te_error("not enough memory");
			return -ENOMEM;
		}
		free(volume->name);
		volume->name = name;
	}
	return 0;
}
