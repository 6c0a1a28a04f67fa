/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target: the metadata and the data device, or image files of them, that are
 * to become a new pool.
 */
#ifndef TE_TARGET_H
#define TE_TARGET_H

#include "core/seam.h"

struct te_target_part {
	int fd;				/* readable and writable; data devices with O_DIRECT */
	const char *path;		/* the caller's */
	u64 bytes;
	bool is_file;
};

struct te_begin;
struct te_catalog;
struct te_choice;

struct te_target {
	struct te_target_part metadata;
	struct te_target_part data;
	bool interrupted;		/* the metadata holds a checkpoint (checkpoint.h) */
	u64 least_transaction_id;	/* of the new pool, whatever the stream's */

	/*
	 * One that is not there yet: makes and opens it, for the stream that begins so;
	 * before that it has no descriptors.  NULL: it is open.  0 or -errno after one
	 * sentence.
	 */
	int (*make)(struct te_target *target, const struct te_begin *begin,
		    const struct te_catalog *catalog, const struct te_choice *choice);
	void *context;
};

/*
 * Opens both so that nobody else has them: a device is claimed, a file locked.
 * Refuses what is in use, read-only, neither device nor file, one and the same,
 * or, unless `force`, holds something (a signature that libblkid knows, a pool's
 * metadata, or a stream); but not what an interrupted receive has left.  Files must
 * be there, of the size the pool is to have.  Changes nothing.  0, or -errno after one sentence.
 */
int te_target_open(struct te_target *target, const char *metadata, const char *data, bool force);

/* One device alone, of part->path, with `flags` of open(2): likewise, but whatever it holds. */
int te_target_open_device(struct te_target_part *part, int flags);

/* Also what failed to open, or is closed. */
void te_target_close(struct te_target *target);
void te_target_close_device(struct te_target_part *part);

/* -EINVAL after one sentence when the stream `fd` is one of the two, `force` or not. */
int te_target_check_stream(const struct te_target *target, int fd, const char *name);

/* Takes away the signatures that --force allowed: nothing may find them afterwards. */
int te_target_wipe(const struct te_target *target);

#endif
