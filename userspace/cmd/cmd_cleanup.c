// SPDX-License-Identifier: GPL-2.0-or-later
/* cleanup: undoes what interrupted runs have left in live pools. */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "base/interrupt.h"
#include "base/listing.h"
#include "live/lock.h"
#include "live/pending.h"
#include "lvm/lvm.h"
#include "lvm/lvm_left.h"
#include "live/record.h"
#include "base/say.h"
#include "live/undo.h"
#include "base/utf8.h"

/* Of a line of 80 columns: behind "would ", and beside a stream's id. */
#define ACT_COLUMNS	74u
#define POOL_COLUMNS	26u

struct cleaning {
	const char *only;		/* name of a pool, or id of a pending stream; or NULL */
	bool pending;			/* drop pending sends, and nothing else */
	struct te_undo undo;
	struct json_object *runs;	/* --json: what is told, by run; else NULL */
	struct json_object *acts;	/* of the run that is being undone */
	size_t nr_runs;			/* undone, or to be; or pending, and told of */
	bool failed;
};

static void tell_act(void *context, const struct te_run *run, const char *act)
{
	struct cleaning *cleaning = context;
	char *text;

	if (cleaning->acts) {
		json_object_array_add(cleaning->acts, json_object_new_string(act));
	} else if (cleaning->undo.dry) {
		text = te_utf8_printable(act, ACT_COLUMNS);
		printf("would %s\n", text ? text : act);
		te_free(text);
	} else {
		te_note("%s: %s", run->pool_name, act);
	}
}

static void begin_json(struct cleaning *cleaning, const struct te_run *run)
{
	struct json_object *object = json_object_new_object();

	cleaning->acts = json_object_new_array();
	te_listing_text(object, "pool", run->pool_name);
	if (run->view[0])
		te_listing_text(object, "view", run->view);
	if (run->started)
		te_listing_number(object, "started", run->started);
	if (run->phase == TE_RUN_PENDING) {
		te_listing_text(object, "stream_id", run->stream);
		json_object_object_add(object, "stays", json_object_new_boolean(!cleaning->pending));
		te_listing_number(object, "snapshots", run->nr_volumes);
		te_listing_number(object, "most_bytes", run->most_bytes);
	}
	json_object_object_add(object, "acts", cleaning->acts);
	json_object_array_add(cleaning->runs, object);
}

static void print_json(struct cleaning *cleaning)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "done", json_object_new_boolean(!cleaning->undo.dry));
	json_object_object_add(object, "runs", cleaning->runs);
	te_listing_json(object);
}

/* An open view is no leftover; `view close` ends it. */
static bool stays(const struct te_run *run)
{
	if (!te_run_is_open_view(run))
		return false;
	te_note("the view %s of %s is open and stays; `thinexport view close %s` ends it",
		run->view, run->pool_name, run->view);
	return true;
}

static void tell_pending(const struct cleaning *cleaning, const struct te_run *run)
{
	const char *plural = run->nr_volumes == 1 ? "" : "s";
	char *pool, started[TE_LISTING_TIME_BYTES];

	if (cleaning->runs)
		return;
	if (!cleaning->undo.dry) {
		te_note("%s: the send of stream %s is pending and stays, with %zu snapshot%s that may come to hold %s; `thinexport cleanup --pending %s` drops it",
			run->pool_name, run->stream, run->nr_volumes, plural,
			te_bytes(run->most_bytes), run->stream);
		return;
	}
	pool = te_utf8_printable(run->pool_name, POOL_COLUMNS);
	te_listing_time(run->started, started);
	printf("stream %s of %s is pending\n  since %s, with %zu snapshot%s that may come to hold %s\n",
	       run->stream, pool ? pool : "", started, run->nr_volumes, plural,
	       te_bytes(run->most_bytes));
	te_free(pool);
}

/* Dropped it becomes an ordinary run first: one who is killed here leaves that. */
static int clean_pending(struct cleaning *cleaning, struct te_run *run)
{
	struct te_undo undo = cleaning->undo;
	int err = 0;

	if (!cleaning->pending) {
		tell_pending(cleaning, run);
		undo.devices_only = true;
	} else if (!undo.dry) {
		err = te_pending_end(run);
	}
	return err ? err : te_undo_run(run, &undo);
}

static int clean_locked(struct cleaning *cleaning, const struct te_run *run)
{
	struct te_run fresh;
	int err = te_run_reload(run, &fresh);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (!stays(&fresh)) {
		cleaning->nr_runs++;
		if (cleaning->runs)
			begin_json(cleaning, &fresh);
		err = fresh.phase == TE_RUN_PENDING ? clean_pending(cleaning, &fresh) :
						      te_undo_run(&fresh, &cleaning->undo);
	}
	te_run_exit(&fresh);
	return err;
}

static bool is_meant(const struct cleaning *cleaning, const struct te_run *run)
{
	if (cleaning->pending && run->phase != TE_RUN_PENDING)
		return false;
	return !cleaning->only || !strcmp(run->pool_name, cleaning->only) ||
	       !strcmp(run->stream, cleaning->only);
}

static int clean_run(void *context, const struct te_run *run)
{
	struct cleaning *cleaning = context;
	int lock;

	if (!is_meant(cleaning, run) || stays(run))
		return 0;
	lock = te_lock_pool(run->pool_name);
	if (lock < 0 || clean_locked(cleaning, run))
		cleaning->failed = true;
	if (lock >= 0)
		te_unlock_pool(lock);
	return 0;
}

/* One who died while writing his record had made nothing of it yet. */
static int clean_unfinished(void *context, const char *pool_name, const char *file)
{
	struct cleaning *cleaning = context;
	int lock;

	if (cleaning->undo.dry || cleaning->pending ||
	    (cleaning->only && strcmp(pool_name, cleaning->only)))
		return 0;
	lock = te_lock_pool(pool_name);
	if (lock < 0 || te_run_drop_unfinished(file))
		cleaning->failed = true;
	if (lock >= 0)
		te_unlock_pool(lock);
	return 0;
}

/* Of pools that were being received. */
static void begin_left(void *context, const char *pool)
{
	struct cleaning *cleaning = context;
	struct te_run run = { .view = "" };

	snprintf(run.pool_name, sizeof(run.pool_name), "%s", pool);
	cleaning->nr_runs++;
	if (cleaning->runs)
		begin_json(cleaning, &run);
}

static void tell_left(void *context, const char *pool, const char *act)
{
	struct te_run run = { .view = "" };

	snprintf(run.pool_name, sizeof(run.pool_name), "%s", pool);
	tell_act(context, &run, act);
}

/* `path`: only of this "VG/POOL"; NULL: of all. */
static void clean_left(struct cleaning *cleaning, const char *path)
{
	struct te_lvm_left left = {
		.path = path,
		.dry = cleaning->undo.dry,
		.context = cleaning,
		.begin = begin_left,
		.tell = tell_left,
	};

	if (te_lvm_left_remove(&left))
		cleaning->failed = true;
}

/*
 * `name`: as the record has it, or whatever else leads to the pool, or a pending
 * stream's id; NULL: all pools.
 */
static enum te_exit clean(struct cleaning *cleaning, const char *name)
{
	char dm_name[TE_DM_NAME_BYTES];
	const char *path = NULL;
	struct te_dm_device pool;
	int err;

	if (te_dm_start())
		return TE_EXIT_FAILED;
	/* Not LVM's word: the group may be gone, and the record has the device's name. */
	if (name && te_lvm_is_path(name)) {
		te_lvm_dm_name(name, dm_name);
		path = name;
		name = dm_name;
	}
	cleaning->only = name;
	if (name && !te_dm_find(name, &pool))
		cleaning->only = pool.name;
	te_interrupt_catch();
	err = te_run_each(clean_run, cleaning);
	if (!err)
		err = te_run_each_unfinished(clean_unfinished, cleaning);
	if (!cleaning->pending && (!name || path))
		clean_left(cleaning, path);
	if (cleaning->runs)
		print_json(cleaning);
	else if (!err && !cleaning->failed && !cleaning->nr_runs)
		te_note("nothing to clean up");
	if (te_listing_end() != TE_EXIT_DONE || err || cleaning->failed)
		return TE_EXIT_FAILED;
	return TE_EXIT_DONE;
}

static enum te_exit run_cleanup(int argc, char **argv)
{
	static const struct option options[] = {
		{ "dry-run", no_argument, NULL, 'n' },
		{ "pending", no_argument, NULL, 'p' },
		{ "json", no_argument, NULL, 'j' },
		{ NULL }
	};
	struct cleaning cleaning = { .undo.tell = tell_act };
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "n", options, NULL)) != -1) {
		if (c == 'n')
			cleaning.undo.dry = true;
		else if (c == 'p')
			cleaning.pending = true;
		else if (c == 'j')
			json = true;
		else
			return te_usage(&te_cmd_cleanup);
	}
	if (argc - optind > 1 || (cleaning.pending && argc == optind))
		return te_usage(&te_cmd_cleanup);
	cleaning.undo.context = &cleaning;
	if (json)
		cleaning.runs = json_object_new_array();
	return clean(&cleaning, argv[optind]);
}

const struct te_cmd te_cmd_cleanup = {
	.verb = "cleanup",
	.synopsis = "[-n] [--json] [--pending] [POOL|STREAM]",
	.summary = "undo what interrupted runs have left",
	.help = "\n"
		"  -n, --dry-run   say what would be done, and do nothing; tell of pending sends\n"
		"  --pending       drop the pending sends of POOL, or that of the stream's id\n"
		"  --json          say it as one JSON object\n"
		"\n"
		"Resumes what stands still, ends guards, removes devices and snapshots, releases\n"
		"the metadata snapshot: only what the run's record in /var/lib/thinexport names.\n"
		"Removes what a receive into a volume group has left there, which its tag tells.\n"
		"What a send that can be gone on with needs (send --resumable) stays.\n",
	.run = run_cleanup,
};
