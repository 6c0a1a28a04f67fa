// SPDX-License-Identifier: GPL-2.0-or-later
/* A crew: threads that stand ready to issue prepared requests all at once. */
#include "live/crew.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define MOST_THREADS	64
#define STACK_BYTES	(64u << 10)

struct te_crew {
	int control;
	const struct te_dm_call *calls;
	int *errs;
	size_t nr;
	_Atomic size_t next;		/* call to be issued */
	bool called;			/* else: dismissed without a call */
	sem_t go, done;
	size_t nr_threads;
	pthread_t threads[MOST_THREADS];
};

/* No signal comes here, but a stop and a continue end the wait early. */
static void wait_on(sem_t *semaphore)
{
	while (sem_wait(semaphore) && errno == EINTR)
		;
}

static void *work(void *context)
{
	struct te_crew *crew = context;
	size_t i;

	wait_on(&crew->go);
	if (!crew->called)
		return NULL;
	while ((i = atomic_fetch_add(&crew->next, 1)) < crew->nr)
		crew->errs[i] = te_dm_call_run(crew->control, &crew->calls[i]);
	sem_post(&crew->done);
	return NULL;
}

struct te_crew *te_crew_start(int control, const struct te_dm_call *calls, int *errs, size_t nr)
{
	struct te_crew *crew = calloc(1, sizeof(*crew));
	pthread_attr_t attributes;
	bool good = true;

	if (!crew)
		return NULL;
	crew->control = control;
	crew->calls = calls;
	crew->errs = errs;
	crew->nr = nr;
	sem_init(&crew->go, 0, 0);
	sem_init(&crew->done, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	while (good && crew->nr_threads < nr && crew->nr_threads < MOST_THREADS) {
		good = !pthread_create(&crew->threads[crew->nr_threads], &attributes, work, crew);
		crew->nr_threads += good;
	}
	pthread_attr_destroy(&attributes);
	if (good)
		return crew;
	te_crew_dismiss(crew);
	return NULL;
}

static void release(struct te_crew *crew)
{
	size_t i;

	for (i = 0; i < crew->nr_threads; i++)
		sem_post(&crew->go);
}

void te_crew_go(struct te_crew *crew)
{
	size_t i;

	crew->called = true;
	release(crew);
	for (i = 0; i < crew->nr_threads; i++)
		wait_on(&crew->done);
}

void te_crew_dismiss(struct te_crew *crew)
{
	size_t i;

	if (!crew)
		return;
	if (!crew->called)
		release(crew);
	for (i = 0; i < crew->nr_threads; i++)
		pthread_join(crew->threads[i], NULL);
	sem_destroy(&crew->go);
	sem_destroy(&crew->done);
	free(crew);
}
