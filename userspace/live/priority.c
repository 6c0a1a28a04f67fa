// SPDX-License-Identifier: GPL-2.0-or-later
/* The priority of what others wait for. */
#include "live/priority.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_BEST_EFFORT	IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, 0)

/* glibc has no call for these; 0 is the calling thread. */
static int get_io(void)
{
	return (int)syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0);
}

static int set_io(int priority)
{
	return (int)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority);
}

void te_priority_raise(struct te_priority *before)
{
	int io = get_io();

	before->io = -1;
	if (io >= 0 && IOPRIO_PRIO_CLASS(io) != IOPRIO_CLASS_RT && !set_io(FIRST_BEST_EFFORT))
		before->io = io;
	errno = 0;
	before->nice = getpriority(PRIO_PROCESS, 0);
	if (errno || before->nice <= 0 || setpriority(PRIO_PROCESS, 0, 0))
		before->nice = 0;
}

void te_priority_restore(const struct te_priority *before)
{
	/* Of no class it has a level all the same where it is asked for, but cannot be given it. */
	if (before->io >= 0 && IOPRIO_PRIO_CLASS(before->io) == IOPRIO_CLASS_NONE)
		set_io(IOPRIO_PRIO_VALUE(IOPRIO_CLASS_NONE, 0));
	else if (before->io >= 0)
		set_io(before->io);
	if (before->nice > 0)
		setpriority(PRIO_PROCESS, 0, before->nice);
}
