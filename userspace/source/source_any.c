// SPDX-License-Identifier: GPL-2.0-or-later
/* Opening whatever a user names as a source: devices, a view, or a live pool. */
#include "source/source_any.h"

#include <stdio.h>
#include <sys/stat.h>

#include "live/dm.h"
#include "lvm/lvm.h"
#include "base/say.h"

bool te_source_is_named(const char *what)
{
	char node[16 + TE_DM_NAME_BYTES];
	struct stat st;

	if (!stat(what, &st))
		return S_ISBLK(st.st_mode) || te_source_is_view(what);
	if (te_lvm_is_path(what))
		return true;
	snprintf(node, sizeof(node), "/dev/mapper/%s", what);
	return !strchr(what, '/') && !stat(node, &st) && S_ISBLK(st.st_mode);
}

int te_source_open_any(const struct te_source_named *named, struct te_source_opened *opened)
{
	struct te_live_options live = named->live;
	struct stat st;

	*opened = (struct te_source_opened){ NULL, NULL };
	if (named->metadata) {
		opened->source = te_source_open_devices(named->metadata, named->data,
							TE_ROOT_SUPERBLOCK);
	} else if (te_source_is_view(named->what)) {
		opened->source = te_source_open_view(named->what);
	} else if (!stat(named->what, &st) && S_ISREG(st.st_mode)) {
		te_error("%s is a file, but no image of a view; a pool's images are named by --metadata and --data",
			 named->what);
	} else {
		live.pool = named->what;
		opened->live = te_live_open(&live, &opened->source);
	}
	return opened->source ? 0 : -EIO;
}

int te_source_close_any(struct te_source_opened *opened)
{
	int err = 0;

	if (opened->live)
		err = te_live_close(opened->live);
	else
		te_source_close(opened->source);
	*opened = (struct te_source_opened){ NULL, NULL };
	return err;
}
