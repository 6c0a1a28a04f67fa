/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One at a time for each pool: a lock file in /run/thinexport, held by flock(),
 * so that no death leaves it behind.  The watchdog of a window inherits the lock
 * and keeps it until all is resumed.
 */
#ifndef TE_LOCK_H
#define TE_LOCK_H

#define TE_LOCK_FOLDER	"/run/thinexport"

/*
 * A descriptor that holds the lock of the pool of this dm name, or -errno after
 * one sentence: -EBUSY tells who has it.  Waits a moment for one who is just
 * ending.
 */
int te_lock_pool(const char *pool_name);
void te_unlock_pool(int lock);

/*
 * A program that a killed thinexport has started holds its lock on until it is done:
 * waits a moment for each of these.
 */
void te_lock_wait_for_dead(void);

#endif
