/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking LVM: its commands run, their reports read. */
#ifndef TE_LVM_ASK_H
#define TE_LVM_ASK_H

#include "lvm/lvm_report.h"

/*
 * All of the group but its volumes, and then these, in place of those that it
 * has: for a caller who holds the group's lock.  `wanted` is what the user named.
 * 0 or -errno after one sentence (none for -EINTR).
 */
int te_lvm_ask_group(struct te_lvm_group *group, const char *name, const char *wanted);
int te_lvm_ask_lvs(struct te_lvm_group *group);

#endif
