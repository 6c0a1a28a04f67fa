// SPDX-License-Identifier: GPL-2.0-or-later
/* What a `receive VG/POOL` that did not end well has left in its group. */
#include "lvm/lvm_left.h"

#include <stdio.h>
#include <unistd.h>

#include "base/child.h"
#include "base/say.h"
#include "live/lock.h"
#include "live/record.h"
#include "lvm/lvm_change.h"
#include "lvm/lvm_lock.h"
#include "lvm/lvm_shape.h"

#define OURS		"tags=" TE_LVM_NEW_TAG

/*
 * From a line of what lvs tells: "vms/new.thinexport-data|linear||TAGS",
 * "vms/new|thin-pool||TAGS", "vms/web|thin|pool|TAGS".
 */
struct found {
	char path[TE_LVM_PATH_BYTES];
	char pool[TE_LVM_PATH_BYTES];
	bool is_pool;			/* no part or volume of one, but all of it */
	bool arrived;			/* it has that tag */
};

void te_lvm_left_text_path(const char *pool, bool edited, char *path, size_t bytes)
{
	char dm_name[TE_DM_NAME_BYTES];

	te_lvm_dm_name(pool, dm_name);
	snprintf(path, bytes, "%s/%s.group%s", TE_RECORD_FOLDER, dm_name,
		 edited ? "-edited" : "");
}

void te_lvm_left_drop_texts(const char *pool)
{
	char path[PATH_MAX];
	int edited;

	for (edited = 0; edited < 2; edited++) {
		te_lvm_left_text_path(pool, edited, path, sizeof(path));
		unlink(path);
	}
}

/* Up to the next '|', or the line's end; false: it does not fit. */
static bool take_word(const char **line, char *word, size_t bytes)
{
	size_t length = strcspn(*line, "|\n");

	if (length >= bytes)
		return false;
	memcpy(word, *line, length);
	word[length] = '\0';
	*line += length + ((*line)[length] == '|');
	return true;
}

/* Whether `word` is among the words that commas separate, up to the line's end. */
static bool has_word(const char *line, const char *word)
{
	size_t length;

	for (; *line && *line != '\n'; line += length + (line[length] == ',')) {
		length = strcspn(line, ",\n");
		if (length == strlen(word) && !strncmp(line, word, length))
			return true;
	}
	return false;
}

/* False for what carries our tag, but is none of ours. */
static bool take_line(const char *line, struct found *found)
{
	char type[32], pool[TE_LVM_NAME_BYTES], *slash, *mark;

	if (!take_word(&line, found->path, sizeof(found->path)) ||
	    !take_word(&line, type, sizeof(type)) || !take_word(&line, pool, sizeof(pool)))
		return false;
	found->arrived = has_word(line, TE_LVM_ARRIVED_TAG);
	found->is_pool = !strcmp(type, "thin-pool");
	slash = strchr(found->path, '/');
	if (!slash)
		return false;
	if (!strcmp(type, "thin")) {
		snprintf(found->pool, sizeof(found->pool), "%.*s/%s", (int)(slash - found->path),
			 found->path, pool);
		return true;
	}
	strcpy(found->pool, found->path);
	mark = strstr(strchr(found->pool, '/'), TE_LVM_NEW_MARK);
	if (mark)
		*mark = '\0';
	return mark || found->is_pool;
}

/* Volumes that LVM selects, a line each: in one group, or in all.  NULL after one sentence. */
static char *list(const char *select, const char *group, bool *no_lvm)
{
	/* Whatever lvm.conf says of how reports look. */
	const char *argv[] = {
		"lvm", "lvs", "--nolocking", "--reportformat", "basic", "--noheadings",
		"--separator", "|", "--options", "lv_full_name,segtype,pool_lv,lv_tags",
		/* What is of one pool stands together. */
		"--select", select, "--sort", "vg_name,pool_lv,-thin_id,lv_name", "--config",
		"report{prefixes=0 quoted=0 aligned=0 list_item_separator=\",\"}", group, NULL,
	};
	struct te_child child;
	int err = te_child_change((char *const *)argv, -1, &child);

	*no_lvm = err == -ENOENT;
	/* One bad group among all, exported or with devices missing, is no reason to see none. */
	if (!err && child.status && !group)
		te_warn("LVM may not tell of all that was being received: %s",
			te_child_reason(&child));
	if (!err && (!child.status || !group))
		return child.text;
	if (!*no_lvm)
		te_error("cannot ask LVM for what was being received: %s",
			 err ? strerror(-err) : te_child_reason(&child));
	te_free(child.text);
	return NULL;
}

/* The next line that is of a pool, `path` or any.  NULL: none. */
static const char *next(const char *text, const char *path, struct found *found)
{
	while (*text) {
		size_t blanks = strspn(text, " "), bytes;
		bool ours;

		text += blanks;
		bytes = strcspn(text, "\n");
		ours = take_line(text, found) && (!path || !strcmp(path, found->pool));
		text += bytes + (text[bytes] == '\n');
		if (ours)
			return text;
	}
	return NULL;
}

/* A pool that is whole, and that somebody has taken into use, is no leftover. */
static int check_unused(const struct found *found, const char *group)
{
	char select[TE_LVM_NAME_BYTES + 64], *text, *name;
	bool no_lvm;
	int err = 0;

	snprintf(select, sizeof(select), "pool_lv=\"%s\" && lv_device_open=open",
		 strchr(found->path, '/') + 1);
	text = list(select, group, &no_lvm);
	if (!text)
		return -EIO;
	name = text + strspn(text, " ");
	if (*name) {
		te_error("%s was not finished, but its volume %.*s is in use, so nothing of it is removed; `lvchange --deltag " TE_LVM_NEW_TAG " %s` keeps it",
			 found->path, (int)strcspn(name, "|"), name, found->path);
		err = -EBUSY;
	}
	te_free(text);
	return err;
}

static void tell(struct te_lvm_left *left, const struct found *found, const char *verb)
{
	char act[TE_LVM_PATH_BYTES + 64];

	snprintf(act, sizeof(act), "%s %s", verb, found->path);
	if (left->tell)
		left->tell(left->context, found->pool, act);
}

/* Only if it still has the tag; by who holds the group's lock. */
static int remove_one(struct te_lvm_left *left, const struct found *found, const char *group,
		      int lock)
{
	const char *argv[] = {
		"lvm", "lvremove", "--nolocking", "--yes", "--force", "--force", "--select",
		OURS, found->path, NULL,
	};
	int err = found->is_pool ? check_unused(found, group) : 0;

	if (err)
		return err;
	tell(left, found, "remove");
	return left->dry ? 0 : te_lvm_change(argv, lock, "remove what was made for it", found->path);
}

static int remove_each(struct te_lvm_left *left, const char *text, const char *group, int lock)
{
	struct found found;
	const char *at;
	int first = 0, err;

	for (at = next(text, left->path, &found); at; at = next(at, left->path, &found)) {
		err = remove_one(left, &found, group, lock);
		first = first ? first : err;
	}
	return first;
}

static int keep_one(struct te_lvm_left *left, const struct found *found, int lock)
{
	const char *argv[] = {
		"lvm", "lvchange", "--nolocking", "--deltag", TE_LVM_NEW_TAG, found->path,
		found->arrived ? "--deltag" : NULL, TE_LVM_ARRIVED_TAG, NULL,
	};

	tell(left, found, "keep what has arrived,");
	return left->dry ? 0 : te_lvm_change(argv, lock, "take its tag away", found->path);
}

/* All are complete: who tells of it stays to the last. */
static int keep_each(struct te_lvm_left *left, const char *text, int lock)
{
	struct found found, teller = { .path = "" };
	const char *at;
	int err = 0;

	for (at = next(text, left->path, &found); !err && at;
	     at = next(at, left->path, &found)) {
		if (found.arrived)
			teller = found;
		else
			err = keep_one(left, &found, lock);
	}
	return err ? err : keep_one(left, &teller, lock);
}

static int take_all(struct te_lvm_left *left, const char *group, int lock)
{
	bool no_lvm, any = false, arrived = false;
	struct found found;
	const char *at;
	char *text = list(OURS, group, &no_lvm);
	int err = 0;

	if (!text)
		return no_lvm ? 0 : -EIO;
	for (at = next(text, left->path, &found); at; at = next(at, left->path, &found)) {
		any = true;
		arrived |= found.arrived;
	}
	if (any && left->begin)
		left->begin(left->context, left->path);
	if (any)
		err = arrived ? keep_each(left, text, lock) :
				remove_each(left, text, group, lock);
	if (!err && !left->dry)
		te_lvm_left_drop_texts(left->path);
	te_free(text);
	return err;
}

int te_lvm_left_remove_locked(struct te_lvm_left *left)
{
	char group[TE_LVM_NAME_BYTES];
	int lock = -1, err;

	snprintf(group, sizeof(group), "%.*s", (int)strcspn(left->path, "/"), left->path);
	/* lvremove itself would wait for it without end. */
	if (!left->dry)
		lock = te_lvm_lock_undo(group, left->path);
	if (!left->dry && lock < 0)
		return lock == -ENOENT ? 0 : lock;
	err = take_all(left, group, lock);
	if (lock >= 0)
		close(lock);
	return err;
}

static int remove_pool(struct te_lvm_left *left, const char *pool)
{
	struct te_lvm_left one = *left;
	char dm_name[TE_DM_NAME_BYTES];
	int lock, err;

	te_lvm_dm_name(pool, dm_name);
	lock = te_lock_pool(dm_name);
	if (lock < 0)
		return lock;
	one.path = pool;
	err = te_lvm_left_remove_locked(&one);
	te_unlock_pool(lock);
	return err;
}

int te_lvm_left_remove(struct te_lvm_left *left)
{
	char last[TE_LVM_PATH_BYTES] = "";
	struct found found;
	const char *at;
	char *text;
	bool no_lvm;
	int err = 0, first = 0;

	/* LVM may be making just now what a killed receive has asked it for. */
	te_lock_wait_for_dead();
	text = list(OURS, NULL, &no_lvm);
	if (!text)
		return no_lvm ? 0 : -EIO;
	for (at = next(text, left->path, &found); at; at = next(at, left->path, &found)) {
		if (!strcmp(last, found.pool))
			continue;
		snprintf(last, sizeof(last), "%s", found.pool);
		err = remove_pool(left, found.pool);
		first = first ? first : err;
	}
	te_free(text);
	return first;
}
