// SPDX-License-Identifier: GPL-2.0-or-later
/* Another stripe for a passdown. */
#include "passdown/restripe.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/say.h"
#include "live/dm_table.h"
#include "live/lock.h"
#include "passdown/shim.h"
#include "passdown/shim_file.h"

#define MOST_BYTES	512		/* of a table's parameters */

static void append(char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char *text, const char *format, ...)
{
	size_t length = strlen(text);
	va_list values;

	va_start(values, format);
	vsnprintf(text + length, MOST_BYTES - length, format, values);
	va_end(values);
}

/* The features of a table, but for its stripe, and a unit of which the new one is no multiple. */
static unsigned int copy_features(char *words, u32 stripe_sectors, char features[MOST_BYTES])
{
	char *word, *value, *rest;
	unsigned int nr = 0;

	features[0] = '\0';
	for (word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		bool is_unit = !strcmp(word, TE_FEATURE_UNIT);

		if (!is_unit && strcmp(word, TE_FEATURE_STRIPE)) {
			append(features, " %s", word);
			nr++;
			continue;
		}
		value = strtok_r(NULL, " ", &rest);
		if (is_unit && value && atoi(value) > 0 && stripe_sectors % (u32)atoi(value) == 0) {
			append(features, " %s %s", word, value);
			nr += 2;
		}
	}
	return nr;
}

/* "<dev> <start> <#features> <feature>..." with another stripe. */
static int change_parameters(const char *from, u32 stripe_sectors, char to[MOST_BYTES])
{
	char copy[MOST_BYTES], features[MOST_BYTES], dev[32];
	unsigned long long start;
	int words = 0;
	unsigned int nr;

	snprintf(copy, sizeof(copy), "%s", from);
	if (sscanf(copy, "%31s %llu %*u %n", dev, &start, &words) != 2 || !words)
		return -EPROTO;
	nr = copy_features(copy + words, stripe_sectors, features);
	to[0] = '\0';
	append(to, "%s %llu %u " TE_FEATURE_STRIPE " %u%s", dev, start, nr + 2, stripe_sectors,
	       features);
	return 0;
}

static int load(const struct te_shim *shim, u32 stripe_sectors)
{
	char parameters[MOST_BYTES];
	struct te_dm_table table = { .sectors = shim->sectors, .target = TE_TARGET_PASSDOWN,
				     .parameters = parameters, .public = true };
	struct te_dm_target *targets;
	size_t nr;
	int err = te_dm_targets(&shim->dm, &targets, &nr);

	if (!err)
		err = nr == 1 ? change_parameters(targets[0].parameters, stripe_sectors,
						  parameters) : -ESTALE;
	if (!err)
		err = te_dm_reload(&shim->dm, &table);
	free(targets);
	if (err)
		te_error("%s cannot be given a stripe of %s: %s; the kernel's log may say more",
			 shim->dm.name, te_bytes((u64)stripe_sectors * 512), strerror(-err));
	return err;
}

/* As `passdown create` would have kept it. */
static int keep(const char *name, u32 given)
{
	struct te_shim_file file;
	int err;

	if (!te_shim_file_exists(name))
		return 0;
	err = te_shim_file_load(name, &file);
	if (err || file.stripe_sectors == given)
		return err;
	file.stripe_sectors = given;
	return te_shim_file_replace(&file);
}

static int check(const struct te_shim *shim)
{
	if (shim->guarded) {
		te_error("%s: its guard is on: a trim is at work, or was killed, and `thinexport cleanup` ends it",
			 shim->dm.name);
		return -EBUSY;
	}
	if (!shim->dm.suspended && !shim->dm.inactive_table)
		return 0;
	te_error("%s: somebody is about to change its table; wait for that, or see `dmsetup info %s`",
		 shim->dm.name, shim->dm.name);
	return -EBUSY;
}

static int restripe_locked(struct te_shim *shim, u32 given, struct te_stripe *stripe)
{
	int err = te_shim_refresh(shim);

	if (!err)
		err = check(shim);
	if (!err)
		err = te_stripe_settle(shim->below, shim->dm.name, given, stripe);
	if (!err && stripe->sectors != shim->stripe_sectors)
		err = load(shim, stripe->sectors);
	return err ? err : keep(shim->dm.name, given);
}

int te_shim_restripe(const char *name, u32 given, struct te_stripe *stripe)
{
	struct te_shim shim;
	int lock, err = te_shim_find(name, &shim);

	if (err)
		return err;
	memset(stripe, 0, sizeof(*stripe));
	lock = te_lock_pool(shim.dm.name);
	if (lock < 0)
		return lock;
	err = restripe_locked(&shim, given, stripe);
	te_unlock_pool(lock);
	return err;
}
