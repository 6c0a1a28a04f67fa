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

#define POOL_TYPE	"thin-pool"
#define OURS		"tags=" TE_LVM_NEW_TAG

/* From a line of what lvs tells: "vms/new.thinexport-data|linear". */
struct found {
	char path[TE_LVM_PATH_BYTES];
	char pool[TE_LVM_PATH_BYTES];
	bool is_pool;			/* no part of one, but all of it */
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

/* False for what carries our tag, but is none of ours. */
static bool take_line(const char *line, size_t bytes, struct found *found)
{
	const char *end = memchr(line, '|', bytes), *mark, *slash;

	if (!end || (size_t)(end - line) >= sizeof(found->path))
		return false;
	snprintf(found->path, sizeof(found->path), "%.*s", (int)(end - line), line);
	snprintf(found->pool, sizeof(found->pool), "%s", found->path);
	slash = strchr(found->pool, '/');
	mark = slash ? strstr(slash, TE_LVM_NEW_MARK) : NULL;
	found->is_pool = !mark;
	if (mark) {
		found->pool[mark - found->pool] = '\0';
		return true;
	}
	end++;
	return slash && (size_t)(line + bytes - end) == strlen(POOL_TYPE) &&
	       !strncmp(end, POOL_TYPE, strlen(POOL_TYPE));
}

/* Volumes that LVM selects, a line each: in one group, or in all.  NULL after one sentence. */
static char *list(const char *select, const char *group, bool *no_lvm)
{
	/* Whatever lvm.conf says of how reports look. */
	const char *argv[] = {
		"lvm", "lvs", "--nolocking", "--reportformat", "basic", "--noheadings",
		"--separator", "|", "--options", "lv_full_name,segtype", "--select", select,
		"--config", "report{prefixes=0 quoted=0 aligned=0}", group, NULL,
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
		ours = take_line(text, bytes, found) && (!path || !strcmp(path, found->pool));
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

/* Only if it still has the tag; by who holds the group's lock. */
static int remove_one(struct te_lvm_left *left, const struct found *found, const char *group,
		      int lock)
{
	const char *argv[] = {
		"lvm", "lvremove", "--nolocking", "--yes", "--force", "--force", "--select",
		OURS, found->path, NULL,
	};
	char act[TE_LVM_PATH_BYTES + 32];
	int err = found->is_pool ? check_unused(found, group) : 0;

	if (err)
		return err;
	snprintf(act, sizeof(act), "remove %s", found->path);
	if (left->tell)
		left->tell(left->context, found->pool, act);
	return left->dry ? 0 : te_lvm_change(argv, lock, "remove what was made for it", found->path);
}

static int remove_all(struct te_lvm_left *left, const char *group, int lock)
{
	bool no_lvm, any = false;
	int err = 0, first = 0;
	struct found found;
	const char *at;
	char *text = list(OURS, group, &no_lvm);

	if (!text)
		return no_lvm ? 0 : -EIO;
	for (at = next(text, left->path, &found); at; at = next(at, left->path, &found)) {
		if (!any && left->begin)
			left->begin(left->context, left->path);
		any = true;
		err = remove_one(left, &found, group, lock);
		first = first ? first : err;
	}
	if (!first && !left->dry)
		te_lvm_left_drop_texts(left->path);
	te_free(text);
	return first;
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
	err = remove_all(left, group, lock);
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
	/* lvs sorts by name: what is of one pool stands together. */
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
