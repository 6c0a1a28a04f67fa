/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FILE.part: the beginning of a stream that was interrupted on its way into FILE,
 * and the place where it is gone on with.
 *
 * Nothing else is kept of a send to a file: what of it can be trusted shows by
 * reading it.  Its frames are read as any stream's; the first that is torn, or was
 * never written although the file is longer (a power cut can leave that), ends it,
 * and is cut off with all behind it.  So is END, which is soon written again: whether
 * the stream is this source's is then asked in one way.
 */
#ifndef TE_PART_H
#define TE_PART_H

#include <thinexport/stream.h>
#include "core/seam.h"

struct te_part {
	int fd;				/* at the end of what is kept; locked */
	char *path;			/* of FILE.part, ours to free */
	bool begun;			/* there is a place; else the file is empty */
	u64 bytes;			/* kept */
	struct te_resume place;
};

/*
 * Opens FILE.part, or makes it, for this process alone.  What is no stream's
 * beginning, is a link, or is somebody else's is refused and stays as it is.
 * 0 or -errno after one sentence (none for -EINTR).
 */
int te_part_open(struct te_part *part, const char *file);

/* Closes it; an empty one is taken away, anything else stays. */
void te_part_close(struct te_part *part);

#endif
