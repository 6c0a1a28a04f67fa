/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many threads to use. */
#ifndef TE_THREADS_H
#define TE_THREADS_H

/* As many as there are processors that this process may use. */
unsigned int te_threads_usable(void);

/* `--threads`: -EINVAL after one sentence. */
int te_threads_parse(const char *text, unsigned int *threads);

#endif
