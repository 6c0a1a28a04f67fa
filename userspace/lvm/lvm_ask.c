// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking LVM: its commands run, their reports read. */
#include "lvm/lvm_ask.h"

#include <stdio.h>

#include "base/child.h"
#include "base/say.h"

#define MOST_BYTES	(64u << 20)	/* a volume takes about one KiB */
#define STATUS_USAGE	3		/* EINVALID_CMD_LINE: an option it does not know */

/* Whatever lvm.conf says of how reports look. */
static const char config[] =
	"report{mark_hidden_devices=0 compact_output=0 compact_output_cols=\"\" "
	"time_format=\"%s\" list_item_separator=\",\"}";

/* `wanted` is for sentences.  The report, as text, goes to *child. */
static int ask(const char *verb, const char *fields, const char *group, const char *wanted,
	       struct te_child *child)
{
	const char *argv[] = {
		"lvm", verb, "--nolocking", "--reportformat", "json", "--units", "s",
		"--nosuffix", "--binary", "--config", config, "--options", fields, group,
		/* Hidden volumes too.  To vgs it would mean all groups. */
		strcmp(verb, "lvs") ? NULL : "--all", NULL,
	};
	int err = te_child_run((char *const *)argv, MOST_BYTES, child);

	if (err == -ENOENT) {
		te_error("%s: cannot be looked up, since there is no program lvm: install lvm2; a pool can also be named by its device-mapper name",
			 wanted);
	} else if (err && err != -EINTR) {
		te_error("%s: cannot ask LVM by `lvm %s`: %s", wanted, verb, strerror(-err));
	} else if (!err && child->status == STATUS_USAGE) {
		te_error("%s: lvm2 is too old to be asked, 2.03 is needed; `lvm %s` says: %s",
			 wanted, verb, te_child_reason(child));
		err = -EOPNOTSUPP;
	} else if (!err && child->status) {
		const char *reason = te_child_reason(child);

		te_error("%s: `lvm %s` says: %s%s", wanted, verb, reason,
			 strstr(reason, "not found") ? "; `vgs` lists the groups there are" : "");
		err = -ENOENT;
	}
	return err;
}

static int say_nonsense(const char *wanted, const char *verb, const char *why, int err)
{
	if (err)
		te_error("%s: cannot make sense of what `lvm %s` reports: %s", wanted, verb, why);
	return err;
}

int te_lvm_ask_group(struct te_lvm_group *group, const char *name, const char *wanted)
{
	struct te_child child;
	char why[256];
	int err = ask("vgs", te_lvm_group_fields, name, wanted, &child);

	if (!err)
		err = say_nonsense(wanted, "vgs",
				   why, te_lvm_read_group(group, child.text, child.bytes, why,
							  sizeof(why)));
	te_free(child.text);
	return err;
}

int te_lvm_ask_lvs(struct te_lvm_group *group)
{
	struct te_child child;
	char why[256];
	int err = ask("lvs", te_lvm_lv_fields, group->name, group->name, &child);

	te_lvm_group_forget(group);
	if (!err)
		err = say_nonsense(group->name, "lvs",
				   why, te_lvm_read_lvs(group, child.text, child.bytes, why,
							sizeof(why)));
	te_free(child.text);
	return err;
}
