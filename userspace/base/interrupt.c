// SPDX-License-Identifier: GPL-2.0-or-later
/* SIGINT, SIGTERM and SIGHUP end a verb cleanly: a flag that long work asks for. */
#include "base/interrupt.h"

#include <signal.h>
#include <stddef.h>

static const int caught[] = { SIGINT, SIGTERM, SIGHUP };
static volatile sig_atomic_t interrupted;

static void note_signal(int number)
{
	interrupted = 1;
}

void te_interrupt_catch(void)
{
	struct sigaction action = { .sa_handler = note_signal };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction before;
	size_t i;

	/* Without SA_RESTART: a write to a pipe that nobody drains must come back. */
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		/* What nohup ignores stays ignored. */
		if (!sigaction(caught[i], NULL, &before) && before.sa_handler == SIG_IGN)
			continue;
		sigaction(caught[i], &action, NULL);
	}
	sigaction(SIGPIPE, &ignore, NULL);
	/* A file-size limit, likewise, is an error of write(). */
	sigaction(SIGXFSZ, &ignore, NULL);
}

void te_interrupt_leave_to_main(void)
{
	sigset_t set;
	size_t i;

	sigemptyset(&set);
	for (i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
		sigaddset(&set, caught[i]);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool te_interrupted(void)
{
	return interrupted;
}
