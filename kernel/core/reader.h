/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where metadata blocks come from: dm-bufio in the module, a file, a device or
 * a view in the command, memory in the tests.
 */
#ifndef TE_READER_H
#define TE_READER_H

#include "seam.h"

struct te_reader;

struct te_reader_ops {
	/*
	 * Gives the 4 KiB of a block, valid until put(*cookie).  Unchecked: the
	 * caller verifies.  A walk holds at most two blocks a level at a time.
	 * May block.  -EIO and friends as the device says.
	 */
	int (*get)(struct te_reader *reader, u64 block, const void **data, void **cookie);
	void (*put)(struct te_reader *reader, void *cookie);

	/* A hint that these blocks are wanted soon; may be NULL. */
	void (*prefetch)(struct te_reader *reader, u64 block, u64 count);

	/* True when the walk should end with -EINTR; may be NULL. */
	bool (*interrupted)(struct te_reader *reader);
};

struct te_reader {
	const struct te_reader_ops *ops;
	u64 nr_blocks;			/* of the metadata device; get is never asked beyond */
};

#endif
