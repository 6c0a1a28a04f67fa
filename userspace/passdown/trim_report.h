/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What came of a trim, for people and as JSON, on standard output. */
#ifndef TE_TRIM_REPORT_H
#define TE_TRIM_REPORT_H

#include "passdown/trim.h"

void te_trim_print(const struct te_trim_report *report, bool dry);
void te_trim_json(const struct te_trim_report *report, bool dry);

#endif
