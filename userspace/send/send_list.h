/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `send -n` prints: what would be sent, volume by volume. */
#ifndef TE_SEND_LIST_H
#define TE_SEND_LIST_H

#include "send/plan.h"

/* On standard output, for a person or as one line of JSON. */
void te_send_list(const struct te_plan *plan);
void te_send_list_json(const struct te_plan *plan);

#endif
