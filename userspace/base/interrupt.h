/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SIGINT, SIGTERM and SIGHUP end a verb cleanly: a flag that long work asks for. */
#ifndef TE_INTERRUPT_H
#define TE_INTERRUPT_H

#include <stdbool.h>

/*
 * From here on these signals only set the flag and make the main thread's blocking
 * calls return EINTR, and a write into a closed pipe is an error, not a death.
 */
void te_interrupt_catch(void);

/* In a thread that is not to take the signals away from the main one. */
void te_interrupt_leave_to_main(void);

bool te_interrupted(void);

#endif
