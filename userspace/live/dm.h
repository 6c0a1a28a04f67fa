/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The doorway to libdevmapper: devices, pools, thins, messages.
 *
 * Calls return 0 or -errno.  Those that a user's words lead to say what is
 * wrong in one sentence; those marked quiet leave that to their caller, who
 * knows what it was for, and te_dm_why() has what libdevmapper said.
 *
 * No udev cookies are used: a cookie is a semaphore that stays behind when its
 * maker is killed.  The flags that keep udev's rules off our devices travel all
 * the same, and whoever needs a node waits for it by te_dm_wait_node().
 */
#ifndef TE_DM_H
#define TE_DM_H

#include "core/seam.h"

#define TE_DM_NAME_BYTES	128
#define TE_DM_UUID_BYTES	129

struct te_dm_device {
	char name[TE_DM_NAME_BYTES];
	char uuid[TE_DM_UUID_BYTES];
	u32 major;
	u32 minor;
	bool suspended;			/* by whom, nobody can tell */
	bool read_only;			/* its table; not one of its openers */
	bool inactive_table;		/* someone is about to change it */
	int open_count;
};

enum te_pool_mode {
	TE_POOL_WRITE,
	TE_POOL_OUT_OF_DATA,
	TE_POOL_READ_ONLY,		/* also: out of metadata space */
	TE_POOL_FAIL,
};

struct te_pool {
	struct te_dm_device dm;
	u64 sectors;			/* of the pool device */
	char metadata[64];		/* paths of its devices */
	char data[64];
	u32 metadata_major, metadata_minor;
	u32 data_major, data_minor;
	u32 block_sectors;
	enum te_pool_mode mode;
	bool needs_check;
	u64 transaction_id;
	u64 held_root;			/* metadata snapshot, or 0 */
	u64 used_metadata_blocks;
	u64 nr_metadata_blocks;
	u64 used_data_blocks;
	u64 nr_data_blocks;
};

/* An active thin device of a pool. */
struct te_thin {
	struct te_dm_device dm;
	u32 dev_id;
	u64 sectors;
	bool external_origin;
	bool ours;			/* a pin: its uuid starts TE_DM_UUID_PREFIX */
	bool mounted;			/* for who looks at mounts to set */
};

/* Once, before all others: -EPERM, -ENODEV after one sentence. */
int te_dm_start(void);

/* What libdevmapper said last; "" when nothing. */
const char *te_dm_why(void);

/* By dm name, path or MAJOR:MINOR; by number; by uuid.  -ENXIO: none.  Quiet. */
int te_dm_find(const char *what, struct te_dm_device *device);
int te_dm_find_number(u32 major, u32 minor, struct te_dm_device *device);
int te_dm_find_uuid(const char *uuid, struct te_dm_device *device);

/*
 * The pool that `what` names, its table and its status.  Asking for the status
 * makes the pool commit, so what its metadata device holds is no older.
 */
int te_pool_find(const char *what, struct te_pool *pool);

/* Reads table and status anew. */
int te_pool_refresh(struct te_pool *pool);

/* All active thins of the pool, ascending by id; free() the array. */
int te_pool_thins(const struct te_pool *pool, struct te_thin **thins, size_t *nr);

/* A message to the pool: quiet. */
int te_pool_message(const struct te_pool *pool, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

int te_dm_resume(u32 major, u32 minor);		/* quiet */

/* A device of one target, read-only and kept from udev's rules unless public.  Quiet. */
struct te_dm_table {
	u64 sectors;
	const char *target;
	const char *parameters;
	bool public;			/* for all to write to, LVM too */
};

int te_dm_create(const char *name, const char *uuid, const struct te_dm_table *table,
		 struct te_dm_device *device);
int te_dm_reload(const struct te_dm_device *device, const struct te_dm_table *table);

/* Parameters part of the first target's status.  Quiet. */
int te_dm_status(const struct te_dm_device *device, char *text, size_t bytes);

/*
 * Removes the device of this uuid; none is fine.  While something holds it open
 * (udev probing it), tries again for some seconds; then -EBUSY.  Quiet.
 */
int te_dm_remove_uuid(const char *uuid);

/* True when the kernel has, or by its module loader gets, such a target. */
bool te_dm_has_target(const char *target);

/*
 * The path of a device: /dev/mapper/NAME once that leads to it, or after some
 * seconds without udev's help the kernel's own /dev/dm-N.
 */
void te_dm_wait_node(const struct te_dm_device *device, char *path, size_t bytes);

/* The path below /dev of any block device, as the kernel calls it.  -ENODEV. */
int te_block_path(u32 major, u32 minor, char *path, size_t bytes);

/* How long the device at `path` is.  -errno after one sentence. */
int te_block_bytes(const char *path, u64 *bytes);

#endif
