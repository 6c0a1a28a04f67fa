// SPDX-License-Identifier: GPL-2.0-or-later
/* Volumes for a pool of LVM's that is there, from a stream. */
#include "lvm/lvm_into.h"

#include <stdio.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "build/build.h"
#include "live/lock.h"
#include "lvm/lvm_change.h"
#include "lvm/lvm_left.h"
#include "lvm/lvm_lock.h"

#define SECTOR_BYTES	512u
#define MOST_WORDS	24u		/* of a command, but for tags and volumes */

/* A volume of the stream. */
struct volume {
	const struct te_lvm_lv *lv;	/* as it is to be; NULL: it goes again at the end */
	char name[TE_LVM_NAME_BYTES];
	char device[TE_LVM_PATH_BYTES + 8];
	u64 sectors;			/* in whole extents; 0: it is not made */
};

struct te_lvm_into {
	const struct te_lvm_new_options *options;
	struct te_lvm *lvm;
	struct te_lvm_shape shape;
	struct te_lvm_room room;
	struct te_target target;	/* the pool, as te_room tells of it */
	struct volume *volumes;		/* by section */
	size_t nr_volumes;
	int lock;			/* of the pool's name */
	bool begun;
	bool done;
};

static const char *path_of(const struct te_lvm_into *into)
{
	return into->options->path;
}

static const char *group_of(const struct te_lvm_into *into)
{
	return into->lvm->group.name;
}

/* LVM would wait for its lock without end. */
static int change(struct te_lvm_into *into, const char *const argv[], const char *what)
{
	int err = te_lvm_wait(group_of(into), path_of(into));

	return err ? err : te_lvm_change(argv, into->lock, what, path_of(into));
}

static u64 whole_extents(const struct te_lvm_into *into, u64 sectors)
{
	u64 extent = into->lvm->group.extent_sectors;

	return DIV_ROUND_UP(sectors, extent) * extent;
}

static bool has_tag(const struct te_lvm_lv *lv, const char *tag)
{
	size_t i;

	for (i = 0; i < lv->tags.nr; i++)
		if (!strcmp(lv->tags.strings[i], tag))
			return true;
	return false;
}

static int check_is_pool(const struct te_lvm_into *into)
{
	const char *name = strchr(path_of(into), '/') + 1;
	const struct te_lvm_lv *lv = te_lvm_group_find(&into->lvm->group, name);

	if (!lv) {
		te_error("volume group %s has no pool %s; without --into a new one is made",
			 group_of(into), name);
		return -ENOENT;
	}
	if (lv->kind != TE_LVM_POOL) {
		te_error("%s is no thin pool: it is of type %s", path_of(into),
			 lv->segtype ? lv->segtype : "unknown");
		return -EINVAL;
	}
	if (lv->read_only) {
		te_error("%s is read-only: `lvchange -prw %s` changes that", path_of(into),
			 path_of(into));
		return -EROFS;
	}
	return 0;
}

/* Of the pool: nobody else has left anything in it that must be removed or finished first. */
static int check_left(const struct te_lvm_into *into)
{
	size_t i;

	for (i = 0; i < into->lvm->nr_volumes; i++) {
		const struct te_lvm_lv *lv = into->lvm->volumes[i];

		if (!has_tag(lv, TE_LVM_NEW_TAG))
			continue;
		te_error("%s: an interrupted receive has left %s/%s: `thinexport cleanup %s` removes it",
			 path_of(into), group_of(into), lv->name, path_of(into));
		return -EEXIST;
	}
	return 0;
}

static int check_active(struct te_lvm_into *into)
{
	u64 data, metadata, lvm_id = into->lvm->pool->transaction_id, pool_id;
	int err = te_lvm_find_active(into->lvm, &into->room.pool);

	if (err == -ENXIO)
		te_error("%s is not active here: `lvchange -ay %s` activates it", path_of(into),
			 path_of(into));
	if (!err)
		err = te_lvm_room_begin(&into->room, into->lvm);
	if (!err)
		err = te_lvm_room_look(&into->room, &data, &metadata);
	if (err)
		return err;
	pool_id = into->room.pool.transaction_id;
	if (lvm_id == pool_id)
		return 0;
	te_error("%s: LVM has transaction id %llu, the pool %llu: one was changed behind the other's back, and LVM makes no volumes in it",
		 path_of(into), (unsigned long long)lvm_id, (unsigned long long)pool_id);
	return -ESTALE;
}

static int open_pool(struct te_lvm_into *into)
{
	char dm_name[TE_DM_NAME_BYTES];
	int err = te_dm_start();

	if (!err)
		err = te_lvm_check_locks(path_of(into));
	if (err)
		return err;
	te_lvm_dm_name(path_of(into), dm_name);
	into->lock = te_lock_pool(dm_name);
	if (into->lock < 0)
		return into->lock;
	err = te_lvm_ask_to_change(&into->lvm->group, path_of(into));
	if (!err)
		err = check_is_pool(into);
	if (!err)
		err = te_lvm_resolve(into->lvm);
	if (!err)
		err = check_left(into);
	if (!err)
		err = check_active(into);
	return err ? err : te_lvm_shape_begin_into(&into->shape, into->options,
						   &into->lvm->group);
}

struct te_lvm_into *te_lvm_into_open(const struct te_lvm_new_options *options)
{
	struct te_lvm_into *into = te_alloc(sizeof(*into));
	int err = -ENOMEM;

	if (into) {
		*into = (struct te_lvm_into) { .options = options, .lock = -1 };
		into->lvm = te_alloc(sizeof(*into->lvm));
	}
	if (into && into->lvm)
		into->lvm->names = te_alloc(sizeof(*into->lvm->names));
	if (into && into->lvm && into->lvm->names) {
		into->lvm->names[0] = options->path;
		into->lvm->nr_names = 1;
		err = open_pool(into);
	} else {
		te_error("not enough memory");
	}
	if (!err)
		return into;
	te_lvm_into_close(into);
	return NULL;
}

static int check_stream(const struct te_lvm_into *into, const struct te_catalog *catalog,
			const struct te_choice *choice)
{
	u32 sectors = into->room.pool.block_sectors;
	size_t i;

	if (catalog->block_sectors != sectors) {
		te_error("%s has chunks of %s, the stream's pool %s: blocks of one cannot be shared in the other; a new pool (without --into) takes it",
			 path_of(into), te_bytes(sectors * (u64)SECTOR_BYTES),
			 te_bytes(catalog->block_sectors * (u64)SECTOR_BYTES));
		return -EINVAL;
	}
	for (i = 0; i < choice->nr_volumes; i++) {
		if (!choice->settled[i].new_id)
			continue;
		te_error("--rename: LVM counts the device ids of %s by itself; give volume %u a name",
			 path_of(into), choice->settled[i].stream_dev_id);
		return -EINVAL;
	}
	return 0;
}

/* Names and devices of all that may be made. */
static int name_volumes(struct te_lvm_into *into, const struct te_choice *choice)
{
	const struct te_lvm_lv *lv = into->shape.volumes;
	size_t i;

	into->volumes = te_alloc(choice->nr_volumes * sizeof(*into->volumes));
	if (!into->volumes) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	into->nr_volumes = choice->nr_volumes;
	for (i = 0; i < choice->nr_volumes; i++) {
		struct volume *volume = &into->volumes[i];

		if (choice->settled[i].use == TE_CHOICE_WANTED)
			volume->lv = lv++;
		if (volume->lv)
			snprintf(volume->name, sizeof(volume->name), "%s", volume->lv->name);
		else
			snprintf(volume->name, sizeof(volume->name), "%s" TE_LVM_NEW_MARK "%u",
				 into->shape.name, choice->settled[i].stream_dev_id);
		snprintf(volume->device, sizeof(volume->device), "/dev/%s/%s", group_of(into),
			 volume->name);
	}
	return 0;
}

/* Blocks by which dmeventd may extend the pool, for all we know. */
static u64 extension(const struct te_lvm_into *into)
{
	const struct te_lvm_group *group = &into->lvm->group;

	return into->room.extends ? group->free_extents * group->extent_sectors /
				    into->room.pool.block_sectors : 0;
}

int te_lvm_into_measure(struct te_lvm_into *into, const struct te_begin *begin,
			const struct te_catalog *catalog, const struct te_choice *choice,
			struct te_room *room)
{
	u64 data, metadata;
	int err = check_stream(into, catalog, choice);

	if (!err)
		err = te_lvm_shape_fill_into(&into->shape, catalog, choice);
	if (!err)
		err = name_volumes(into, choice);
	if (!err)
		err = te_lvm_room_look(&into->room, &data, &metadata);
	if (err)
		return err;
	data += extension(into);
	into->target.data.path = into->target.metadata.path = path_of(into);
	into->target.data.bytes = data * into->room.pool.block_sectors * SECTOR_BYTES;
	into->target.metadata.bytes = metadata * THIN_METADATA_BLOCK_BYTES;
	te_room_measure(room, &into->target, begin, choice);
	room->kind = " free";
	/* Of what it would be in a pool of its own, the nodes alone. */
	room->metadata_least = te_build_estimate(1, 1, choice->nr_wanted, room->data_least);
	return 0;
}

/* "1234s", as LVM takes sizes. */
static void size_word(char word[32], u64 sectors)
{
	snprintf(word, 32, "%llus", (unsigned long long)sectors);
}

static size_t add_tags(const char **argv, size_t nr, const struct te_lvm_strings *tags)
{
	size_t i;

	for (i = 0; i < tags->nr; i++) {
		argv[nr++] = "--addtag";
		argv[nr++] = tags->strings[i];
	}
	return nr;
}

/* Behind the words of how: what all volumes have that are being made. */
static size_t add_common(const char **argv, size_t nr, const struct volume *volume)
{
	static const char *const common[] = {
		"--setactivationskip", "y", "--ignoreactivationskip", "--activate", "y",
		"--addtag", TE_LVM_NEW_TAG, "--name",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(common); i++)
		argv[nr++] = common[i];
	argv[nr++] = volume->name;
	return volume->lv ? add_tags(argv, nr, &volume->lv->tags) : nr;
}

int te_lvm_into_make(struct te_lvm_into *into, size_t index, size_t parent, u64 sectors)
{
	struct volume *volume = &into->volumes[index];
	size_t nr_tags = volume->lv ? volume->lv->tags.nr : 0, nr = 0;
	const char **argv = te_alloc((MOST_WORDS + 2 * nr_tags) * sizeof(*argv));
	char size[32], origin[TE_LVM_PATH_BYTES];
	int err;

	sectors = whole_extents(into, sectors ? sectors : 1);
	if (!argv) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	argv[nr++] = "lvm";
	argv[nr++] = "lvcreate";
	argv[nr++] = "--yes";
	if (parent == TE_LVM_NO_PARENT) {
		size_word(size, sectors);
		argv[nr++] = "--wipesignatures";
		argv[nr++] = "n";
		argv[nr++] = "--type";
		argv[nr++] = "thin";
		argv[nr++] = "--virtualsize";
		argv[nr++] = size;
		argv[nr++] = "--thinpool";
		argv[nr++] = into->shape.name;
		nr = add_common(argv, nr, volume);
		argv[nr++] = group_of(into);
	} else {
		snprintf(origin, sizeof(origin), "%s/%s", group_of(into),
			 into->volumes[parent].name);
		argv[nr++] = "--snapshot";
		nr = add_common(argv, nr, volume);
		argv[nr++] = origin;
	}
	into->begun = true;
	err = change(into, argv, "make a volume in it");
	te_free(argv);
	if (err)
		return err;
	volume->sectors = parent == TE_LVM_NO_PARENT ? sectors : into->volumes[parent].sectors;
	return volume->sectors < sectors ? te_lvm_into_resize(into, index, sectors) : 0;
}

static int resize(struct te_lvm_into *into, struct volume *volume, u64 sectors)
{
	bool longer = sectors > volume->sectors;
	char size[32], path[TE_LVM_PATH_BYTES];
	const char *argv[] = { "lvm", longer ? "lvextend" : "lvreduce", "--yes", "--size", size,
			       path, longer ? NULL : "--force", NULL };
	int err;

	size_word(size, sectors);
	snprintf(path, sizeof(path), "%s/%s", group_of(into), volume->name);
	err = change(into, argv, longer ? "make a volume longer" : "make a volume shorter");
	if (!err)
		volume->sectors = sectors;
	return err;
}

int te_lvm_into_resize(struct te_lvm_into *into, size_t index, u64 sectors)
{
	return resize(into, &into->volumes[index], whole_extents(into, sectors));
}

u64 te_lvm_into_sectors(const struct te_lvm_into *into, size_t index)
{
	return into->volumes[index].sectors;
}

const char *te_lvm_into_path(const struct te_lvm_into *into, size_t index)
{
	return into->volumes[index].device;
}

struct te_lvm_room *te_lvm_into_room(struct te_lvm_into *into)
{
	return &into->room;
}

static bool goes_again(const struct volume *volume)
{
	return !volume->lv;
}

static bool is_read_only(const struct volume *volume)
{
	return volume->lv && volume->lv->read_only;
}

static bool skips(const struct volume *volume)
{
	return volume->lv && volume->lv->skip_activation;
}

static bool skips_not(const struct volume *volume)
{
	return volume->lv && !volume->lv->skip_activation;
}

/* The command, with all volumes that it is for; none when there are none. */
static int change_those(struct te_lvm_into *into, const char *const *words,
			bool (*is_meant)(const struct volume *volume), const char *what)
{
	const char **argv = te_alloc((MOST_WORDS + into->nr_volumes) * sizeof(*argv));
	char (*paths)[TE_LVM_PATH_BYTES] = te_alloc(into->nr_volumes * sizeof(*paths));
	size_t nr = 0, nr_words, i;
	int err = -ENOMEM;

	if (argv && paths) {
		while (words[nr]) {
			argv[nr] = words[nr];
			nr++;
		}
		nr_words = nr;
		for (i = 0; i < into->nr_volumes; i++) {
			if (!into->volumes[i].sectors || !is_meant(&into->volumes[i]))
				continue;
			snprintf(paths[i], sizeof(paths[i]), "%s/%s", group_of(into),
				 into->volumes[i].name);
			argv[nr++] = paths[i];
		}
		err = nr == nr_words ? 0 : change(into, argv, what);
	} else {
		te_error("not enough memory");
	}
	te_free(paths);
	te_free(argv);
	return err;
}

/* Sizes: they were made so long that whole blocks fit, and no shorter than their parents. */
static int shorten(struct te_lvm_into *into)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < into->nr_volumes; i++) {
		struct volume *volume = &into->volumes[i];
		u64 sectors = volume->lv ? whole_extents(into, volume->lv->sectors) : 0;

		if (sectors && sectors < volume->sectors)
			err = resize(into, volume, sectors);
	}
	return err;
}

static int shape_volumes(struct te_lvm_into *into)
{
	static const char *const remove[] = { "lvm", "lvremove", "--yes", "--force", NULL };
	static const char *const freeze[] = { "lvm", "lvchange", "--permission", "r", NULL };
	static const char *const stop[] = { "lvm", "lvchange", "--activate", "n", NULL };
	static const char *const show[] = { "lvm", "lvchange", "--setactivationskip", "n", NULL };
	int err = change_those(into, remove, goes_again, "remove what is not wanted of it");

	if (!err)
		err = shorten(into);
	if (!err)
		err = change_those(into, freeze, is_read_only, "make volumes read-only");
	if (!err)
		err = change_those(into, stop, skips, "deactivate volumes");
	if (!err)
		err = change_those(into, show, skips_not, "let volumes be activated");
	return err;
}

/* The moment from which all of them are there. */
static int say_arrived(struct te_lvm_into *into)
{
	char path[TE_LVM_PATH_BYTES];
	const char *argv[] = { "lvm", "lvchange", "--addtag", TE_LVM_ARRIVED_TAG, path, NULL };

	snprintf(path, sizeof(path), "%s/%s", group_of(into), into->shape.volumes[0].name);
	return change(into, argv, "note that all has arrived");
}

int te_lvm_into_finish(struct te_lvm_into *into)
{
	struct te_lvm_left left = { .path = path_of(into) };
	int err = 0;

	if (into->shape.nr_volumes)
		err = shape_volumes(into);
	if (!err && te_interrupted())
		err = -EINTR;
	if (!err && into->shape.nr_volumes)
		err = say_arrived(into);
	if (err)
		return err;
	into->done = true;
	err = te_lvm_left_remove_locked(&left);
	if (err)
		te_note("%s: all has arrived; `thinexport cleanup %s` takes the tags of receiving away",
			path_of(into), path_of(into));
	return err;
}

static void undo(struct te_lvm_into *into)
{
	struct te_lvm_left left = { .path = path_of(into) };

	if (te_lvm_left_remove_locked(&left))
		te_note("%s: `thinexport cleanup %s` removes what is left", path_of(into),
			path_of(into));
}

void te_lvm_into_close(struct te_lvm_into *into)
{
	if (!into)
		return;
	if (into->begun && !into->done)
		undo(into);
	te_lvm_shape_exit(&into->shape);
	te_lvm_close(into->lvm);
	te_free(into->volumes);
	if (into->lock >= 0)
		te_unlock_pool(into->lock);
	te_free(into);
}
