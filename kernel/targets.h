/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module's targets. */
#ifndef TE_TARGETS_H
#define TE_TARGETS_H

#include <linux/device-mapper.h>

extern struct target_type te_view_target;	/* target_view.c */
extern struct target_type te_passdown_target;	/* target_passdown.c */

#endif
