// SPDX-License-Identifier: GPL-2.0-or-later
/* A live pool's moment: frozen in a short window, kept by pins, read as a source. */
#include "live/live.h"

#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <thinexport/target.h>
#include "live/lock.h"
#include "lvm/lvm_lock.h"
#include "live/mark.h"
#include "live/moment.h"
#include "live/pending.h"
#include "live/pin.h"
#include "base/say.h"
#include "live/undo.h"

#define TRIES	3	/* when the pool's volumes change between choice and window */

struct te_live {
	struct te_pool pool;
	struct te_lvm *lvm;		/* NULL: not named by LVM's names */
	struct te_run run;
	struct te_moment moment;
	struct te_moment_ids others;	/* snapshots of views that are open */
	struct te_pin *pins;
	int lock;
	u32 limit_ms;
	u64 window_us;
	size_t nr_snaps;		/* made so far */
	bool reserved;			/* the metadata snapshot is there and ours */
	bool suspended;			/* the window could not resume all */
	bool recorded;
	struct te_pending pending;	/* of one that was taken up */
	struct te_source *source;
	char view[64 + TE_DM_NAME_BYTES];	/* path of its device */
};

/* A record of the same pool: of an open view, a pending send, or to be cleaned up. */
static int look_at_record(void *context, const struct te_run *run)
{
	struct te_live *live = context;
	size_t i;
	u32 *more;

	if (!te_run_is_of(run, &live->pool))
		return 0;
	if (run->phase == TE_RUN_PENDING) {
		te_note("%s: a send of stream %s is pending, and stays; `thinexport cleanup -n` tells of it",
			live->pool.dm.name, run->stream);
	} else if (!te_run_is_open_view(run)) {
		te_error("%s: an earlier run (process %u) was interrupted and has left things in this pool; `thinexport cleanup %s` undoes it",
			 live->pool.dm.name, run->pid, live->pool.dm.name);
		return -EBUSY;
	}
	more = realloc(live->others.ids, (live->others.nr + run->nr_volumes) * sizeof(*more));
	if (!more) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	live->others.ids = more;
	for (i = 0; i < run->nr_volumes; i++)
		more[live->others.nr++] = run->volumes[i].snap_id;
	return 0;
}

static const char *thin_name(const struct te_live *live, size_t index)
{
	dev_t device = live->moment.freeze[index];
	size_t i;

	for (i = 0; i < live->moment.nr_thins; i++)
		if (live->moment.thins[i].dm.major == major(device) &&
		    live->moment.thins[i].dm.minor == minor(device))
			return live->moment.thins[i].dm.name;
	return "a volume";
}

static void say_window(const struct te_live *live, const struct te_window_result *result)
{
	const char *pool = live->pool.dm.name, *why = strerror(-result->err);

	switch (result->failed) {
	case TE_WINDOW_NONE:
	case TE_WINDOW_GUARD:
	case TE_WINDOW_LOOK:
		break;
	case TE_WINDOW_PREPARE:
		te_error("%s: cannot prepare to freeze the pool: %s", pool, why);
		break;
	case TE_WINDOW_SUSPEND_THIN:
		te_error("%s: cannot suspend %s: %s", pool, thin_name(live, result->index), why);
		break;
	case TE_WINDOW_SUSPEND_POOL:
		te_error("%s: cannot suspend the pool: %s", pool, why);
		break;
	case TE_WINDOW_SNAP:
		te_error("%s: cannot snapshot volume %u: %s", pool,
			 live->run.volumes[result->index].dev_id, why);
		break;
	case TE_WINDOW_RESERVE:
		te_error("%s: cannot take the metadata snapshot: %s%s", pool, why,
			 result->err == -EBUSY ? "; another program has just taken one" : "");
		break;
	case TE_WINDOW_LATE:
		te_error("%s: the volumes stood still for more than %u ms and have been resumed; nothing was sent",
			 pool, live->limit_ms);
		break;
	}
}

/* -EAGAIN: the set of volumes has changed since it was chosen. */
static int freeze(struct te_live *live)
{
	struct te_window_snap *snaps = calloc(live->run.nr_volumes, sizeof(*snaps));
	struct te_window_request request = {
		.pool = makedev(live->pool.dm.major, live->pool.dm.minor),
		.thins = live->moment.freeze,
		.nr_thins = live->moment.nr_freeze,
		.nr_mounted = live->moment.nr_mounted,
		.snaps = snaps,
		.nr_snaps = live->run.nr_volumes,
		.limit_ms = live->limit_ms,
		.still = live->moment.still,
	};
	struct te_window_result result;
	size_t i;

	if (!snaps) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	for (i = 0; i < live->run.nr_volumes; i++)
		snaps[i] = (struct te_window_snap){ live->run.volumes[i].dev_id,
						    live->run.volumes[i].snap_id };
	request.mark = te_mark_map(&live->run);
	if (!request.mark) {
		free(snaps);
		return -ENOMEM;
	}
	te_window_run(&request, &result);
	te_mark_unmap(request.mark);
	free(snaps);
	live->nr_snaps = result.nr_created;
	live->reserved = result.reserved;
	live->suspended = result.resume_err != 0;
	live->window_us = result.us;
	if (result.resume_err)
		te_error("%s: cannot resume all volumes: %s; see `dmsetup info`",
			 live->pool.dm.name, strerror(-result.resume_err));
	if (result.failed == TE_WINDOW_NONE)
		return result.resume_err;
	/* Taken by, or gone with, another program since we looked. */
	if (result.failed == TE_WINDOW_SNAP &&
	    (result.err == -EEXIST || result.err == -ENODATA))
		return -EAGAIN;
	say_window(live, &result);
	return result.err;
}

static int undo(struct te_live *live)
{
	struct te_undo known = {
		.known = true,
		.nr_snaps = live->nr_snaps,
		.reserved = live->reserved,
		.suspended = live->suspended,
		.devices_only = te_live_is_kept(live),
	};
	int err = live->recorded ? te_undo_run(&live->run, &known) : 0;

	live->recorded = live->recorded && err;
	live->nr_snaps = 0;
	live->reserved = false;
	return err;
}

/* Choice, record and window, once; nobody else changes the pool's devices meanwhile. */
static int try_moment(struct te_live *live, const struct te_live_options *options,
		      const char *view)
{
	const struct te_moment_wish wish = {
		.wanted = options->volumes,
		.nr_wanted = options->nr_volumes,
		.others = &live->others,
		.lvm = live->lvm,
		.strict = options->strict,
	};
	int err;

	te_moment_free(&live->moment);
	te_run_exit(&live->run);
	err = te_run_init(&live->run, &live->pool, view);
	if (!err)
		err = te_moment_choose(&live->moment, &live->run, &live->pool, &wish);
	if (err)
		return err;
	te_moment_sync(&live->moment);
	/* From here on something of ours may exist, whatever the save says. */
	live->recorded = true;
	err = te_run_save(&live->run);
	if (!err)
		err = freeze(live);
	if (!err)
		err = te_pool_refresh(&live->pool);
	if (err)
		return err;
	err = te_moment_verify(&live->moment, &live->run, &live->pool, &live->others);
	if (err)
		return err;
	live->run.phase = TE_RUN_HELD;
	live->run.held_root = live->pool.held_root;
	return te_run_save(&live->run);
}

static int try_moments(struct te_live *live, const struct te_live_options *options,
		       const char *view)
{
	int err, tries;

	for (tries = 1;; tries++) {
		err = try_moment(live, options, view);
		if (err != -EAGAIN || tries == TRIES)
			break;
		err = undo(live);
		if (!err)
			err = te_pool_refresh(&live->pool);
		if (err)
			return err;
	}
	if (err == -EAGAIN)
		te_error("%s: another program keeps creating or deleting volumes of the pool; try again when it is done",
			 live->pool.dm.name);
	return err;
}

/* What LVM knows is of this very moment, and of this pool. */
static int ask_lvm_again(struct te_live *live, bool strict)
{
	u64 lvm_id, pool_id = live->pool.transaction_id;
	int err = te_lvm_again(live->lvm);

	if (err)
		return err;
	lvm_id = live->lvm->pool->transaction_id;
	if (lvm_id == pool_id)
		return 0;
	if (strict) {
		te_error("%s: LVM has transaction id %llu, the pool %llu: their volumes may not be the same; compare `lvs -o lv_name,thin_id %s` with the ids of `thinexport info %s`, then --force sends it",
			 live->lvm->path, (unsigned long long)lvm_id, (unsigned long long)pool_id,
			 live->lvm->group.name, live->pool.dm.name);
		return -ESTALE;
	}
	te_warn("%s: LVM has transaction id %llu, the pool %llu: names may be those of other volumes",
		live->lvm->path, (unsigned long long)lvm_id, (unsigned long long)pool_id);
	return 0;
}

static int take_moment(struct te_live *live, const struct te_live_options *options,
		       const char *view)
{
	int lock = te_lvm_lock(&live->pool), err;

	if (lock < 0 && lock != -ENOENT)
		return lock;
	/* As it is now that LVM is out of the way. */
	err = te_pool_refresh(&live->pool);
	if (!err)
		err = te_moment_check_pool(&live->pool);
	if (!err && live->lvm)
		err = ask_lvm_again(live, options->strict);
	if (!err)
		err = try_moments(live, options, view);
	if (lock >= 0)
		close(lock);
	return err;
}

/* The metadata snapshot has done its work: pinned trees keep themselves. */
static int release(struct te_live *live)
{
	int err = te_pool_message(&live->pool, "release_metadata_snap");

	if (err) {
		te_error("%s: cannot release the metadata snapshot: %s", live->pool.dm.name,
			 strerror(-err));
		return err;
	}
	live->reserved = false;
	live->run.phase = TE_RUN_OPEN;
	live->run.held_root = 0;
	return te_run_save(&live->run);
}

static int make_pins(struct te_live *live)
{
	live->pins = calloc(live->run.nr_volumes, sizeof(*live->pins));
	if (!live->pins) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	return te_pin_all(&live->run, &live->pool, live->pins);
}

/* Only the chosen volumes, with the names and lengths their tables gave. */
static int describe_source(struct te_live *live)
{
	struct te_source *source = live->source;
	size_t i, kept = 0, next = 0;

	source->lvm = live->lvm;
	source->pool_name = live->lvm ? live->lvm->path : live->run.pool_name;
	for (i = 0; i < source->nr_volumes; i++) {
		struct te_volume *volume = &source->volumes[i];
		const struct te_run_volume *chosen;

		/* Both ascend by id. */
		if (next == live->run.nr_volumes ||
		    volume->details.dev_id != live->run.volumes[next].dev_id) {
			free(volume->name);
			continue;
		}
		chosen = &live->run.volumes[next++];
		free(volume->name);
		volume->name = chosen->name[0] ? strdup(chosen->name) : NULL;
		volume->lvm = live->lvm ? te_lvm_find_id(live->lvm, chosen->dev_id) : NULL;
		volume->virtual_sectors = chosen->sectors;
		volume->size_from = chosen->sectors ? TE_SIZE_FROM_TABLE : TE_SIZE_FROM_MAPPINGS;
		source->volumes[kept++] = *volume;
	}
	source->nr_volumes = kept;
	if (next == live->run.nr_volumes)
		return 0;
	te_error("%s: the metadata snapshot lacks volume %u", live->pool.dm.name,
		 live->run.volumes[next].dev_id);
	return -EIO;
}

static int open_source(struct te_live *live, enum te_live_reader reader)
{
	bool has = reader != TE_LIVE_DIRECT && te_dm_has_target(TE_TARGET_VIEW);
	int err;

	if (!has && reader == TE_LIVE_VIEW) {
		te_error("the kernel has no target '%s'; load the module dm-thinexport, or read without it",
			 TE_TARGET_VIEW);
		return -ENOENT;
	}
	if (!has && reader == TE_LIVE_AUTO)
		te_note("the kernel has no target '%s' (module dm-thinexport): reading the pool's devices directly",
			TE_TARGET_VIEW);
	if (has) {
		err = te_view_create(&live->run, &live->pool, live->pins, TE_VIEW_ROOMY,
				     live->view, sizeof(live->view));
		if (err)
			return err;
		live->source = te_source_open_view(live->view);
	} else {
		live->source = te_source_open_devices(live->pool.metadata, live->pool.data,
						      TE_ROOT_HELD);
	}
	return live->source ? describe_source(live) : -EIO;
}

static void free_live(struct te_live *live)
{
	te_source_close(live->source);
	te_pending_exit(&live->pending);
	te_moment_free(&live->moment);
	te_run_exit(&live->run);
	te_lvm_close(live->lvm);
	free(live->others.ids);
	free(live->pins);
	if (live->lock >= 0)
		te_unlock_pool(live->lock);
	free(live);
}

/* By LVM's names or by the device's. */
static int find_pool(struct te_live *live, const struct te_live_options *options)
{
	if (!te_lvm_is_path(options->pool))
		return te_pool_find(options->pool, &live->pool);
	live->lvm = te_lvm_open(options->pool, options->more, options->nr_more);
	return live->lvm ? te_lvm_find_pool(live->lvm, &live->pool) : -ENOENT;
}

/* LVM's names must be those of all the volumes that the pending send is of, or of the pool. */
static int check_chosen(const struct te_live *live)
{
	const struct te_lvm *lvm = live->lvm;
	size_t i, same = 0;

	if (!lvm || !lvm->nr_chosen)
		return 0;
	for (i = 0; i < live->run.nr_volumes; i++) {
		size_t j;

		for (j = 0; j < lvm->nr_chosen; j++)
			same += lvm->chosen[j]->dev_id == live->run.volumes[i].dev_id;
	}
	if (same == live->run.nr_volumes && same == lvm->nr_chosen)
		return 0;
	te_error("%s: the pending send of stream %s is of other volumes; name the pool, and it goes on with those",
		 lvm->path, live->run.stream);
	return -EINVAL;
}

/* A pending send's moment; devices of it that a killed sender left go first. */
static int take_up(struct te_live *live, const __u8 *stream_id)
{
	const struct te_undo stale = { .devices_only = true };
	int err = te_pending_find(stream_id, &live->pool, &live->run);

	if (err)
		return err;
	live->recorded = true;
	live->nr_snaps = live->run.nr_volumes;
	err = check_chosen(live);
	if (!err)
		err = te_undo_run(&live->run, &stale);
	if (!err)
		err = te_pending_load(&live->pending, &live->run);
	return err ? err : te_pending_check(&live->pending, &live->run, &live->pool);
}

/* Once more: from here on pins hold what is checked. */
static int open_pending(struct te_live *live)
{
	int err = te_pending_check(&live->pending, &live->run, &live->pool);

	if (err)
		return err;
	live->source = te_pending_open(&live->pending, &live->run, &live->pool);
	return live->source ? 0 : -EIO;
}

static int new_moment(struct te_live *live, const struct te_live_options *options,
		      const char *view)
{
	int err = te_run_each(look_at_record, live);

	return err ? err : take_moment(live, options, view);
}

/* Finds the pool, locks it, and takes the moment; what fails leaves nothing. */
static struct te_live *begin(const struct te_live_options *options, const char *view)
{
	struct te_live *live = calloc(1, sizeof(*live));
	int err;

	if (!live) {
		te_error("not enough memory");
		return NULL;
	}
	live->lock = -1;
	live->limit_ms = options->window_limit_ms ? options->window_limit_ms : TE_WINDOW_LIMIT_MS;
	err = te_dm_start();
	if (!err)
		err = find_pool(live, options);
	if (!err) {
		live->lock = te_lock_pool(live->pool.dm.name);
		err = live->lock < 0 ? live->lock : 0;
	}
	if (!err)
		err = options->stream_id ? take_up(live, options->stream_id) :
					   new_moment(live, options, view);
	if (!err)
		err = make_pins(live);
	if (!err)
		return live;
	undo(live);
	free_live(live);
	return NULL;
}

struct te_live *te_live_open(const struct te_live_options *options, struct te_source **source)
{
	struct te_live *live = begin(options, NULL);
	int err;

	if (!live)
		return NULL;
	err = options->stream_id ? open_pending(live) : open_source(live, options->reader);
	if (!err && live->reserved)
		err = release(live);
	if (err) {
		te_live_close(live);
		return NULL;
	}
	*source = live->source;
	return live;
}

u64 te_live_window_us(const struct te_live *live)
{
	return live->window_us;
}

int te_live_keep(struct te_live *live, const __u8 stream_id[16], const char *catalog, u64 most)
{
	return te_pending_begin(&live->run, stream_id, catalog, most);
}

bool te_live_is_kept(const struct te_live *live)
{
	return live->run.phase == TE_RUN_PENDING;
}

int te_live_let_go(struct te_live *live)
{
	return te_pending_end(&live->run);
}

static void say_kept(const struct te_live *live)
{
	const char *pool = live->lvm ? live->lvm->path : live->pool.dm.name;

	te_note("%s: the moment of stream %s is kept, by snapshots that may come to hold %s: `thinexport send --resume TOKEN %s` goes on with it; when all has arrived, `thinexport cleanup --pending %s` drops it",
		pool, live->run.stream, te_bytes(live->run.most_bytes), pool, live->run.stream);
}

int te_live_close(struct te_live *live)
{
	int err;

	/* First, as it holds the view open. */
	te_source_close(live->source);
	live->source = NULL;
	if (te_live_is_kept(live))
		say_kept(live);
	err = undo(live);
	free_live(live);
	return err;
}

/* Is there a device or another view of this name already? */
static int check_view_name(const char *name)
{
	struct te_dm_device device;
	int err;

	if (!name[0] || strchr(name, '/') || strlen(name) >= TE_DM_NAME_BYTES) {
		te_error("'%s' cannot be the name of a device", name);
		return -EINVAL;
	}
	err = te_dm_find(name, &device);
	if (err == -ENXIO)
		return 0;
	if (err) {
		te_error("/dev/mapper/%s: cannot be looked up: %s", name, strerror(-err));
		return err;
	}
	te_error("there is a device /dev/mapper/%s already; choose another name", name);
	return -EEXIST;
}

int te_live_open_view(const struct te_live_options *options, const char *name, u64 *window_us,
		      u64 *bytes)
{
	struct te_live *live;
	int err;

	err = te_dm_start();
	if (!err)
		err = check_view_name(name);
	if (err)
		return err;
	if (!te_dm_has_target(TE_TARGET_VIEW)) {
		te_error("the kernel has no target '%s'; load the module dm-thinexport",
			 TE_TARGET_VIEW);
		return -ENOENT;
	}
	live = begin(options, name);
	if (!live)
		return -EIO;
	err = te_view_create(&live->run, &live->pool, live->pins, TE_VIEW_EXACT, live->view,
			     sizeof(live->view));
	if (!err)
		err = te_block_bytes(live->view, bytes);
	if (!err)
		err = release(live);
	*window_us = live->window_us;
	if (err)
		undo(live);
	free_live(live);
	return err;
}
