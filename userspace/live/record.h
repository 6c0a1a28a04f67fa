/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of a run on a live pool: what it is about to make, on disk before
 * any of it exists.
 *
 *	/var/lib/thinexport/<pool>.<id>.record
 *
 * A run is a send, a trim, a view from its opening to its closing, or a send that
 * may be gone on with from its beginning to its end.  Its record is written three
 * times, each time whole, under a temporary name, synced, renamed into place, and
 * its folder synced:
 *
 *	window	before the window.  Any part of what it names may exist, and what it
 *		names may be suspended, by us.
 *	held	after the window.  All snapshots exist, nothing is suspended, and
 *		the metadata snapshot is ours: its block is known.  Until then
 *		time_before is a guess that another program's snapshot makes wrong.
 *	open	the metadata snapshot is released; for a view: it is open.
 *	pending	(pending.h) a resumable send has begun to write; what its stream's
 *		beginning says lies beside the record, in <pool>.<id>.catalog.  The
 *		snapshots stay when the run dies, and its devices may be there.
 *
 * So whenever a run dies, its record tells a superset of what it left, and
 * `thinexport cleanup` works from the record and from nothing else.  Cost: three
 * synced writes a run, one of them while nothing waits for it.
 *
 * Lines of text, "word value", the last one "end".  Values go to the line's end.
 */
#ifndef TE_RECORD_H
#define TE_RECORD_H

#include <limits.h>

#include "core/details.h"
#include "live/dm.h"

#define TE_RECORD_FOLDER	"/var/lib/thinexport"

/* The folder, if it is not there.  0 or -errno. */
int te_record_make_folder(void);

enum te_run_phase {
	TE_RUN_WINDOW,
	TE_RUN_HELD,
	TE_RUN_OPEN,
	TE_RUN_PENDING,
};

struct te_run_volume {
	u32 dev_id;
	u32 snap_id;
	u64 sectors;			/* 0: its length is not known */
	char name[TE_DM_NAME_BYTES];	/* dm name, "" when not active */
	struct te_details moment;	/* the volume in the window; kept when pending */
};

/* A passdown whose guard a trim's window begins. */
struct te_run_guard {
	u32 major, minor;
	char name[TE_DM_NAME_BYTES];
};

struct te_run {
	char id[17];			/* random, hex; also the last part of our uuids */
	char view[TE_DM_NAME_BYTES];	/* name of the view's device, "" for a send */
	char pool_name[TE_DM_NAME_BYTES];
	char pool_uuid[TE_DM_UUID_BYTES];
	u32 pool_major, pool_minor;
	char boot_id[40];
	u32 pid;
	u64 started;			/* seconds since 1970 */
	enum te_run_phase phase;
	u32 time_before;		/* the superblock's, right before the first snapshot */
	u64 held_root;			/* phase held: block of the metadata snapshot */
	char stream[33];		/* phase pending: the stream's id, in hex */
	u64 most_bytes;			/* phase pending: what the snapshots can hold */
	struct te_run_volume *volumes;
	size_t nr_volumes;
	u32 (*suspends)[2];		/* major, minor of what the window suspends singly */
	size_t nr_suspends;
	struct te_run_guard *guards;	/* a trim's, which has no volumes */
	size_t nr_guards;
};

/* A new run of this pool: id, boot id, pid and time are filled in. */
int te_run_init(struct te_run *run, const struct te_pool *pool, const char *view);
void te_run_exit(struct te_run *run);	/* frees what it points to */

/* creation_time of the snapshot of volumes[index]: dm-thin counts one up for each. */
u32 te_run_creation_time(const struct te_run *run, size_t index);

/* Names and uuids of the run's devices. */
void te_run_pin_uuid(const struct te_run *run, u32 snap_id, char uuid[TE_DM_UUID_BYTES]);
void te_run_pin_name(const struct te_run *run, u32 snap_id, char name[TE_DM_NAME_BYTES]);
void te_run_view_uuid(const struct te_run *run, char uuid[TE_DM_UUID_BYTES]);
void te_run_view_name(const struct te_run *run, char name[TE_DM_NAME_BYTES]);

/* Writes or rewrites the record, on disk when it returns.  -errno after one sentence. */
int te_run_save(const struct te_run *run);

/* Takes it away, likewise, its catalog and its mark (mark.h).  None there is fine. */
int te_run_drop(const struct te_run *run);

/* The text beside the record: written like it; read, to be freed, or NULL after one sentence. */
int te_run_save_catalog(const struct te_run *run, const char *text);
char *te_run_load_catalog(const struct te_run *run);

/*
 * All records, to each(): its non-zero result ends the call.  A file that cannot
 * be read is an error after one sentence, but the others are still shown.
 */
int te_run_each(int (*each)(void *context, const struct te_run *run), void *context);

/*
 * The temporary files that killed writers have left, to each() by the name of
 * their pool; te_run_drop_unfinished() takes one away, under the pool's lock.
 */
int te_run_each_unfinished(int (*each)(void *context, const char *pool_name, const char *file),
			   void *context);
int te_run_drop_unfinished(const char *file);

/*
 * The same record as it is now, for one who has since taken the pool's lock.
 * -ENOENT, quiet: the run has ended.  te_run_exit() it.
 */
int te_run_reload(const struct te_run *run, struct te_run *fresh);

bool te_run_same_boot(const struct te_run *run);

/* True for a view that is open and stands; any other record is of a dead run, or a live one. */
bool te_run_is_open_view(const struct te_run *run);

/* True when the run's record is of this pool: by uuid, without one by name. */
bool te_run_is_of(const struct te_run *run, const struct te_pool *pool);

#endif
