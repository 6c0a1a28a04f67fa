// SPDX-License-Identifier: GPL-2.0-or-later
/* The room that a stream needs on its target, as far as its beginning tells. */
#include "receive/room.h"

#include <inttypes.h>

#include <thinexport/thin_disk.h>
#include "build/build.h"
#include "base/say.h"

#define SECTOR_BYTES	512u

/* Of volumes that are chosen from a pipe: what the largest maps must be there. */
static u64 largest_wanted(const struct te_choice *choice)
{
	u64 largest = 0;
	size_t i;

	for (i = 0; i < choice->nr_volumes; i++)
		if (choice->settled[i].use == TE_CHOICE_WANTED &&
		    choice->settled[i].mapped_blocks > largest)
			largest = choice->settled[i].mapped_blocks;
	return largest;
}

static void measure_data(struct te_room *room, const struct te_begin *begin,
			 const struct te_choice *choice)
{
	room->data_most = DIV_ROUND_UP(le64_to_cpu(begin->provisioned_sectors),
				       room->block_sectors);
	if (choice->scanned)
		room->data_most = DIV_ROUND_UP(choice->placed_sectors, room->block_sectors);
	room->data_least = room->data_most;
	if (!choice->scanned && choice->nr_wanted < choice->nr_volumes)
		room->data_least = largest_wanted(choice);
	if (room->data_least > room->data_most)
		room->data_least = room->data_most;
}

void te_room_measure(struct te_room *room, const struct te_target *target,
		     const struct te_begin *begin, const struct te_choice *choice)
{
	u64 metadata_blocks = target->metadata.bytes / THIN_METADATA_BLOCK_BYTES;

	*room = (struct te_room) {
		.target = target,
		.kind = "",
		.block_sectors = le32_to_cpu(begin->data_block_sectors),
	};
	room->data_blocks = target->data.bytes / (room->block_sectors * (u64)SECTOR_BYTES);
	room->metadata_blocks = metadata_blocks < THIN_METADATA_MAX_BLOCKS ?
		metadata_blocks : THIN_METADATA_MAX_BLOCKS;
	measure_data(room, begin, choice);
	room->metadata_least = te_build_estimate(room->data_blocks, room->metadata_blocks,
						 choice->nr_wanted, room->data_least);
}

/* `what` needs so many, in the words of the sentence. */
static int refuse_size(const struct te_target_part *part, const char *what, u64 wanted_blocks,
		       u64 blocks, const char *kind, u64 block_bytes)
{
	te_error("%s is too small: the %s %" PRIu64 " blocks of %s, it has %" PRIu64
		 "%s; %" PRIu64 " bytes more are needed", part->path, what, wanted_blocks,
		 te_bytes(block_bytes), blocks, kind, wanted_blocks * block_bytes - part->bytes);
	return -ENOSPC;
}

int te_room_check(const struct te_room *room)
{
	const struct te_target *target = room->target;

	if (room->data_blocks < room->data_least || !room->data_blocks)
		return refuse_size(&target->data, room->data_least < room->data_most ?
						  "data needs at least" : "data needs",
				   room->data_least ? room->data_least : 1, room->data_blocks,
				   room->kind, room->block_sectors * (u64)SECTOR_BYTES);
	if (room->metadata_blocks < room->metadata_least)
		return refuse_size(&target->metadata, "metadata needs at least", room->metadata_least,
				   room->metadata_blocks, room->kind, THIN_METADATA_BLOCK_BYTES);
	return 0;
}
