/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a passdown may be put over a device: nobody may have it in use.  All that
 * goes to it must go through the target from then on: a write that went round it would
 * not take back what is free, and be discarded.
 */
#ifndef TE_LAYER_H
#define TE_LAYER_H

#include <sys/types.h>

#include "core/seam.h"

struct te_layer {
	dev_t dev;
	u64 sectors;
};

/* The block device at `path`, in use by nobody.  -errno after one sentence. */
int te_layer_free(const char *path, struct te_layer *layer);

/*
 * Once the passdown `name` stands on it: nobody else has it, which device-mapper would
 * have allowed for devices of its own.  -EBUSY after one sentence.
 */
int te_layer_alone(const char *path, const struct te_layer *layer, const char *name);

/*
 * False: its size is not there yet, or somebody has it open for himself alone, and nothing
 * that could be named stands on it: so it is while mdadm assembles an array.
 */
bool te_layer_ready(dev_t dev);

#endif
