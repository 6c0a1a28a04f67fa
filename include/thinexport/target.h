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

#define TE_TARGET_PASSDOWN		"thin-passdown"

/*
 * Table of passdown, in sectors:
 *
 *	0 <length> thin-passdown <dev> <start> <#features>
 *		[stripe <sectors>] [unit <sectors>] [auto] [zero_fill]
 */
#define TE_FEATURE_STRIPE		"stripe"
#define TE_FEATURE_UNIT			"unit"
#define TE_FEATURE_AUTO			"auto"
#define TE_FEATURE_ZERO_FILL		"zero_fill"

/*
 * Its messages.  flush gives back "<stripes passed> <stripes still due> <passes
 * that failed>".
 */
#define TE_MESSAGE_FLUSH		"flush"		/* [<most stripes>] */
#define TE_MESSAGE_GUARD_BEGIN		"guard_begin"
#define TE_MESSAGE_GUARD_END		"guard_end"
#define TE_MESSAGE_DISCARD		"discard"	/* <start> <sectors> */

/*
 * Status (info) of passdown:
 *
 *	<unit sectors> <stripe sectors> <free units> <trimmed units> <due stripes>
 *	<stripes passed> <discards> <units guarded> <writes that waited> <errors>
 *	<held|auto> <guarded|-> <discard|zeros|none>
 */

/*
 * Devices that the command makes: dm uuid THINEXPORT-<what>-<random hex>, so
 * that no rule or tool takes them for the file systems they hold.
 */
#define TE_DM_UUID_PREFIX		"THINEXPORT-"

#endif
