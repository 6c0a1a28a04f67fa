/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of a stream as lines: for a person, or each a JSON object. */
#ifndef TE_DUMP_H
#define TE_DUMP_H

#include "stream/stream_read.h"

void te_dump_text(const struct te_record *record, const struct te_catalog *catalog);
void te_dump_json(const struct te_record *record);

#endif
