// SPDX-License-Identifier: GPL-2.0-or-later
/* The window: the short time in which all volumes of a pool stand still. */
#include "live/window.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <thinexport/target.h>
#include <thinexport/thin_disk.h>
#include "base/clock.h"
#include "live/crew.h"
#include "live/mark.h"
#include "live/priority.h"
#include "live/watchdog.h"

/* All that the window needs, in one piece of shared memory. */
struct window {
	struct te_watch watch;
	_Atomic int *mark;
	struct te_dm_call suspend_pool;
	struct te_dm_call reserve;
	struct te_dm_call *suspends;	/* thins, in order */
	struct te_dm_call *guards;
	struct te_dm_call *snaps;
	const struct te_window_look *look;
	int *errs;			/* of the suspends that the crew does */
	struct te_crew *crew;		/* NULL when no thin is mounted */
	size_t nr_mounted;
	size_t nr_thins;
	size_t nr_guards;
	size_t nr_snaps;
	bool still;
	struct te_dm_call calls[];	/* resumes, suspends, guards, snaps; then errs */
};

static size_t window_bytes(const struct te_window_request *request)
{
	size_t nr = 1 + 2 * request->nr_thins + request->nr_guards + request->nr_snaps;

	return sizeof(struct window) + nr * sizeof(struct te_dm_call) +
	       request->nr_mounted * sizeof(int);
}

static void fill(struct window *window, const struct te_window_request *request)
{
	struct te_dm_call *resumes = window->calls;
	char message[64];
	size_t i;

	window->mark = request->mark;
	window->nr_thins = request->nr_thins;
	window->nr_snaps = request->nr_snaps;
	window->suspends = resumes + 1 + request->nr_thins;
	window->nr_guards = request->nr_guards;
	window->look = request->look;
	window->guards = window->suspends + request->nr_thins;
	window->snaps = window->guards + request->nr_guards;
	window->errs = (int *)(window->snaps + request->nr_snaps);
	window->nr_mounted = request->nr_mounted;
	window->watch.resumes = resumes;
	window->still = request->still;
	window->watch.nr_resumes = request->still ? 0 : 1 + request->nr_thins;
	window->watch.limit_ms = request->limit_ms;

	te_dm_call_suspend(&window->suspend_pool, request->pool, TE_DM_NO_FREEZE);
	te_dm_call_resume(&resumes[0], request->pool);
	te_dm_call_message(&window->reserve, request->pool, "reserve_metadata_snap");
	for (i = 0; i < request->nr_thins; i++) {
		te_dm_call_suspend(&window->suspends[i], request->thins[i], TE_DM_FREEZE);
		/* The last to be suspended is the first to be resumed. */
		te_dm_call_resume(&resumes[request->nr_thins - i], request->thins[i]);
	}
	for (i = 0; i < request->nr_guards; i++)
		te_dm_call_message(&window->guards[i], request->guards[i], TE_MESSAGE_GUARD_BEGIN);
	for (i = 0; i < request->nr_snaps; i++) {
		snprintf(message, sizeof(message), "create_snap %u %u", request->snaps[i].snap_id,
			 request->snaps[i].dev_id);
		te_dm_call_message(&window->snaps[i], request->pool, message);
	}
}

static bool fail(struct te_window_result *result, enum te_window_step what, size_t index,
		 int err)
{
	result->failed = what;
	result->err = err;
	result->index = index;
	return false;
}

static bool in_time(struct window *window, struct te_window_result *result)
{
	return atomic_load(&window->watch.moment) != TE_MOMENT_MISSED ||
	       fail(result, TE_WINDOW_LATE, 0, -ETIMEDOUT);
}

/* One step: false when it failed or the watchdog has ended the window. */
static bool step(struct window *window, const struct te_dm_call *call, enum te_window_step what,
		 size_t index, struct te_window_result *result)
{
	int err = te_dm_call_run(window->watch.control, call);

	if (err)
		return fail(result, what, index, err);
	if (what == TE_WINDOW_SNAP)
		result->nr_created = index + 1;
	if (what == TE_WINDOW_GUARD)
		result->nr_guarded = index + 1;
	if (what == TE_WINDOW_RESERVE)
		result->reserved = true;
	return in_time(window, result);
}

static bool suspend_mounted(struct window *window, struct te_window_result *result)
{
	size_t i;

	if (!window->crew)
		return true;
	te_crew_go(window->crew);
	for (i = 0; i < window->nr_mounted; i++)
		if (window->errs[i])
			return fail(result, TE_WINDOW_SUSPEND_THIN, i, window->errs[i]);
	return in_time(window, result);
}

static bool look(const struct window *window, struct te_window_result *result)
{
	ssize_t bytes;

	if (!window->look)
		return true;
	bytes = pread(window->look->fd, window->look->block, THIN_METADATA_BLOCK_BYTES, 0);
	if (bytes == THIN_METADATA_BLOCK_BYTES)
		return true;
	return fail(result, TE_WINDOW_LOOK, 0, bytes < 0 ? -errno : -EIO);
}

static void take_moment(struct window *window, struct te_window_result *result)
{
	int open = TE_MOMENT_OPEN;
	size_t i;

	if (!suspend_mounted(window, result))
		return;
	for (i = window->nr_mounted; i < window->nr_thins; i++)
		if (!step(window, &window->suspends[i], TE_WINDOW_SUSPEND_THIN, i, result))
			return;
	if (!window->still &&
	    !step(window, &window->suspend_pool, TE_WINDOW_SUSPEND_POOL, 0, result))
		return;
	for (i = 0; i < window->nr_guards; i++)
		if (!step(window, &window->guards[i], TE_WINDOW_GUARD, i, result))
			return;
	for (i = 0; i < window->nr_snaps; i++)
		if (!step(window, &window->snaps[i], TE_WINDOW_SNAP, i, result))
			return;
	atomic_store(window->mark, TE_MARK_RESERVING);
	if (!step(window, &window->reserve, TE_WINDOW_RESERVE, 0, result))
		return;
	atomic_store(window->mark, TE_MARK_RESERVED);
	if (!look(window, result))
		return;
	if (!atomic_compare_exchange_strong(&window->watch.moment, &open, TE_MOMENT_TAKEN))
		fail(result, TE_WINDOW_LATE, 0, -ETIMEDOUT);
}

static int resume(const struct window *window)
{
	int err, first = 0;
	size_t i;

	for (i = 0; i < window->watch.nr_resumes; i++) {
		err = te_dm_call_run(window->watch.control, &window->watch.resumes[i]);
		if (err && err != -ENXIO && !first)
			first = err;
	}
	return first;
}

static int prepare(struct window **window, struct te_watchdog *dog,
		   const struct te_window_request *request)
{
	size_t bytes = window_bytes(request);
	int control, err;

	control = te_dm_control_open();
	if (control < 0)
		return control;
	*window = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (*window == MAP_FAILED) {
		err = -errno;
		goto close_control;
	}
	(*window)->watch.control = control;
	fill(*window, request);
	err = te_watchdog_start(dog, &(*window)->watch);
	if (err)
		goto unmap;
	err = te_hold_memory();
	if (err)
		goto stop_dog;
	if (request->nr_mounted) {
		(*window)->crew = te_crew_start(control, (*window)->suspends, (*window)->errs,
						request->nr_mounted);
		err = (*window)->crew ? 0 : -ENOMEM;
	}
	if (!err)
		return 0;

	te_release_memory();
stop_dog:
	te_watchdog_stop(dog);
unmap:
	munmap(*window, bytes);
close_control:
	close(control);
	return err;
}

void te_window_run(const struct te_window_request *request, struct te_window_result *result)
{
	struct te_priority priority;
	struct te_watchdog dog;
	struct window *window;
	sigset_t all, before;
	int control;
	u64 start;

	memset(result, 0, sizeof(*result));
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* First: the watchdog and the crew get it from here. */
	te_priority_raise(&priority);
	result->err = prepare(&window, &dog, request);
	if (result->err) {
		result->failed = TE_WINDOW_PREPARE;
		goto restore;
	}
	control = window->watch.control;

	te_watchdog_arm(&dog);
	start = te_clock_us();
	take_moment(window, result);
	result->resume_err = resume(window);
	result->us = request->still ? 0 : te_clock_us() - start;

	te_watchdog_stop(&dog);
	te_crew_dismiss(window->crew);
	te_release_memory();
	munmap(window, window_bytes(request));
	close(control);
restore:
	te_priority_restore(&priority);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}
