/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Choosing: which volumes of a stream are received, and what they become.
 *
 * A volume that is not wanted may still be needed: wanted ones are told as what
 * they differ from it, or share blocks with it.  A stream says so only when they
 * come, which is after it.  So a dropped volume is built like a wanted one, but of
 * blocks that are marked shared alone - no other volume can have the rest - and
 * forgotten at the end; what of it no wanted volume took over is then free in the
 * new pool, but was written.
 *
 * From a file it is known before: the stream is read twice (choice_scan.c), and
 * volumes that nothing wanted leads to are passed over whole.
 */
#ifndef TE_CHOICE_H
#define TE_CHOICE_H

#include "stream/catalog.h"
#include "base/words.h"

enum te_choice_use {
	TE_CHOICE_WANTED,
	TE_CHOICE_NEEDED,		/* not wanted, but a wanted one may be told from it */
	TE_CHOICE_IGNORED,		/* none is */
};

struct te_choice_volume {
	enum te_choice_use use;
	u32 stream_dev_id;
	u32 dev_id;			/* in the new pool */
	char *name;			/* there; NULL: none */
	bool new_id;			/* --rename gave it */
	bool new_name;
	u64 sectors;			/* there: as in the stream, or as --grow has it */
	bool grown;
	bool size_known;
	u64 mapped_blocks;		/* as the catalog has them: not checked */
};

struct te_choice {
	struct te_words volumes;	/* --volume ID|NAME; none: all */
	struct te_words renames;	/* --rename OLD=NEW */
	struct te_words grows;		/* --grow VOLUME=+SIZE, or =SIZE */

	/* Once settled, by section. */
	struct te_choice_volume *settled;	/* NULL before */
	size_t nr_volumes;
	size_t nr_wanted;

	bool scanned;			/* what follows is known, and who is ignored */
	u64 placed_sectors;		/* DATA and ZERO that will be written */
};

/*
 * Finds what the words name in the catalog of the stream `name`.  All must be
 * there, once; new ids and names must be free, new sizes no smaller.  0, or -errno after
 * one sentence.
 */
int te_choice_settle(struct te_choice *choice, const struct te_catalog *catalog,
		     const char *name);

/*
 * When some volumes are dropped and fd is a file: reads it to its end, settles,
 * finds what is needed (when that can be held in memory), and goes back to where fd
 * was.  So a broken stream is found as well before anything is written.  0, or -errno
 * after one sentence.
 */
int te_choice_scan(struct te_choice *choice, int fd, const char *name);

void te_choice_exit(struct te_choice *choice);

#endif
