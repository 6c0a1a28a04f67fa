// SPDX-License-Identifier: GPL-2.0-or-later
/* Making a passdown, now and at each boot, and taking it away. */
#include "passdown/create.h"

#include <stdio.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "live/dm_table.h"
#include "live/lock.h"
#include "passdown/layer.h"
#include "passdown/shim.h"

#define SUFFIX		"-passdown"
#define TRIES_A_SECOND	5		/* while a device is waited for */

static int check_target(void)
{
	if (te_dm_has_target(TE_TARGET_PASSDOWN))
		return 0;
	te_error("the kernel has no target '%s'; load the module dm-thinexport",
		 TE_TARGET_PASSDOWN);
	return -ENOENT;
}

static void wait_a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000000 / TRIES_A_SECOND }, NULL);
}

/* "/dev/md/data" becomes "data-passdown". */
static int choose_name(const struct te_shim_wish *wish, char name[TE_DM_NAME_BYTES])
{
	const char *base = strrchr(wish->path, '/');
	size_t length;

	if (wish->name)
		length = (size_t)snprintf(name, TE_DM_NAME_BYTES, "%s", wish->name);
	else
		length = (size_t)snprintf(name, TE_DM_NAME_BYTES, "%s%s",
					  base ? base + 1 : wish->path, SUFFIX);
	if (length && length < TE_DM_NAME_BYTES && !strchr(name, '/') && name[0] != '.' &&
	    name[strcspn(name, " \t\n")] == '\0')
		return 0;
	te_error("'%s' cannot be the name of a device", name);
	return -EINVAL;
}

static int check_name(const char *name)
{
	struct te_dm_device device;
	int err = te_dm_find(name, &device);

	if (!err) {
		te_error("there is a device /dev/mapper/%s already; choose another name", name);
		return -EEXIST;
	}
	if (err != -ENXIO) {
		te_error("/dev/mapper/%s: cannot be looked up: %s", name, strerror(-err));
		return err;
	}
	return 0;
}

/* The device, alone on what it lies on; what fails leaves none. */
static int make(const char *path, const struct te_layer *layer, const struct te_shim_file *file,
		u32 stripe_sectors)
{
	char parameters[160], uuid[TE_DM_UUID_BYTES], node[64 + TE_DM_NAME_BYTES];
	struct te_dm_table table = { .sectors = layer->sectors, .target = TE_TARGET_PASSDOWN,
				     .parameters = parameters, .public = true };
	struct te_dm_device device;
	int err;

	snprintf(uuid, sizeof(uuid), "%s%s", TE_SHIM_UUID_PREFIX, file->device);
	snprintf(parameters, sizeof(parameters), "%u:%u 0 %u " TE_FEATURE_STRIPE " %u%s%s",
		 major(layer->dev), minor(layer->dev),
		 2 + file->auto_pass + file->zero_fill, stripe_sectors,
		 file->auto_pass ? " " TE_FEATURE_AUTO : "",
		 file->zero_fill ? " " TE_FEATURE_ZERO_FILL : "");
	err = te_dm_create(file->name, uuid, &table, &device);
	if (err) {
		te_error("%s: the passdown cannot be made: %s; the kernel's log may say more",
			 path, strerror(-err));
		return err;
	}
	err = te_layer_alone(path, layer, file->name);
	if (err)
		te_dm_remove_uuid(uuid);
	else
		te_dm_wait_node(&device, node, sizeof(node));
	return err;
}

/* What it may be called for good, or at least until the next boot. */
static int identify(const struct te_shim_wish *wish, dev_t dev, struct te_shim_file *file)
{
	if (te_identity_of(dev, file->device))
		return 0;
	if (wish->once) {
		snprintf(file->device, sizeof(file->device), "%u:%u", major(dev), minor(dev));
		return 0;
	}
	te_error("%s has nothing by which it could be known at the next boot (no uuid, no link in /dev/disk/by-id): make the passdown with --once, each time",
		 wish->path);
	return -ENODEV;
}

int te_shim_create(const struct te_shim_wish *wish, char name[TE_DM_NAME_BYTES],
		   struct te_stripe *stripe)
{
	struct te_shim_file file = { .stripe_sectors = wish->stripe_sectors,
				     .auto_pass = wish->auto_pass, .zero_fill = wish->zero_fill };
	struct te_layer layer;
	int err = choose_name(wish, file.name);

	if (!err)
		err = check_target();
	if (!err)
		err = check_name(file.name);
	if (!err && te_shim_file_exists(file.name)) {
		te_error("a passdown %s is kept in %s already: `thinexport passdown start %s` makes it, `thinexport passdown remove %s` forgets it",
			 file.name, TE_SHIM_FOLDER, file.name, file.name);
		err = -EEXIST;
	}
	if (!err)
		err = te_layer_free(wish->path, &layer);
	if (!err)
		err = te_stripe_settle(layer.dev, wish->path, wish->stripe_sectors, stripe);
	if (!err)
		err = identify(wish, layer.dev, &file);
	if (!err)
		err = make(wish->path, &layer, &file, stripe->sectors);
	if (err)
		return err;
	memcpy(name, file.name, TE_DM_NAME_BYTES);
	if (wish->once)
		return 0;
	err = te_shim_file_save(&file);
	if (err) {
		char uuid[TE_DM_UUID_BYTES];

		snprintf(uuid, sizeof(uuid), "%s%s", TE_SHIM_UUID_PREFIX, file.device);
		te_dm_remove_uuid(uuid);
	}
	return err;
}

/* Those that are kept, and are to be made. */
struct kept {
	struct te_shim_file file;
	bool settled;			/* made, or told why not */
};

struct starting {
	const char *wanted;
	struct kept *kept;
	size_t nr;
	size_t nr_made;
	int err;
};

static int add_kept(void *context, const struct te_shim_file *file)
{
	struct starting *starting = context;
	struct kept *more;

	if (starting->wanted && strcmp(starting->wanted, file->name))
		return 0;
	more = realloc(starting->kept, (starting->nr + 1) * sizeof(*more));
	if (!more)
		return -ENOMEM;
	starting->kept = more;
	more[starting->nr++] = (struct kept) { .file = *file };
	return 0;
}

static int start_on(const struct te_shim_file *file, dev_t dev)
{
	struct te_stripe stripe;
	struct te_layer layer;
	char path[64];
	int err;

	if (te_block_path(major(dev), minor(dev), path, sizeof(path))) {
		te_error("%s: %s has no node below /dev", file->name, file->device);
		return -ENODEV;
	}
	err = te_layer_free(path, &layer);
	if (!err)
		err = te_stripe_settle(layer.dev, path, file->stripe_sectors, &stripe);
	return err ? err : make(path, &layer, file, stripe.sectors);
}

/* 1: it is there already; 0: nothing of its name is; -errno after one sentence. */
static int is_there(const struct te_shim_file *file)
{
	struct te_dm_device device;
	struct te_shim shim;
	int err = te_dm_find(file->name, &device);

	if (err == -ENXIO)
		return 0;
	if (!err && te_shim_read(&device, &shim) > 0)
		return 1;
	te_error("/dev/mapper/%s is there, and is no passdown: remove it, then `thinexport passdown start %s`",
		 file->name, file->name);
	return -EEXIST;
}

/* False: its device is not there yet, or not ready, and there is time to wait. */
static bool start_one(struct starting *starting, const struct te_shim_file *file, bool last)
{
	int err = is_there(file);
	bool found;
	dev_t dev;

	if (err > 0)
		return true;
	found = te_identity_find(file->device, &dev);
	if (!err && !last && (!found || !te_layer_ready(dev)))
		return false;
	if (!err && !found) {
		te_error("%s: its device, %s, is not there", file->name, file->device);
		err = -ENODEV;
	}
	if (!err)
		err = start_on(file, dev);
	if (err)
		starting->err = err;
	else
		starting->nr_made++;
	return true;
}

static void start_all(struct starting *starting, unsigned int tries)
{
	bool last, missing;
	size_t i;

	do {
		last = !tries || te_interrupted();
		missing = false;
		for (i = 0; i < starting->nr; i++) {
			struct kept *kept = &starting->kept[i];

			kept->settled = kept->settled || start_one(starting, &kept->file, last);
			missing = missing || !kept->settled;
		}
		if (missing)
			wait_a_moment();
	} while (missing && tries--);
}

int te_shim_start(const char *name, unsigned int wait_seconds, size_t *nr)
{
	struct starting starting = { .wanted = name };
	int err = check_target();

	if (!err) {
		/* A file that cannot be read does not keep the others from it. */
		err = te_shim_file_each(add_kept, &starting);
		start_all(&starting, wait_seconds * TRIES_A_SECOND);
	}
	if (!err && name && !starting.nr) {
		te_error("no passdown %s is kept in %s", name, TE_SHIM_FOLDER);
		err = -ENOENT;
	}
	free(starting.kept);
	*nr = starting.nr_made;
	return err ? err : starting.err;
}

/* udev looks for a moment at what was just closed. */
static bool stays_in_use(struct te_shim *shim)
{
	int tries;

	for (tries = TRIES_A_SECOND; shim->dm.open_count > 0 && tries; tries--) {
		wait_a_moment();
		if (te_shim_refresh(shim))
			break;
	}
	return shim->dm.open_count > 0;
}

static int remove_device(struct te_shim *shim)
{
	int err;

	if (strncmp(shim->dm.uuid, TE_SHIM_UUID_PREFIX, strlen(TE_SHIM_UUID_PREFIX))) {
		te_error("%s was not made by `thinexport passdown create`; `dmsetup remove %s` removes it",
			 shim->dm.name, shim->dm.name);
		return -EPERM;
	}
	if (stays_in_use(shim)) {
		te_error("%s is in use: deactivate what lies on it first (see `lsblk /dev/mapper/%s`)",
			 shim->dm.name, shim->dm.name);
		return -EBUSY;
	}
	err = te_dm_remove_uuid(shim->dm.uuid);
	if (err)
		te_error("%s cannot be removed: %s", shim->dm.name, strerror(-err));
	return err;
}

static int remove_locked(const char *name)
{
	struct te_dm_device device;
	struct te_shim shim;
	int err = te_dm_find(name, &device);

	if (err == -ENXIO && te_shim_file_exists(name))
		return te_shim_file_drop(name);
	err = te_shim_find(name, &shim);
	if (!err)
		err = remove_device(&shim);
	return err ? err : te_shim_file_drop(shim.dm.name);
}

int te_shim_remove(const char *name)
{
	int lock = te_lock_pool(name), err;

	if (lock < 0)
		return lock;
	err = remove_locked(name);
	te_unlock_pool(lock);
	return err;
}
