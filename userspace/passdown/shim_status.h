/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What there is to know of a passdown, for people and as JSON. */
#ifndef TE_SHIM_STATUS_H
#define TE_SHIM_STATUS_H

#include "passdown/shim.h"

struct json_object;

/* Some lines, of at most 80 columns, on standard output. */
void te_shim_print(const struct te_shim *shim);

struct json_object *te_shim_json(const struct te_shim *shim);

#endif
