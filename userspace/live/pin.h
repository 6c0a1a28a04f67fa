/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pins and the view: the devices that a run activates.
 *
 * A pin is a read-only thin device of a snapshot; while it stands, the pool
 * refuses to delete the snapshot.  It is as long as its volume; when nobody knows
 * how long that is, as what is mapped.  An empty volume of unknown length gets
 * none: there is nothing to be read of it.
 */
#ifndef TE_PIN_H
#define TE_PIN_H

#include "live/record.h"

struct te_pin {
	bool active;
	struct te_dm_device device;
};

/* Activates a pin for each volume of the run: pins[run->nr_volumes].  -errno after one sentence. */
int te_pin_all(const struct te_run *run, const struct te_pool *pool, struct te_pin *pins);

enum te_view_length {
	TE_VIEW_ROOMY,			/* for us, who read its header: some zeros behind it */
	TE_VIEW_EXACT,			/* for others; the table is loaded twice */
};

/* Makes the view's device and gives its path.  -errno after one sentence. */
int te_view_create(const struct te_run *run, const struct te_pool *pool, const struct te_pin *pins,
		   enum te_view_length length, char *path, size_t bytes);

#endif
