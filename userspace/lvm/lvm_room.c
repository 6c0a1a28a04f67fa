// SPDX-License-Identifier: GPL-2.0-or-later
/* The room of an active pool that is written to by others too. */
#include "lvm/lvm_room.h"

#include <stdio.h>
#include <time.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/say.h"
#include "base/words.h"

#define SECTOR_BYTES	512u
#define MOST_BYTES	4096u
#define MOST_BUDGET	(64ULL << 20)
#define PAUSE_NS	200000000L
#define TRIES		(5 * TE_LVM_ROOM_SECONDS)	/* with such a pause */

/* Metadata blocks that a data block may take, were each in a leaf of its own. */
#define METADATA_OF_BLOCK	4u

static int ask(const struct te_lvm_room *room, const char *const argv[], struct te_child *child)
{
	int err = te_child_run((char *const *)argv, MOST_BYTES, child);

	if (err == -EINTR || (!err && !child->status))
		return err;
	te_error("%s: cannot ask LVM about it: `lvm %s`: %s", room->lvm->path, argv[1],
		 err ? strerror(-err) : te_child_reason(child));
	return err ? err : -EIO;
}

/* "thin_pool_autoextend_threshold=70" */
static int ask_threshold(struct te_lvm_room *room)
{
	const char *argv[] = {
		"lvm", "lvmconfig", "--typeconfig", "full", "activation/thin_pool_autoextend_threshold",
		NULL, NULL, NULL,
	};
	const char *number, *rest;
	struct te_child child;
	u64 threshold = 0;
	int err;

	if (room->lvm->pool->profile) {
		argv[5] = "--metadataprofile";
		argv[6] = room->lvm->pool->profile;
	}
	err = ask(room, argv, &child);
	number = err ? NULL : strchr(child.text, '=');
	if (!err && (!number || !te_parse_number(number + 1, '\n', 100, &threshold, &rest))) {
		te_error("%s: cannot make sense of LVM's setting '%s'", room->lvm->path, child.text);
		err = -EINVAL;
	}
	room->threshold = (unsigned int)threshold;
	te_free(child.text);
	return err;
}

static int ask_monitor(struct te_lvm_room *room)
{
	const char *argv[] = { "lvm", "lvs", "--nolocking", "--noheadings", "--options",
			       "seg_monitor", room->lvm->path, NULL };
	struct te_child child;
	int err = ask(room, argv, &child);

	if (!err)
		room->extends = !strncmp(child.text + strspn(child.text, " "), "monitored", 9);
	te_free(child.text);
	return err;
}

int te_lvm_room_begin(struct te_lvm_room *room, const struct te_lvm *lvm)
{
	int err;

	*room = (struct te_lvm_room) { .lvm = lvm };
	err = ask_threshold(room);
	if (!err && room->threshold < 100)
		err = ask_monitor(room);
	return err;
}

static int check_pool(const struct te_lvm_room *room)
{
	const struct te_pool *pool = &room->pool;
	const char *what = NULL;

	if (pool->mode == TE_POOL_OUT_OF_DATA)
		what = "is full";
	else if (pool->needs_check)
		what = "needs a check (thin_check --clear-needs-check-flag)";
	else if (pool->mode != TE_POOL_WRITE)
		what = "is read-only, out of metadata space, or has failed";
	else if (pool->dm.suspended)
		what = "is suspended";
	if (!what)
		return 0;
	te_error("%s %s: nothing can be written to it", room->lvm->path, what);
	return -EROFS;
}

static u64 spare(u64 nr, u64 most)
{
	u64 blocks = nr / 64 > TE_LVM_LEAST_SPARE ? nr / 64 : TE_LVM_LEAST_SPARE;

	return blocks < most ? blocks : most;
}

/* What is left of `nr` blocks, of which some are used. */
static u64 left(const struct te_lvm_room *room, u64 nr, u64 used, u64 most_spare)
{
	u64 end = nr - (spare(nr, most_spare) < nr ? spare(nr, most_spare) : nr);
	u64 threshold = nr / 100 * room->threshold + nr % 100 * room->threshold / 100;

	if (!room->extends && threshold < end)
		end = threshold;
	return used < end ? end - used : 0;
}

static int pause_or_end(void)
{
	if (te_interrupted())
		return -EINTR;
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	return 0;
}

/* LVM suspends a pool for a moment when it extends it. */
static int find_resumed(struct te_lvm_room *room)
{
	unsigned int tries;
	int err;

	for (tries = 0; tries < TRIES; tries++) {
		err = te_lvm_find_active(room->lvm, &room->pool);
		if (err == -ENXIO)
			te_error("%s is not active here any more", room->lvm->path);
		if (err || !room->pool.dm.suspended)
			return err;
		err = pause_or_end();
		if (err)
			return err;
	}
	return 0;
}

int te_lvm_room_look(struct te_lvm_room *room, u64 *data, u64 *metadata)
{
	struct te_pool *pool = &room->pool;
	int err = find_resumed(room);

	if (!err)
		err = check_pool(room);
	if (err)
		return err;
	*data = left(room, pool->nr_data_blocks, pool->used_data_blocks, TE_LVM_MOST_SPARE);
	*metadata = left(room, pool->nr_metadata_blocks, pool->used_metadata_blocks,
			 TE_LVM_MOST_SPARE_META);
	return 0;
}

u64 te_lvm_room_spend(struct te_lvm_room *room, u64 bytes)
{
	if (room->spent && te_clock_us() - room->looked_at > TE_LVM_LOOK_US)
		return 0;
	room->spent = true;
	if (bytes > room->budget)
		bytes = room->budget;
	room->budget -= bytes;
	return bytes;
}

/* LVM would make no volume now. */
static bool is_beyond_threshold(const struct te_lvm_room *room)
{
	const struct te_pool *pool = &room->pool;

	return pool->used_data_blocks * 100 > pool->nr_data_blocks * room->threshold ||
	       pool->used_metadata_blocks * 100 > pool->nr_metadata_blocks * room->threshold;
}

static int look_for_budget(struct te_lvm_room *room, u64 pending)
{
	u64 data, metadata, block_bytes;
	int err = te_lvm_room_look(room, &data, &metadata);

	room->budget = 0;
	room->looked_at = te_clock_us();
	room->spent = false;
	if (err)
		return err;
	block_bytes = room->pool.block_sectors * (u64)SECTOR_BYTES;
	if (data > metadata / METADATA_OF_BLOCK)
		data = metadata / METADATA_OF_BLOCK;
	if (data <= pending / block_bytes)
		return 0;
	data = (data - pending / block_bytes + 1) / 2;
	room->budget = data > MOST_BUDGET / block_bytes ? MOST_BUDGET : data * block_bytes;
	if (room->budget < block_bytes)
		room->budget = block_bytes;
	return 0;
}

static int refuse_full(const struct te_lvm_room *room)
{
	const struct te_pool *pool = &room->pool;

	te_error("%s fills up: of %s of data %llu%% are used, of its metadata %llu%%%s; the rest is left to those who use it, extend the pool (lvextend)",
		 room->lvm->path, te_bytes(pool->nr_data_blocks * pool->block_sectors * SECTOR_BYTES),
		 (unsigned long long)(pool->used_data_blocks * 100 / pool->nr_data_blocks),
		 (unsigned long long)(pool->used_metadata_blocks * 100 / pool->nr_metadata_blocks),
		 room->extends ? ", and nothing has extended it" : "");
	return -ENOSPC;
}

int te_lvm_room_renew(struct te_lvm_room *room, u64 pending)
{
	unsigned int tries;
	int err;

	for (tries = 0;; tries++) {
		err = look_for_budget(room, pending);
		if (err)
			return err;
		if (room->budget && !(room->extends && is_beyond_threshold(room)))
			return 0;
		if (!room->extends || (tries == TRIES && !room->budget))
			return refuse_full(room);
		if (tries == TRIES) {
			te_warn("%s: nothing has extended it for %u s, although it is filled beyond LVM's threshold of %u%%",
				room->lvm->path, TE_LVM_ROOM_SECONDS, room->threshold);
			room->threshold = 100;
			return 0;
		}
		err = pause_or_end();
		if (err)
			return err;
	}
}
