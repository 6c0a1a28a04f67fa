// SPDX-License-Identifier: GPL-2.0-or-later
/* Undoing a run on a live pool, from its record. */
#include "live/undo.h"

#include <stdarg.h>
#include <stdio.h>

#include "live/lock.h"
#include "live/mark.h"
#include "live/peek.h"
#include "base/say.h"
#include "passdown/shim.h"

struct undoing {
	const struct te_run *run;
	const struct te_undo *undo;
	struct te_pool pool;
	int err;			/* the first failure */
	bool left;			/* something that may be the run's */
	bool guard_left;
};

static void failed(struct undoing *at, int err)
{
	if (!at->err)
		at->err = err;
}

/* Tells the act; true when it is to be done. */
static bool act(const struct undoing *at, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static bool act(const struct undoing *at, const char *format, ...)
{
	char what[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	if (at->undo->tell)
		at->undo->tell(at->undo->context, at->run, what);
	return !at->undo->dry;
}

/* The run's pool as it is now: its uuid, or for want of one its name. */
static int find_pool(const struct te_run *run, struct te_dm_device *device)
{
	int err = run->pool_uuid[0] ? te_dm_find_uuid(run->pool_uuid, device) :
				      te_dm_find(run->pool_name, device);

	if (!err && !run->pool_uuid[0] && device->uuid[0])
		err = -ENXIO;
	return err;
}

static void resume_device(struct undoing *at, const struct te_dm_device *device)
{
	int err;

	if (!device->suspended || !act(at, "resume %s", device->name))
		return;
	err = te_dm_resume(device->major, device->minor);
	if (err) {
		te_error("cannot resume %s: %s", device->name, strerror(-err));
		failed(at, err);
	}
}

static bool was_suspended(const struct te_run *run, const struct te_dm_device *device)
{
	size_t i;

	for (i = 0; i < run->nr_suspends; i++)
		if (run->suspends[i][0] == device->major && run->suspends[i][1] == device->minor)
			return true;
	return false;
}

/* The pool first: its volumes' resume would wait for it. */
static void resume_all(struct undoing *at)
{
	struct te_thin *thins;
	size_t nr, i;
	int err;

	resume_device(at, &at->pool.dm);
	err = te_pool_thins(&at->pool, &thins, &nr);
	if (err) {
		failed(at, err);
		return;
	}
	for (i = 0; i < nr; i++)
		if (was_suspended(at->run, &thins[i].dm))
			resume_device(at, &thins[i].dm);
	free(thins);
}

static void remove_device(struct undoing *at, const char *uuid)
{
	struct te_dm_device device;
	int err = te_dm_find_uuid(uuid, &device);

	if (err == -ENXIO || (!err && !act(at, "remove the device %s", device.name)))
		return;
	if (!err)
		err = te_dm_remove_uuid(uuid);
	if (err == -EBUSY)
		te_error("/dev/mapper/%s is in use; end what reads it, then run `thinexport %s`",
			 device.name, at->run->view[0] ? "view close" : "cleanup");
	else if (err)
		te_error("cannot remove the device of uuid %s: %s", uuid, strerror(-err));
	if (err)
		failed(at, err);
}

static void remove_devices(struct undoing *at)
{
	char uuid[TE_DM_UUID_BYTES];
	size_t i;

	te_run_view_uuid(at->run, uuid);
	remove_device(at, uuid);
	for (i = 0; i < at->run->nr_volumes; i++) {
		te_run_pin_uuid(at->run, at->run->volumes[i].snap_id, uuid);
		remove_device(at, uuid);
	}
}

/* 1: it is on; 0: it is not, or its device is gone or another's now; or -errno. */
static int find_guard(const struct te_run_guard *guard, struct te_shim *shim)
{
	struct te_dm_device device;
	int is = te_dm_find_number(guard->major, guard->minor, &device);

	if (!is)
		is = strcmp(device.name, guard->name) ? -ENXIO : te_shim_read(&device, shim);
	if (is > 0)
		return shim->guarded;
	return is == -ENXIO ? 0 : is;
}

static void end_guard(struct undoing *at, const struct te_run_guard *guard)
{
	struct te_shim shim;
	int err = find_guard(guard, &shim);

	if (!err || (err > 0 && !act(at, "end the guard of %s", guard->name)))
		return;
	if (err > 0)
		err = te_shim_guard_end(&shim);
	if (err && err != -ENOENT) {
		te_error("%s: its guard cannot be ended: %s", guard->name, strerror(-err));
		at->guard_left = true;
		failed(at, err);
	}
}

/* Its maker has the passdowns' locks; for a dead one they are taken. */
static void end_guards(struct undoing *at)
{
	size_t nr = at->undo->known ? at->undo->nr_guards : at->run->nr_guards, i;
	int lock;

	if (!te_run_same_boot(at->run))
		return;
	for (i = 0; i < nr; i++) {
		lock = at->undo->known ? -1 : te_lock_pool(at->run->guards[i].name);
		if (at->undo->known || lock >= 0) {
			end_guard(at, &at->run->guards[i]);
		} else {
			at->guard_left = true;
			failed(at, lock);
		}
		if (lock >= 0)
			te_unlock_pool(lock);
	}
}

/* Every volume's tree is its snapshot's. */
static bool is_our_moment(const struct te_run *run, const struct te_peek *held)
{
	const struct te_details *volume, *snap;
	size_t i;

	for (i = 0; i < run->nr_volumes; i++) {
		volume = te_peek_find(held, run->volumes[i].dev_id);
		snap = te_peek_find(held, run->volumes[i].snap_id);
		if (!volume || !snap || volume->root != snap->root ||
		    snap->creation_time != te_run_creation_time(run, i))
			return false;
	}
	return true;
}

/* Whether there can be a metadata snapshot of the run's, as far as can be told without its pool. */
static bool may_have_reserved(const struct undoing *at)
{
	const struct te_run *run = at->run;

	if (at->undo->known)
		return at->undo->reserved;
	return run->phase == TE_RUN_HELD ||
	       (run->phase == TE_RUN_WINDOW && te_mark_read(run) != TE_MARK_BEGUN);
}

static bool held_root_is_ours(struct undoing *at)
{
	const struct te_run *run = at->run;
	struct te_peek held;
	bool ours;
	int err;

	if (!may_have_reserved(at))
		return false;
	if (at->undo->known)
		return true;
	if (run->phase == TE_RUN_HELD && at->pool.held_root != run->held_root)
		return false;
	err = te_peek_pool(&at->pool, true, &held);
	if (err) {
		failed(at, err);
		return false;
	}
	ours = is_our_moment(run, &held);
	te_peek_free(&held);
	if (ours && run->phase == TE_RUN_WINDOW && te_mark_read(run) == TE_MARK_LOST) {
		te_error("%s: the pool has a metadata snapshot (block %llu) that this run or, after it, another program has taken: the machine went down and nothing tells; left. If no other program uses it, `dmsetup message %s 0 release_metadata_snap`",
			 run->pool_name, (unsigned long long)at->pool.held_root,
			 run->pool_name);
		at->left = true;
		return false;
	}
	return ours;
}

static void release(struct undoing *at)
{
	int err;

	if (!at->pool.held_root || !held_root_is_ours(at) ||
	    !act(at, "release the metadata snapshot"))
		return;
	err = te_pool_message(&at->pool, "release_metadata_snap");
	if (err) {
		te_error("%s: cannot release the metadata snapshot: %s", at->run->pool_name,
			 strerror(-err));
		failed(at, err);
	}
}

static void delete_one(struct undoing *at, const struct te_run_volume *volume)
{
	int err;

	if (!act(at, "delete the snapshot %u of volume %u", volume->snap_id, volume->dev_id))
		return;
	err = te_pool_message(&at->pool, "delete %u", volume->snap_id);
	/* -ENODATA: there is none. */
	if (err && err != -ENODATA) {
		te_error("%s: cannot delete the snapshot %u: %s", at->run->pool_name,
			 volume->snap_id, strerror(-err));
		failed(at, err);
	}
}

static void delete_snapshots(struct undoing *at)
{
	const struct te_run *run = at->run;
	const struct te_details *snap;
	struct te_peek now;
	size_t i;
	int err;

	if (at->undo->known) {
		for (i = 0; i < at->undo->nr_snaps; i++)
			delete_one(at, &run->volumes[i]);
		return;
	}
	err = te_peek_pool(&at->pool, false, &now);
	if (err) {
		failed(at, err);
		return;
	}
	for (i = 0; i < run->nr_volumes; i++) {
		snap = te_peek_find(&now, run->volumes[i].snap_id);
		if (!snap)
			continue;
		if (snap->creation_time == te_run_creation_time(run, i)) {
			delete_one(at, &run->volumes[i]);
			continue;
		}
		te_error("%s: volume %u has the id of a snapshot of this run but another time of creation (%u, not %u), so it may be another program's: left. If nobody needs it, `dmsetup message %s 0 'delete %u'`",
			 run->pool_name, snap->dev_id, snap->creation_time,
			 te_run_creation_time(run, i), run->pool_name, snap->dev_id);
		at->left = true;
	}
	te_peek_free(&now);
}

/* What stands still now, but not by this run, is somebody else's. */
static void resume_ours(struct undoing *at)
{
	if (at->undo->known ? at->undo->suspended :
	    at->run->phase == TE_RUN_WINDOW && te_run_same_boot(at->run))
		resume_all(at);
}

static void undo_in_pool(struct undoing *at)
{
	at->err = te_pool_refresh(&at->pool);
	if (at->err)
		return;
	release(at);
	delete_snapshots(at);
}

/* The record stays, but guards that are on no more keep nobody from a trim. */
static void forget_guards(const struct undoing *at)
{
	struct te_run run = *at->run;

	if (!run.nr_guards || at->guard_left)
		return;
	run.nr_guards = 0;
	te_run_save(&run);
}

/* What is in a pool that is not active stays, and the record with it. */
static void leave_in_pool(struct undoing *at)
{
	const struct te_run *run = at->run;

	if (!run->nr_volumes && !may_have_reserved(at))
		return;
	te_error("the pool %s is not active, and only there can the %s of an interrupted run be %s: activate it, then run `thinexport cleanup`",
		 run->pool_name, run->nr_volumes ? "snapshots" : "metadata snapshot",
		 run->nr_volumes ? "deleted" : "released");
	failed(at, -ENXIO);
}

/* 0, -ENXIO: it is not active, or another -errno after one sentence. */
static int look_at_pool(struct undoing *at)
{
	int err = find_pool(at->run, &at->pool.dm);

	if (!err)
		return te_pool_refresh(&at->pool);
	if (err != -ENXIO)
		te_error("%s: cannot be looked up: %s", at->run->pool_name, strerror(-err));
	return err;
}

int te_undo_run(const struct te_run *run, const struct te_undo *undo)
{
	struct undoing at = { .run = run, .undo = undo };
	int err = look_at_pool(&at);

	if (!err)
		resume_ours(&at);
	/* Neither is in the pool: they go whatever became of that. */
	end_guards(&at);
	remove_devices(&at);
	if (err && err != -ENXIO)
		failed(&at, err);
	if (undo->devices_only)
		return at.err;
	if (err == -ENXIO)
		leave_in_pool(&at);
	else if (!at.err)
		undo_in_pool(&at);
	if (at.err && !undo->dry)
		forget_guards(&at);
	else if (!undo->dry)
		at.err = te_run_drop(run);
	return !at.err && at.left ? -EUCLEAN : at.err;
}
