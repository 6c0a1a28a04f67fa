// SPDX-License-Identifier: GPL-2.0-or-later
/* The watchdog: resumes what the window suspended, whatever becomes of its owner. */
#include "live/watchdog.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/say.h"

#define READY	'r'
#define ARMED	'a'
#define THROUGH	't'

#define AGAIN_MS 100		/* between two rounds of resuming while the parent is late */

/* Since Linux 5.6: allocations of this process do no I/O and no file system work. */
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

int te_hold_memory(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return -errno;
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	return 0;
}

void te_release_memory(void)
{
	prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0);
	munlockall();
}

static int resume_all(const struct te_watch *watch)
{
	int err, first = 0;
	size_t i;

	for (i = 0; i < watch->nr_resumes; i++) {
		err = te_dm_call_run(watch->control, &watch->resumes[i]);
		if (err == -EINTR)
			err = te_dm_call_run(watch->control, &watch->resumes[i]);
		/* -ENXIO: removed meanwhile, so not suspended either. */
		if (err && err != -ENXIO && !first)
			first = err;
	}
	return first;
}

/* The next byte of the parent; 0 at its death, -1 after timeout_ms. */
static int hear(int pipe, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = pipe, .events = POLLIN };
	char byte;

	for (;;) {
		int nr = poll(&poll_fd, 1, timeout_ms);

		if (nr == 0)
			return -1;
		if (nr < 0)
			continue;
		return read(pipe, &byte, 1) == 1 ? byte : 0;
	}
}

static void report(const char *what, int err)
{
	if (err)
		te_error("the sender %s; its volumes could not all be resumed: %s; see `dmsetup info`",
			 what, strerror(-err));
	else
		te_warn("the sender %s while the volumes stood still; they have been resumed", what);
}

static void watch_over(const struct te_watchdog *dog, struct te_watch *watch)
{
	int heard, open = TE_MOMENT_OPEN, err;

	heard = hear(dog->pipe, -1);
	if (heard != ARMED)
		return;
	heard = hear(dog->pipe, (int)watch->limit_ms);
	if (heard == THROUGH)
		return;
	if (heard == 0) {
		report("died", resume_all(watch));
		return;
	}

	/* Late.  Even a moment that was taken must not keep the volumes waiting. */
	atomic_compare_exchange_strong(&watch->moment, &open, TE_MOMENT_MISSED);
	do {
		err = resume_all(watch);
		heard = hear(dog->pipe, AGAIN_MS);
	} while (heard == -1);
	if (heard == 0)
		err = resume_all(watch);
	report(heard == 0 ? "was late and then died" : "was late", err);
}

/* Not to be the one whom the kernel picks when memory is short. */
static void spare_from_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "-1000", 5) != 5)
		te_note("cannot keep the watchdog from the kernel's out-of-memory choice");
	close(fd);
}

static void __attribute__((noreturn)) child(struct te_watchdog *dog, struct te_watch *watch,
					    int ready)
{
	char byte = READY;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	prctl(PR_SET_NAME, "thinexport-dog");
	spare_from_oom();
	if (te_hold_memory() || write(ready, &byte, 1) != 1)
		_exit(1);
	close(ready);
	watch_over(dog, watch);
	_exit(0);
}

int te_watchdog_start(struct te_watchdog *dog, struct te_watch *watch)
{
	int to_child[2], to_parent[2];
	char byte;
	ssize_t got;

	if (pipe2(to_child, O_CLOEXEC))
		return -errno;
	if (pipe2(to_parent, O_CLOEXEC)) {
		int err = -errno;

		close(to_child[0]);
		close(to_child[1]);
		return err;
	}
	fflush(NULL);
	dog->pid = fork();
	if (dog->pid == 0) {
		close(to_child[1]);
		close(to_parent[0]);
		dog->pipe = to_child[0];
		child(dog, watch, to_parent[1]);
	}
	close(to_child[0]);
	close(to_parent[1]);
	dog->pipe = to_child[1];
	got = dog->pid < 0 ? -1 : read(to_parent[0], &byte, 1);
	close(to_parent[0]);
	if (got == 1)
		return 0;
	close(dog->pipe);
	if (dog->pid > 0)
		waitpid(dog->pid, NULL, 0);
	return -ENOMEM;
}

static void tell(struct te_watchdog *dog, char byte)
{
	/* If the child is gone there is nobody to tell, and SIGPIPE is held. */
	if (write(dog->pipe, &byte, 1) != 1)
		return;
}

void te_watchdog_arm(struct te_watchdog *dog)
{
	tell(dog, ARMED);
}

void te_watchdog_stop(struct te_watchdog *dog)
{
	tell(dog, THROUGH);
	close(dog->pipe);
	while (waitpid(dog->pid, NULL, 0) < 0 && errno == EINTR)
		;
}
