/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The priority of what others wait for.
 *
 * What the window's owner has the pool write and read is submitted in its name: a
 * scheduler of class idle, or mq-deadline behind a busy disk, would let it wait for
 * seconds (prio_aging_expire: 10 s, the window's limit), and with it everybody who uses
 * the pool.  A nice process waits for the processor likewise.
 *
 * Both are a thread's own; threads and children begin with those of who starts them.
 */
#ifndef TE_PRIORITY_H
#define TE_PRIORITY_H

struct te_priority {
	int io;				/* as the kernel has it; -1: not changed */
	int nice;			/* 0 or less: not changed */
};

/*
 * The calling thread's I/O becomes the first of class best-effort, and it is nice to
 * nobody.  What is higher already stays; what cannot be changed does, too.
 */
void te_priority_raise(struct te_priority *before);

/* As it was. */
void te_priority_restore(const struct te_priority *before);

#endif
