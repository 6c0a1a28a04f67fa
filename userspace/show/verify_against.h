/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream compared with a source that should hold the same: the pool it was made
 * from, or one that it was received into.
 *
 * Nothing is compared by where it lies in a pool or by how its metadata is cut into
 * nodes, since these differ from pool to pool.  Volumes are matched by device id.
 * DATA and ZERO are compared with the bytes that the source has there; for SHARE
 * and for what a section leaves out, the source must map the same pool
 * blocks in the two volumes, whichever these are; what is not provisioned in the
 * one must not be in the other.  At last the numbers of mapped and of shared
 * blocks are compared, so that sharing beyond the stream's is found as well.
 *
 * Memory does not grow with the pool but by the two bits a block of a survey.
 */
#ifndef TE_VERIFY_AGAINST_H
#define TE_VERIFY_AGAINST_H

#include "source/source.h"
#include "stream/stream_read.h"
#include "show/verify_report.h"

struct te_against;

/* Before the stream's first record; differences go to `report`.  NULL after one sentence. */
struct te_against *te_against_create(struct te_source *source, const char *stream,
				     struct te_verify_report *report);
void te_against_destroy(struct te_against *against);	/* NULL is fine */

/*
 * Compares the next record.  Differences are reported and counted.
 * 0, or -errno after one sentence (none for -EINTR).
 */
int te_against_record(struct te_against *against, const struct te_record *record);

/*
 * After END: compares what volumes there are and what they share.  0, or -errno
 * as above.
 */
int te_against_finish(struct te_against *against);

/* Volumes in which something differs, or that the source has not. */
u64 te_against_nr_different(const struct te_against *against);

/* Bytes of the source that were compared with the stream's. */
u64 te_against_bytes(const struct te_against *against);

#endif
