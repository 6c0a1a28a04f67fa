// SPDX-License-Identifier: GPL-2.0-or-later
/* The module: its targets come and go together. */
#include <linux/module.h>

#include "targets.h"

static int __init thinexport_init(void)
{
	int r = dm_register_target(&te_view_target);

	if (r)
		return r;
	r = dm_register_target(&te_passdown_target);
	if (r)
		dm_unregister_target(&te_view_target);
	return r;
}

static void __exit thinexport_exit(void)
{
	dm_unregister_target(&te_passdown_target);
	dm_unregister_target(&te_view_target);
}

module_init(thinexport_init);
module_exit(thinexport_exit);

MODULE_DESCRIPTION("device-mapper targets for thin pools: chosen volumes as one device, discards over arrays");
MODULE_VERSION(TE_VERSION);
MODULE_LICENSE("GPL");
