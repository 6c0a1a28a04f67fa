// SPDX-License-Identifier: GPL-2.0-or-later
/* The free blocks of a pool as extents of the passdown devices below it. */
#include "passdown/extents.h"

/* The first block from `block` on that is free (or is not), or `end`. */
static u64 next_block(const struct te_bitmap *used, u64 block, u64 end, bool is_free)
{
	u64 all = is_free ? ~0ULL : 0;

	while (block < end) {
		if (block % 64 == 0 && le64_to_cpu(used->words[block / 64]) == all)
			block += 64;
		else if (te_bitmap_test(used, block) == !is_free)
			break;
		else
			block++;
	}
	return block < end ? block : end;
}

/* What was found last, and may go on in the next. */
struct joined {
	int (*each)(void *context, long shim, u64 start, u64 sectors);
	void *context;
	long shim;
	u64 start, sectors;
};

static int give(struct joined *joined)
{
	int stop = 0;

	if (joined->sectors)
		stop = joined->each(joined->context, joined->shim, joined->start, joined->sectors);
	joined->sectors = 0;
	return stop;
}

static int join(struct joined *joined, long shim, u64 start, u64 sectors)
{
	int stop = 0;

	if (joined->sectors && joined->shim == shim && joined->start + joined->sectors == start) {
		joined->sectors += sectors;
		return 0;
	}
	stop = give(joined);
	joined->shim = shim;
	joined->start = start;
	joined->sectors = sectors;
	return stop;
}

static int piece_extents(const struct te_extents *extents, const struct te_piece *piece,
			 struct joined *joined)
{
	u64 size = extents->block_sectors, piece_end = piece->start + piece->sectors;
	u64 block = piece->start / size, end = (piece_end + size - 1) / size, after;
	u64 from, to;
	int stop = 0;

	if (end > extents->nr_blocks)
		end = extents->nr_blocks;
	while (!stop) {
		block = next_block(extents->used, block, end, true);
		if (block >= end)
			break;
		after = next_block(extents->used, block, end, false);
		/* A block may lie on two pieces. */
		from = block * size > piece->start ? block * size : piece->start;
		to = after * size < piece_end ? after * size : piece_end;
		stop = join(joined, piece->shim, piece->below + from - piece->start, to - from);
		block = after;
	}
	return stop;
}

int te_extents_each(const struct te_extents *extents,
		    int (*each)(void *context, long shim, u64 start, u64 sectors),
		    void *context)
{
	struct joined joined = { .each = each, .context = context };
	size_t i;
	int stop = 0;

	for (i = 0; !stop && i < extents->stack->nr_pieces; i++)
		stop = piece_extents(extents, &extents->stack->pieces[i], &joined);
	return stop ? stop : give(&joined);
}
