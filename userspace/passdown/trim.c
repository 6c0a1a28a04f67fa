// SPDX-License-Identifier: GPL-2.0-or-later
/* Trim: what no volume of a pool has is discarded through the passdown below. */
#include "passdown/trim.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <thinexport/thin_disk.h>
#include "base/interrupt.h"
#include "base/say.h"
#include "core/reach.h"
#include "live/dm_table.h"
#include "live/lock.h"
#include "live/mark.h"
#include "live/moment.h"
#include "live/record.h"
#include "live/undo.h"
#include "live/window.h"
#include "lvm/lvm.h"
#include "lvm/lvm_lock.h"
#include "passdown/discard.h"
#include "passdown/extents.h"
#include "passdown/stripe.h"
#include "source/image.h"
#include "source/source.h"

struct trim {
	const struct te_trim_options *options;
	struct te_trim_report *report;
	struct te_pool pool;
	struct te_stack stack;
	int pool_lock;
	int *shim_locks;		/* of stack.shims, those that are held */
	size_t nr_shim_locks;
	struct te_run run;
	bool recorded, reserved, suspended;
	size_t nr_guarded;
	struct te_source *source;	/* of a pool that is not active */
	u8 *superblock;			/* as it was in the window */
	struct te_reach reach;
	u64 nr_blocks;			/* of the pool, at the time of the metadata snapshot */
};

static int no_memory(void)
{
	te_error("not enough memory");
	return -ENOMEM;
}

static int find_pool(struct trim *trim)
{
	const char *name = trim->options->pool;
	struct te_lvm *lvm;
	int err;

	snprintf(trim->report->pool, sizeof(trim->report->pool), "%s", name);
	if (!te_lvm_is_path(name))
		return te_pool_find(name, &trim->pool);
	lvm = te_lvm_open(name, NULL, 0);
	if (!lvm)
		return -ENOENT;
	err = te_lvm_find_pool(lvm, &trim->pool);
	if (!err && lvm->nr_chosen) {
		te_error("%s is a volume: fstrim or blkdiscard discards in it; its pool is %s", name,
			 lvm->path);
		err = -EINVAL;
	}
	te_lvm_close(lvm);
	return err;
}

/* What an interrupted run has left is for cleanup; a pending send has left volumes alone. */
static int look_at_record(void *context, const struct te_run *run)
{
	struct trim *trim = context;
	bool same = te_run_is_of(run, &trim->pool) && run->phase != TE_RUN_PENDING &&
		    !te_run_is_open_view(run);
	size_t i, j;

	/* A look only leaves the passdowns to a trim of another pool that is at work. */
	for (i = 0; !same && !trim->options->dry && i < run->nr_guards && te_run_same_boot(run); i++)
		for (j = 0; j < trim->stack.nr_shims; j++)
			same = same || !strcmp(run->guards[i].name, trim->stack.shims[j].dm.name);
	if (!same)
		return 0;
	te_error("%s: an earlier run (process %u) was interrupted and has left things in %s; `thinexport cleanup %s` undoes it",
		 trim->pool.dm.name, run->pid, run->pool_name, run->pool_name);
	return -EBUSY;
}

static int lock_shims(struct trim *trim)
{
	size_t i;

	trim->shim_locks = calloc(trim->stack.nr_shims, sizeof(*trim->shim_locks));
	if (!trim->shim_locks)
		return no_memory();
	for (i = 0; i < trim->stack.nr_shims; i++) {
		int lock = te_lock_pool(trim->stack.shims[i].dm.name);

		if (lock < 0)
			return lock;
		trim->shim_locks[trim->nr_shim_locks++] = lock;
	}
	return 0;
}

/* Each passdown can take discards now. */
static int check_shim(const struct te_shim *shim)
{
	char array[32];

	if (shim->guarded) {
		te_error("%s: its guard is on, and no run of thinexport is recorded that has begun it; `dmsetup message %s 0 guard_end` ends it",
			 shim->dm.name, shim->dm.name);
		return -EBUSY;
	}
	if (te_md_reshaping(shim->below, array, sizeof(array))) {
		te_error("%s: %s is being reshaped or about to be, and a discard would never end: trim when that is done",
			 shim->dm.name, array);
		return -EBUSY;
	}
	te_shim_warn_of_stripe(shim);
	return 0;
}

static int refuse_without_shim(const struct trim *trim)
{
	if (trim->source)
		te_error("%s: its data lies on %s, and nowhere on a passdown; while the pool is not active one can be put below, for this time only: `thinexport passdown create --once`",
			 trim->pool.dm.name, trim->stack.barrier);
	else
		te_error("%s: its data lies on %s, and nowhere on a passdown: without one nobody sees what a live pool writes meanwhile, so nothing of it can be discarded safely; see `thinexport passdown create`",
			 trim->pool.dm.name, trim->stack.barrier);
	return -ENODEV;
}

/* What is below, alone with us; a look only wants nothing of it. */
static int take_shims(struct trim *trim)
{
	bool dry = trim->options->dry;
	size_t i;
	int err = te_stack_read(&trim->pool, &trim->stack);

	if (!err && !dry)
		err = trim->stack.nr_shims ? lock_shims(trim) : refuse_without_shim(trim);
	/* First: guards and a metadata snapshot that such a run has left have its record. */
	if (!err)
		err = te_run_each(look_at_record, trim);
	for (i = 0; !err && !dry && i < trim->stack.nr_shims; i++) {
		/* Of now that nobody changes it. */
		err = te_shim_refresh(&trim->stack.shims[i]);
		if (!err)
			err = check_shim(&trim->stack.shims[i]);
	}
	return err;
}

static int record(struct trim *trim)
{
	size_t nr = trim->options->dry ? 0 : trim->stack.nr_shims, i;
	int err = te_run_init(&trim->run, &trim->pool, NULL);

	if (err)
		return err;
	trim->run.guards = calloc(nr + 1, sizeof(*trim->run.guards));
	if (!trim->run.guards)
		return no_memory();
	for (i = 0; i < nr; i++) {
		struct te_run_guard *guard = &trim->run.guards[trim->run.nr_guards++];

		guard->major = trim->stack.shims[i].dm.major;
		guard->minor = trim->stack.shims[i].dm.minor;
		memcpy(guard->name, trim->stack.shims[i].dm.name, sizeof(guard->name));
	}
	/* From here on something of ours may exist, whatever the save says. */
	trim->recorded = true;
	return te_run_save(&trim->run);
}

static int say_window(const struct trim *trim, const struct te_window_result *result)
{
	const char *pool = trim->pool.dm.name, *why = strerror(-result->err);

	switch (result->failed) {
	case TE_WINDOW_NONE:
	case TE_WINDOW_SUSPEND_THIN:
	case TE_WINDOW_SNAP:
		break;
	case TE_WINDOW_PREPARE:
		te_error("%s: cannot prepare to suspend the pool: %s", pool, why);
		break;
	case TE_WINDOW_SUSPEND_POOL:
		te_error("%s: cannot suspend the pool: %s", pool, why);
		break;
	case TE_WINDOW_GUARD:
		te_error("%s: the guard of %s cannot begin: %s", pool,
			 trim->stack.shims[result->index].dm.name, why);
		break;
	case TE_WINDOW_RESERVE:
		te_error("%s: cannot take the metadata snapshot: %s%s", pool, why,
			 result->err == -EBUSY ? "; another program has just taken one" : "");
		break;
	case TE_WINDOW_LOOK:
		te_error("%s: cannot read the superblock of %s: %s", pool, trim->pool.metadata, why);
		break;
	case TE_WINDOW_LATE:
		te_error("%s: the pool stood still for more than %u ms and has been resumed; nothing was discarded",
			 pool, TE_WINDOW_LIMIT_MS);
		break;
	}
	return result->err;
}

/* The window itself; a look only suspends nothing and begins no guard. */
static int run_window(struct trim *trim, const struct te_window_look *look, const dev_t *guards)
{
	struct te_window_request request = {
		.pool = makedev(trim->pool.dm.major, trim->pool.dm.minor),
		.limit_ms = TE_WINDOW_LIMIT_MS,
		.still = trim->options->dry,
		.guards = guards,
		.nr_guards = trim->run.nr_guards,
		.look = look,
	};
	struct te_window_result result;

	request.mark = te_mark_map(&trim->run);
	if (!request.mark)
		return -ENOMEM;
	te_window_run(&request, &result);
	te_mark_unmap(request.mark);
	trim->nr_guarded = result.nr_guarded;
	trim->reserved = result.reserved;
	trim->suspended = result.resume_err != 0;
	trim->report->window_us = result.us;
	if (result.resume_err)
		te_error("%s: cannot be resumed: %s; see `dmsetup info`", trim->pool.dm.name,
			 strerror(-result.resume_err));
	return result.failed == TE_WINDOW_NONE ? result.resume_err : say_window(trim, &result);
}

static int freeze(struct trim *trim)
{
	struct te_window_look look = { .block = trim->superblock };
	dev_t *guards = calloc(trim->run.nr_guards + 1, sizeof(*guards));
	size_t i;
	int err;

	if (!guards)
		return no_memory();
	for (i = 0; i < trim->run.nr_guards; i++)
		guards[i] = te_shim_dev(&trim->stack.shims[i]);
	look.fd = open(trim->pool.metadata, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (look.fd < 0) {
		err = -errno;
		te_error("cannot open %s: %s", trim->pool.metadata, strerror(-err));
	} else {
		err = run_window(trim, &look, guards);
		close(look.fd);
	}
	free(guards);
	return err;
}

/* The map to the passdowns is what it was before the window. */
static int check_stack(struct trim *trim)
{
	struct te_stack now;
	bool same;
	int err = te_stack_read(&trim->pool, &now);

	if (err)
		return err;
	same = te_stack_same(&trim->stack, &now);
	te_stack_exit(&now);
	if (same)
		return 0;
	te_error("%s: another program has changed what its data lies on; nothing was discarded",
		 trim->pool.dm.name);
	return -ESTALE;
}

/* Steps 1 to 4, while LVM keeps away. */
static int take_moment(struct trim *trim)
{
	int lock = te_lvm_lock(&trim->pool), err;

	if (lock < 0 && lock != -ENOENT)
		return lock;
	err = te_pool_refresh(&trim->pool);
	if (!err)
		err = take_shims(trim);
	if (!err)
		err = te_moment_check_pool(&trim->pool);
	if (!err)
		err = record(trim);
	if (!err)
		err = freeze(trim);
	if (!err)
		err = te_pool_refresh(&trim->pool);
	if (!err && !trim->options->dry)
		err = check_stack(trim);
	if (!err) {
		trim->run.phase = TE_RUN_HELD;
		trim->run.held_root = trim->pool.held_root;
		err = te_run_save(&trim->run);
	}
	if (lock >= 0)
		close(lock);
	return err;
}

/* A pool that is not active: all that a live one's window is for. */
static int take_offline(struct trim *trim)
{
	const char *metadata = trim->options->metadata, *data = trim->options->data;
	char answer[8];
	size_t i;
	int err;

	trim->source = te_source_open_devices(metadata, data, TE_ROOT_SUPERBLOCK);
	if (!trim->source)
		return -EIO;
	if (trim->source->needs_check || !trim->source->images[1]->block_device) {
		te_error("%s: %s, so nothing of it is discarded", data, trim->source->needs_check ?
			 "the pool needs thin_check to be run first" : "this is no block device");
		return -EINVAL;
	}
	snprintf(trim->pool.dm.name, sizeof(trim->pool.dm.name), "%s", data);
	snprintf(trim->pool.metadata, sizeof(trim->pool.metadata), "%s", metadata);
	trim->pool.data_major = major(trim->source->images[1]->dev);
	trim->pool.data_minor = minor(trim->source->images[1]->dev);
	trim->pool.block_sectors = trim->source->block_sectors;
	trim->pool.nr_data_blocks = trim->source->nr_data_blocks;
	err = take_shims(trim);
	for (i = 0; !err && !trim->options->dry && i < trim->stack.nr_shims; i++) {
		err = te_dm_message(&trim->stack.shims[i].dm, TE_MESSAGE_GUARD_BEGIN, answer,
				    sizeof(answer));
		trim->nr_guarded += !err;
		if (err)
			te_error("%s: its guard cannot begin: %s", trim->stack.shims[i].dm.name,
				 strerror(-err));
	}
	return err || trim->options->dry ? err : check_stack(trim);
}

/* The superblock that the trees are of: the window's, or what nobody else may change. */
static int read_superblock(const struct trim *trim, const struct te_source *source,
			   struct te_superblock *sb)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	int err = trim->source ? te_superblock_read(source->reader, false, sb, &fault) :
				 te_superblock_check(trim->superblock, 0, source->reader->nr_blocks,
						     sb, &fault);

	if (err)
		te_error_fault(trim->pool.metadata, &fault);
	return err;
}

/* It belongs to the metadata snapshot, and its count to our walk. */
static int check_count(struct trim *trim, const struct te_source *source)
{
	struct te_superblock sb;
	int err = read_superblock(trim, source, &sb);

	if (err)
		return err;
	trim->nr_blocks = sb.nr_data_blocks;
	if ((!trim->source && sb.held_root != trim->run.held_root) ||
	    sb.nr_data_blocks > trim->reach.data.nr_bits) {
		te_error("%s: the metadata snapshot is not the one that was taken; nothing was discarded",
			 trim->pool.dm.name);
		return -ESTALE;
	}
	/* Nothing stood still: the pool has counted on. */
	if ((trim->options->dry && !trim->source) ||
	    sb.nr_allocated_data_blocks == trim->reach.data.nr_set)
		return 0;
	te_error("%s: the pool counts %llu blocks in use, its volumes have %llu: its metadata is damaged or has lost blocks, and nothing was discarded; deactivate the pool and run thin_check",
		 trim->pool.dm.name, (unsigned long long)sb.nr_allocated_data_blocks,
		 (unsigned long long)trim->reach.data.nr_set);
	return -EUCLEAN;
}

static int walk_volumes(struct trim *trim, struct te_source *source)
{
	struct te_fault fault = { .kind = TE_FAULT_NONE };
	char name[128];
	size_t i;
	int err = te_reach_init(&trim->reach, source->reader->nr_blocks, source->nr_data_blocks,
				source->block_sectors);

	if (err)
		return no_memory();
	for (i = 0; !err && i < source->nr_volumes; i++) {
		if (te_interrupted())
			return -EINTR;
		err = te_reach_volume(&trim->reach, source->reader, source->volumes[i].details.root,
				      &fault);
		if (err) {
			snprintf(name, sizeof(name), "%s, volume %u", trim->pool.metadata,
				 source->volumes[i].details.dev_id);
			te_error_fault(name, &fault);
		}
	}
	return err ? err : check_count(trim, source);
}

/* Step 5. */
static int walk(struct trim *trim)
{
	struct te_source *source = te_source_open_devices(trim->pool.metadata, trim->pool.data,
							  TE_ROOT_HELD);
	int err;

	if (!source)
		return -EIO;
	err = walk_volumes(trim, source);
	te_source_close(source);
	if (err)
		return err;
	err = te_pool_message(&trim->pool, "release_metadata_snap");
	if (err) {
		te_error("%s: cannot release the metadata snapshot: %s", trim->pool.dm.name,
			 strerror(-err));
		return err;
	}
	trim->reserved = false;
	trim->run.phase = TE_RUN_OPEN;
	trim->run.held_root = 0;
	return te_run_save(&trim->run);
}

/* What is free, and what of it can go down at all. */
static int add_extent(void *context, long shim, u64 start, u64 sectors)
{
	struct trim *trim = context;
	u64 stripe, first, end;

	trim->report->free += sectors * 512;
	if (shim < 0) {
		trim->report->beside += sectors * 512;
		return 0;
	}
	stripe = trim->stack.shims[shim].stripe_sectors;
	start += trim->stack.shims[shim].start;
	first = (start + stripe - 1) / stripe;
	end = (start + sectors) / stripe;
	if (end > first)
		trim->report->stripes += (end - first) * stripe * 512;
	return 0;
}

static void sum_up(struct trim *trim, const struct te_extents *extents)
{
	u64 block_bytes = (u64)trim->pool.block_sectors * 512;

	trim->report->size = trim->nr_blocks * block_bytes;
	trim->report->used = trim->reach.data.nr_set * block_bytes;
	memcpy(trim->report->barrier, trim->stack.barrier, sizeof(trim->report->barrier));
	te_extents_each(extents, add_extent, trim);
}

/* -ENOENT: somebody else has ended it. */
static int end_offline_guards(struct trim *trim)
{
	const struct te_shim *shim;
	int err = 0, one;

	while (trim->nr_guarded) {
		shim = &trim->stack.shims[--trim->nr_guarded];
		one = te_shim_guard_end(shim);
		if (!one || one == -ENOENT)
			continue;
		te_error("%s: its guard cannot be ended: %s; `dmsetup message %s 0 guard_end` ends it",
			 shim->dm.name, strerror(-one), shim->dm.name);
		err = one;
	}
	return err;
}

/* Ends the guards, or what else is there of a run. */
static int end_run(struct trim *trim)
{
	struct te_undo known = {
		.known = true,
		.nr_guards = trim->nr_guarded,
		.reserved = trim->reserved,
		.suspended = trim->suspended,
	};
	int err = 0;

	if (trim->recorded)
		err = te_undo_run(&trim->run, &known);
	else if (trim->source)
		err = end_offline_guards(trim);
	trim->recorded = trim->recorded && err;
	return err;
}

/* Of one passdown: what was left out while discards were sent; then what is due goes down. */
static int finish_shim(struct trim *trim, const struct te_shim *before)
{
	struct te_shim_flush flush = { .most_rate = trim->options->most_rate };
	struct te_trim_report *report = trim->report;
	struct te_shim now = *before;
	int err = te_shim_refresh(&now);

	if (err)
		return err;
	report->written += te_shim_bytes(&now, now.guarded_units - before->guarded_units);
	if (now.due_stripes && now.way != TE_SHIM_NONE)
		err = te_shim_flush(&now, &flush);
	report->failed_passes += flush.failed_passes;
	if (te_shim_refresh(&now))
		return -EIO;
	report->passed += te_shim_stripe_bytes(&now, now.passed_stripes - before->passed_stripes);
	report->due += te_shim_stripe_bytes(&now, now.due_stripes);
	if (now.due_stripes && now.way == TE_SHIM_NONE) {
		te_error("%s: what is below takes no discard, so what is free is only remembered: `thinexport passdown status %s` tells of the ways out",
			 now.dm.name, now.dm.name);
		report->no_discard = true;
	}
	return err;
}

static int flush_all(struct trim *trim)
{
	int err = 0, one;
	size_t i;

	for (i = 0; i < trim->stack.nr_shims; i++) {
		one = finish_shim(trim, &trim->stack.shims[i]);
		if (one && !err)
			err = one;
	}
	return err;
}

static int run(struct trim *trim)
{
	struct te_extents extents = { .used = &trim->reach.data, .stack = &trim->stack };
	bool offline = trim->options->metadata;
	int err = offline ? take_offline(trim) : take_moment(trim), ended;

	if (!err)
		err = offline ? walk_volumes(trim, trim->source) : walk(trim);
	if (!err) {
		extents.nr_blocks = trim->nr_blocks;
		extents.block_sectors = trim->pool.block_sectors;
		sum_up(trim, &extents);
	}
	if (!err && !trim->options->dry)
		err = te_discard_extents(&extents, trim->options->most_rate, &trim->report->sent);
	ended = end_run(trim);
	if (!err)
		err = ended;
	if (!err && !trim->options->dry)
		err = flush_all(trim);
	return err;
}

int te_trim(const struct te_trim_options *options, struct te_trim_report *report)
{
	struct trim trim = { .options = options, .report = report, .pool_lock = -1 };
	int err;

	memset(report, 0, sizeof(*report));
	trim.superblock = aligned_alloc(THIN_METADATA_BLOCK_BYTES, THIN_METADATA_BLOCK_BYTES);
	err = trim.superblock ? te_dm_start() : no_memory();
	if (!err && options->metadata)
		snprintf(report->pool, sizeof(report->pool), "%s", options->data);
	else if (!err)
		err = find_pool(&trim);
	if (!err && !options->metadata) {
		trim.pool_lock = te_lock_pool(trim.pool.dm.name);
		err = trim.pool_lock < 0 ? trim.pool_lock : 0;
	}
	if (!err)
		err = run(&trim);
	report->complete = !err;
	while (trim.nr_shim_locks)
		te_unlock_pool(trim.shim_locks[--trim.nr_shim_locks]);
	if (trim.pool_lock >= 0)
		te_unlock_pool(trim.pool_lock);
	te_source_close(trim.source);
	te_reach_exit(&trim.reach);
	te_stack_exit(&trim.stack);
	te_run_exit(&trim.run);
	free(trim.shim_locks);
	free(trim.superblock);
	return err;
}
