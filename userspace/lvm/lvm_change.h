/* SPDX-License-Identifier: GPL-2.0-or-later */
/* LVM's commands that change something, and what of its settings we count on. */
#ifndef TE_LVM_CHANGE_H
#define TE_LVM_CHANGE_H

#include "lvm/lvm_report.h"

/*
 * Runs `lvm argv[1]...` to its end, whatever signals come.  `hold`, a lock, is held
 * until then, even if we die meanwhile.  0, or -errno after one sentence: "PATH: cannot
 * WHAT: ...".
 */
int te_lvm_change(const char *const argv[], int hold, const char *what, const char *path);

/*
 * All we know at one moment of the group of `path`, "VG/NAME", that is to be changed:
 * it is not shared, not exported, no device of it is missing, and nothing in it is being
 * moved.  0, or -errno after one sentence.
 */
int te_lvm_ask_to_change(struct te_lvm_group *group, const char *path);

/*
 * Its locks are where we take them, and no lvmlockd has others.  0, or -errno after
 * one sentence.
 */
int te_lvm_check_locks(const char *path);

#endif
