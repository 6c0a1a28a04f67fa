// SPDX-License-Identifier: GPL-2.0-or-later
/* LVM's commands that change something, and what of its settings we count on. */
#include "lvm/lvm_change.h"

#include <stdio.h>
#include <unistd.h>

#include "base/child.h"
#include "base/say.h"
#include "lvm/lvm.h"
#include "lvm/lvm_ask.h"
#include "lvm/lvm_lock.h"

#define MOST_BYTES	4096u

int te_lvm_change(const char *const argv[], int hold, const char *what, const char *path)
{
	struct te_child child;
	int err = te_child_change((char *const *)argv, hold, &child);

	if (err) {
		te_error("%s: cannot %s: `lvm %s`: %s", path, what, argv[1], strerror(-err));
	} else if (child.status) {
		te_error("%s: cannot %s: `lvm %s` says: %s", path, what, argv[1],
			 te_child_reason(&child));
		err = -EIO;
	}
	te_free(child.text);
	return err;
}

/* What restores a group's text does not look whether extents are on the move. */
static int check_no_move(const struct te_lvm_group *group, const char *path)
{
	size_t i;

	for (i = 0; i < group->nr_lvs; i++) {
		/* LVM keeps such names to itself. */
		if (strncmp(group->lvs[i].name, "pvmove", strlen("pvmove")))
			continue;
		te_error("%s: a pvmove is under way in volume group %s: wait for its end, or `pvmove --abort` ends it",
			 path, group->name);
		return -EBUSY;
	}
	return 0;
}

int te_lvm_ask_to_change(struct te_lvm_group *group, const char *path)
{
	char name[TE_LVM_NAME_BYTES];
	int lock, err;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(path, "/"), path);
	lock = te_lvm_lock_shared(name, path);
	if (lock < 0 && lock != -ENOENT)
		return lock;
	err = te_lvm_ask_group(group, name, path);
	if (!err)
		err = te_lvm_check_group(group);
	if (!err && group->partial) {
		te_error("%s: devices of the volume group are missing, and LVM then changes nothing in it",
			 path);
		err = -ENODEV;
	}
	if (!err)
		err = te_lvm_ask_lvs(group);
	if (!err)
		err = check_no_move(group, path);
	if (lock >= 0)
		close(lock);
	return err;
}

int te_lvm_check_locks(const char *path)
{
	static const char *const argv[] = {
		"lvm", "lvmconfig", "--typeconfig", "full", "global/locking_dir",
		"global/use_lvmlockd", NULL,
	};
	static const char wanted[] = "locking_dir=\"" TE_LVM_LOCK_FOLDER "\"\nuse_lvmlockd=0\n";
	struct te_child child;
	int err = te_child_run((char *const *)argv, MOST_BYTES, &child);

	if (err == -EINTR)
		return err;
	if (err == -ENOENT) {
		te_error("%s: there is no program lvm: install lvm2", path);
	} else if (err || child.status) {
		te_error("%s: cannot ask LVM for its settings: `lvm lvmconfig`: %s", path,
			 err ? strerror(-err) : te_child_reason(&child));
		err = err ? err : -EIO;
	} else if (strcmp(child.text, wanted)) {
		te_error("%s: LVM's locks are not in " TE_LVM_LOCK_FOLDER ", or are lvmlockd's (locking_dir, use_lvmlockd in lvm.conf): the group cannot be kept from others while it is changed",
			 path);
		err = -EOPNOTSUPP;
	}
	te_free(child.text);
	return err;
}
