/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words that pass between the command and the kernel targets: table
 * features, status fields, names.  The targets' pages in kernel/ say what
 * each means.
 */
#ifndef THINEXPORT_TARGET_H
#define THINEXPORT_TARGET_H

#define TE_TARGET_VIEW			"thinexport"

/*
 * Table of the view:
 *
 *	0 <length> thinexport <metadata dev> <data dev> <#features> [<feature>...]
 *		<#volumes> {<dev id> <pin dev|->}...
 *
 * The table must be loaded read-only (dmsetup --readonly, dm_task_set_ro), the
 * length be at least the view's: what is behind the view reads as zeros.
 */
#define TE_FEATURE_SUPERBLOCK_ROOT	"superblock_root"

/* Most volumes one table may name. */
#define TE_VIEW_MAX_VOLUMES		65536

/*
 * Status (info) of the view, all decimal:
 *
 *	<view sectors> <mapped blocks> <data blocks> <reached metadata blocks>
 *	<metadata blocks> <volumes> <reads> <errors>
 */

/*
 * Devices that the command makes: dm uuid THINEXPORT-<what>-<random hex>, so
 * that no rule or tool takes them for the file systems they hold.
 */
#define TE_DM_UUID_PREFIX		"THINEXPORT-"

#endif
