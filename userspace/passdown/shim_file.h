/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is kept of a passdown for the next boot, to be read and changed by people too:
 *
 *	/etc/thinexport/passdown/<name>.conf
 *
 * Lines "word value"; those that begin with # are passed over.
 *
 *	device md-uuid-...	what it lies on (identity.h)
 *	stripe auto		or sectors, as it was given
 *	mode held		or auto
 *	zero_fill no		or yes
 */
#ifndef TE_SHIM_FILE_H
#define TE_SHIM_FILE_H

#include "live/dm.h"
#include "passdown/identity.h"

#define TE_SHIM_FOLDER	"/etc/thinexport/passdown"

struct te_shim_file {
	char name[TE_DM_NAME_BYTES];
	char device[TE_IDENTITY_BYTES];
	u32 stripe_sectors;		/* 0: asked for anew each time */
	bool auto_pass;
	bool zero_fill;
};

/* On disk when it returns; one that is there is not written over.  -errno after one sentence. */
int te_shim_file_save(const struct te_shim_file *file);

/* In place of the one that is there, or was. */
int te_shim_file_replace(const struct te_shim_file *file);

/* The one of this name.  -errno after one sentence. */
int te_shim_file_load(const char *name, struct te_shim_file *file);

/* True when there is one of this name. */
bool te_shim_file_exists(const char *name);

/* Takes it away; none is fine.  -errno after one sentence. */
int te_shim_file_drop(const char *name);

/*
 * All of them, in order, to each(); its non-zero result ends the call.  One that
 * cannot be read is an error after one sentence, but the others still come.
 */
int te_shim_file_each(int (*each)(void *context, const struct te_shim_file *file),
		      void *context);

#endif
