// SPDX-License-Identifier: GPL-2.0-or-later
/* A new pool in a volume group, from a stream. */
#include "lvm/lvm_new.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/say.h"
#include "live/lock.h"
#include "live/record.h"
#include "lvm/lvm.h"
#include "lvm/lvm_ask.h"
#include "lvm/lvm_change.h"
#include "lvm/lvm_left.h"
#include "lvm/lvm_lock.h"
#include "lvm/lvm_text.h"
#include "receive/room.h"

#define SECTOR_BYTES	512u

struct te_lvm_new {
	const struct te_lvm_new_options *options;
	struct te_lvm_group group;
	struct te_lvm_shape shape;
	char *devices[2];		/* paths of the data and metadata volumes */
	int lock;			/* of the pool's name, as for one that is there */
	bool begun;			/* there may be something of it in the group */
	bool done;
};

static const char *path_of(const struct te_lvm_new *new)
{
	return new->options->path;
}

static int make_part(struct te_lvm_new *new, enum te_lvm_part part)
{
	const struct te_lvm_shape *shape = &new->shape;
	char extents[24];
	const char *argv[] = {
		"lvm", "lvcreate", "--yes", "--wipesignatures", "y", "--zero", "y",
		/* After a crash nothing may take the volumes' contents for its own. */
		"--setactivationskip", "y", "--ignoreactivationskip", "--activate", "y",
		"--addtag", TE_LVM_NEW_TAG, "--extents", extents, "--name", shape->parts[part],
		new->group.name, NULL,
	};

	snprintf(extents, sizeof(extents), "%llu", (unsigned long long)shape->extents[part]);
	new->begun = true;
	return te_lvm_change(argv, new->lock, "make a volume for it", path_of(new));
}

static int make_parts(struct te_lvm_new *new)
{
	/* LVM would wait for its lock without end. */
	int part, err = te_lvm_wait(new->group.name, path_of(new));

	for (part = 0; !err && part < TE_LVM_NR_PARTS; part++)
		if (new->shape.extents[part])
			err = make_part(new, part);
	for (part = 0; !err && part < (int)ARRAY_SIZE(new->devices); part++)
		if (asprintf(&new->devices[part], "/dev/%s/%s", new->group.name,
			     new->shape.parts[part]) < 0) {
			new->devices[part] = NULL;
			te_error("not enough memory");
			err = -ENOMEM;
		}
	return err;
}

/* The target as it would be. */
static void imagine(const struct te_lvm_new *new, struct te_target *target)
{
	u64 extent_bytes = new->group.extent_sectors * SECTOR_BYTES;

	target->metadata.path = target->data.path = path_of(new);
	target->data.bytes = new->shape.extents[TE_LVM_DATA] * extent_bytes;
	target->metadata.bytes = new->shape.extents[TE_LVM_METADATA] * extent_bytes;
}

static int check(struct te_lvm_new *new, struct te_target *target, const struct te_begin *begin,
		 const struct te_catalog *catalog, const struct te_choice *choice)
{
	struct te_room room;
	int err = te_lvm_shape_fill(&new->shape, begin, catalog, choice);

	if (err)
		return err;
	imagine(new, target);
	te_room_measure(&room, target, begin, choice);
	err = te_room_check(&room);
	return err ? err : te_lvm_shape_check_room(&new->shape);
}

static int make(struct te_target *target, const struct te_begin *begin,
		const struct te_catalog *catalog, const struct te_choice *choice)
{
	struct te_lvm_new *new = target->context;
	int err = check(new, target, begin, catalog, choice);

	if (err || new->options->dry)
		return err;
	err = make_parts(new);
	/* They are ours, whatever signatures LVM has left on them. */
	if (!err)
		err = te_target_open(target, new->devices[TE_LVM_METADATA],
				     new->devices[TE_LVM_DATA], true);
	target->least_transaction_id = TE_LVM_LEAST_TRANSACTION;
	return err;
}

struct te_lvm_new *te_lvm_new_open(const struct te_lvm_new_options *options,
				   struct te_target *target)
{
	struct te_lvm_new *new = te_alloc(sizeof(*new));
	char dm_name[TE_DM_NAME_BYTES];
	int err;

	*target = (struct te_target){ .metadata.fd = -1, .data.fd = -1, .make = make,
				      .context = new };
	if (!new) {
		te_error("not enough memory");
		return NULL;
	}
	new->options = options;
	new->lock = -1;
	err = te_lvm_check_locks(options->path);
	te_lvm_dm_name(options->path, dm_name);
	if (!err)
		err = new->lock = te_lock_pool(dm_name);
	if (err >= 0)
		err = te_lvm_ask_to_change(&new->group, options->path);
	if (!err)
		err = te_lvm_shape_begin(&new->shape, options, &new->group);
	if (!err)
		return new;
	te_lvm_new_close(new);
	return NULL;
}

static char *read_text(const char *path, const char *wanted)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t bytes = 0;

	if (!file || getdelim(&text, &bytes, '\0', file) < 0) {
		te_error("%s: cannot read %s: %s", wanted, path, strerror(errno));
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	return text;
}

static int write_text(const char *path, const char *text, const char *wanted)
{
	FILE *file = fopen(path, "we");
	bool ok = file && fputs(text, file) >= 0;

	if (file && fclose(file))
		ok = false;
	if (!ok)
		te_error("%s: cannot write %s: %s", wanted, path, strerror(errno));
	return ok ? 0 : -EIO;
}

/* None but what LVM says now may be replaced by the edited text. */
static int check_unchanged(const struct te_lvm_new *new, const char *text)
{
	struct te_lvm_group now = { .lvs = NULL };
	u64 seqno;
	int err = te_lvm_ask_group(&now, new->group.name, path_of(new));

	if (!err && (!te_lvm_text_seqno(text, &seqno) || seqno != now.seqno ||
		     strcmp(now.uuid, new->group.uuid))) {
		te_error("%s: somebody changes the volume group although it is locked; nothing was done to it",
			 path_of(new));
		err = -EBUSY;
	}
	te_lvm_group_exit(&now);
	return err;
}

static int edit(const struct te_lvm_new *new, const char *text, const char *path)
{
	const struct te_lvm_text_pool pool = te_lvm_shape_text(&new->shape);
	char why[256];
	char *edited = te_lvm_text_add_pool(text, &pool, why, sizeof(why));
	int err;

	if (!edited) {
		te_error("%s: cannot put the pool into the text of its group: %s", path_of(new),
			 why);
		return -EINVAL;
	}
	err = write_text(path, edited, path_of(new));
	free(edited);
	return err;
}

/* The group's text, from LVM, edited, and back to LVM, by who holds the group's `lock`. */
static int replace(struct te_lvm_new *new, int lock)
{
	char before[PATH_MAX], edited[PATH_MAX];
	const char *backup[] = { "lvm", "vgcfgbackup", "--nolocking", "--file", before,
				 new->group.name, NULL };
	/* --yes: other volumes of the group may be active, and it asks because of them. */
	const char *restore[] = { "lvm", "vgcfgrestore", "--nolocking", "--force", "--yes",
				  "--file", edited, new->group.name, NULL };
	char *text = NULL;
	int err;

	te_lvm_left_text_path(path_of(new), false, before, sizeof(before));
	te_lvm_left_text_path(path_of(new), true, edited, sizeof(edited));
	err = te_lvm_change(backup, lock, "get the text of its group", path_of(new));
	if (!err)
		text = read_text(before, path_of(new));
	if (!err)
		err = text ? edit(new, text, edited) : -EIO;
	if (!err)
		err = check_unchanged(new, text);
	free(text);
	return err ? err : te_lvm_change(restore, lock, "make it of its parts", path_of(new));
}

/* They are to be parts of a pool, and those are active with it alone; a spare never is. */
static int deactivate(struct te_lvm_new *new, int lock)
{
	const char *argv[6 + TE_LVM_NR_PARTS] = { "lvm", "lvchange", "--nolocking", "-an" };
	char paths[TE_LVM_NR_PARTS + 1][TE_LVM_PATH_BYTES];
	const struct te_lvm_shape *shape = &new->shape;
	size_t nr = 4, part;

	for (part = 0; part <= TE_LVM_NR_PARTS; part++) {
		const char *name = shape->old_spare ? shape->old_spare->name : NULL;

		if (part < TE_LVM_NR_PARTS)
			name = shape->extents[part] ? shape->parts[part] : NULL;
		if (!name)
			continue;
		snprintf(paths[part], sizeof(paths[part]), "%s/%s", new->group.name, name);
		argv[nr++] = paths[part];
	}
	return te_lvm_change(argv, lock, "deactivate its parts", path_of(new));
}

static int become_pool(struct te_lvm_new *new)
{
	int err = te_record_make_folder(), lock;

	if (err) {
		te_error("cannot make %s: %s", TE_RECORD_FOLDER, strerror(-err));
		return err;
	}
	lock = te_lvm_lock_group(new->group.name, path_of(new));
	if (lock < 0)
		return lock;
	err = deactivate(new, lock);
	if (!err)
		err = replace(new, lock);
	close(lock);
	return err;
}

/* The pool and its volumes, but for those that skip it. */
static int activate(struct te_lvm_new *new)
{
	const struct te_lvm_shape *shape = &new->shape;
	const char **argv = te_alloc((shape->nr_volumes + 5) * sizeof(*argv));
	char (*paths)[TE_LVM_PATH_BYTES] = te_alloc(shape->nr_volumes * sizeof(*paths));
	size_t nr = 0, i;
	int err = -ENOMEM;

	if (argv && paths) {
		argv[nr++] = "lvm";
		argv[nr++] = "lvchange";
		argv[nr++] = "-ay";
		argv[nr++] = path_of(new);
		for (i = 0; i < shape->nr_volumes; i++) {
			if (shape->volumes[i].skip_activation)
				continue;
			snprintf(paths[i], sizeof(paths[i]), "%s/%s", new->group.name,
				 shape->volumes[i].name);
			argv[nr++] = paths[i];
		}
		err = te_lvm_change(argv, new->lock, "activate it", path_of(new));
	} else {
		te_error("not enough memory");
	}
	te_free(paths);
	te_free(argv);
	return err;
}

/* LVM looks whether it has such a profile here; a text with an unknown one would not be read. */
static void set_profile(struct te_lvm_new *new)
{
	const char *profile = new->shape.pool.profile;
	const char *argv[] = { "lvm", "lvchange", "--metadataprofile", profile, path_of(new),
			       NULL };

	if (profile && te_lvm_change(argv, new->lock, "give it its profile", path_of(new)))
		te_warn("%s: it is complete, but has not the profile %s that its source had",
			path_of(new), profile);
}

/* It is as good as any other pool. */
static int let_go(struct te_lvm_new *new)
{
	const char *argv[] = { "lvm", "lvchange", "--deltag", TE_LVM_NEW_TAG, path_of(new), NULL };

	te_lvm_left_drop_texts(path_of(new));
	return te_lvm_change(argv, new->lock, "take its tag away", path_of(new));
}

int te_lvm_new_finish(struct te_lvm_new *new)
{
	int err = become_pool(new);

	if (!err)
		err = te_lvm_wait(new->group.name, path_of(new));
	if (!err)
		err = activate(new);
	if (!err)
		err = let_go(new);
	new->done = !err;
	if (!err)
		set_profile(new);
	return err;
}

static void undo(struct te_lvm_new *new)
{
	struct te_lvm_left left = { .path = path_of(new) };
	char before[PATH_MAX];

	if (!te_lvm_left_remove_locked(&left))
		return;
	te_note("%s: `thinexport cleanup %s` removes what is left of it", path_of(new),
		path_of(new));
	te_lvm_left_text_path(path_of(new), false, before, sizeof(before));
	if (!access(before, F_OK))
		te_note("%s: %s is the text of the volume group as it was before", path_of(new),
			before);
}

void te_lvm_new_close(struct te_lvm_new *new)
{
	if (!new)
		return;
	if (new->begun && !new->done)
		undo(new);
	te_lvm_shape_exit(&new->shape);
	free(new->devices[TE_LVM_DATA]);
	free(new->devices[TE_LVM_METADATA]);
	te_lvm_group_exit(&new->group);
	if (new->lock >= 0)
		te_unlock_pool(new->lock);
	te_free(new);
}
