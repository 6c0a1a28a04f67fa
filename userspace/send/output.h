/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a stream goes: standard output, or a file that has its name only when it is
 * complete.
 *
 * A file is written as FILE.part-XXXXXX beside where it will be, readable by its
 * owner alone (it holds whole disks), then synced and renamed.  A crash leaves
 * that name, which no one can take for the whole.
 *
 * With a part (part.h) it is FILE.part instead, and what was begun stays.
 */
#ifndef TE_OUTPUT_H
#define TE_OUTPUT_H

#include "send/part.h"
#include "source/source.h"

struct te_output {
	int fd;
	const char *name;		/* for messages */
	char *path;			/* NULL: fd is not ours to name */
	char *part;			/* NULL: written in place, or already renamed */
	bool force;
	bool keep;			/* the part is to go on with: it is not taken away */
};

/*
 * Opens FILE, or standard output for NULL and "-".  An existing file is refused
 * without `force`; so are a terminal, a block device, and what lies on the
 * source or is a part of it.  `part` is that of this FILE, or NULL; it becomes the
 * output's.  0, or -errno after one sentence.
 */
int te_output_open(struct te_output *output, const char *path, bool force,
		   const struct te_source *source, struct te_part *part);

/* All on disk, and under its name.  0, or -errno after one sentence. */
int te_output_commit(struct te_output *output);

/* Removes what was begun, unless it is kept; also after a commit that failed. */
void te_output_abort(struct te_output *output);

#endif
