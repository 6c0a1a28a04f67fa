// SPDX-License-Identifier: GPL-2.0-or-later
/* Who keeps a receive's place. */
#include "receive/receive_keep.h"

#include "base/clock.h"
#include "base/say.h"

struct te_receive_keeper {
	const struct te_target *target;
	u64 window_bytes;
	struct te_checkpoint checkpoint;
	struct te_receive_kept kept;	/* what was there */
	struct te_pack beginning, slot;
	struct te_resume place;		/* behind the record noted last */
	bool noted;
	u64 received_bytes;
	u64 kept_bytes;			/* when the last checkpoint was made, and */
	u64 kept_at;			/* its time, of te_clock_us() */
};

static u64 device_blocks(const struct te_receive_keeper *keeper)
{
	return keeper->target->metadata.bytes / THIN_METADATA_BLOCK_BYTES;
}

struct te_receive_keeper *te_receive_keeper_create(const struct te_target *target,
						   u64 window_bytes)
{
	struct te_receive_keeper *keeper = te_alloc(sizeof(*keeper));

	if (!keeper) {
		te_error("not enough memory");
		return NULL;
	}
	keeper->target = target;
	keeper->window_bytes = window_bytes;
	keeper->kept_at = te_clock_us();
	return keeper;
}

void te_receive_keeper_destroy(struct te_receive_keeper *keeper)
{
	te_receive_kept_exit(&keeper->kept);
	te_free(keeper->beginning.bytes);
	te_free(keeper->slot.bytes);
	te_free(keeper);
}

static int alloc_packs(struct te_receive_keeper *keeper, size_t beginning_bytes, u64 nr_volumes)
{
	keeper->beginning.room = beginning_bytes;
	keeper->beginning.bytes = te_alloc(beginning_bytes);
	keeper->slot.room = te_receive_slot_bytes(nr_volumes);
	keeper->slot.bytes = te_alloc(keeper->slot.room);
	if (keeper->beginning.bytes && keeper->slot.bytes)
		return 0;
	te_error("no memory to keep the place");
	return -ENOMEM;
}

static bool same_words(const struct te_words *a, const struct te_words *b)
{
	size_t i = 0;

	while (i < a->nr && i < b->nr && !strcmp(a->words[i], b->words[i]))
		i++;
	return i == a->nr && i == b->nr;
}

/* What was chosen then is chosen now, whether it is said again or not. */
static int take_choice(struct te_receive_keeper *keeper, struct te_choice *choice)
{
	const struct te_choice *kept = &keeper->kept.choice;
	bool none = !choice->volumes.nr && !choice->renames.nr;
	size_t i;

	if (!none && (!same_words(&choice->volumes, &kept->volumes) ||
		      !same_words(&choice->renames, &kept->renames))) {
		te_error("%s: its interrupted receive was begun with other --volume and --rename options: give those, or none",
			 keeper->target->metadata.path);
		return -EINVAL;
	}
	for (i = 0; none && i < kept->volumes.nr; i++)
		if (te_words_add(&choice->volumes, kept->volumes.words[i]))
			return -ENOMEM;
	for (i = 0; none && i < kept->renames.nr; i++)
		if (te_words_add(&choice->renames, kept->renames.words[i]))
			return -ENOMEM;
	return 0;
}

static int settle_choice(struct te_receive_keeper *keeper, const struct te_catalog *catalog,
			 struct te_choice *choice)
{
	const struct te_receive_kept *kept = &keeper->kept;
	size_t i;
	int err = te_choice_settle(choice, catalog, keeper->target->metadata.path);

	choice->scanned = kept->scanned;
	choice->placed_sectors = kept->placed_sectors;
	for (i = 0; !err && kept->scanned && i < choice->nr_volumes; i++)
		if (kept->uses[i] <= TE_CHOICE_IGNORED)
			choice->settled[i].use = (enum te_choice_use)kept->uses[i];
	return err;
}

int te_receive_keeper_open(struct te_receive_keeper *keeper, struct te_stream_reader *reader,
			   struct te_choice *choice)
{
	const struct te_target_part *metadata = &keeper->target->metadata;
	struct te_receive_kept *kept = &keeper->kept;
	int err;

	if (!keeper->target->interrupted)
		return 0;
	err = te_receive_load(kept, metadata->fd, metadata->path, device_blocks(keeper));
	if (!err)
		err = take_choice(keeper, choice);
	if (!err)
		err = te_stream_reader_continue(reader, &kept->before);
	if (!err)
		err = settle_choice(keeper, te_stream_catalog(reader), choice);
	if (!err)
		err = alloc_packs(keeper, 1, le32_to_cpu(kept->before.begin.nr_volumes));
	if (err)
		return err;
	keeper->checkpoint = kept->checkpoint;
	keeper->kept_bytes = keeper->received_bytes = kept->state.received_sectors * 512;
	return 0;
}

struct te_receive_kept *te_receive_keeper_kept(struct te_receive_keeper *keeper)
{
	return &keeper->kept;
}

int te_receive_keeper_begin(struct te_receive_keeper *keeper, const struct te_room *room,
			    const struct te_begin *begin, const struct te_record *record,
			    const struct te_choice *choice)
{
	const struct te_target_part *metadata = &keeper->target->metadata;
	size_t catalog_bytes = le32_to_cpu(record->header->raw_bytes);
	size_t beginning_bytes = te_receive_beginning_bytes(choice, catalog_bytes);
	int err;

	if (keeper->window_bytes == TE_WINDOW_NONE)
		return 0;
	te_checkpoint_plan(&keeper->checkpoint, metadata->fd, metadata->path,
			   device_blocks(keeper), room->metadata_least, beginning_bytes,
			   te_receive_slot_bytes(choice->nr_volumes));
	if (!keeper->checkpoint.first)
		return 0;
	err = alloc_packs(keeper, beginning_bytes, choice->nr_volumes);
	if (!err)
		te_receive_save_beginning(&keeper->beginning, begin, record->catalog,
					  catalog_bytes, choice);
	return err;
}

u64 te_receive_keeper_from(const struct te_receive_keeper *keeper)
{
	return keeper->checkpoint.first;
}

bool te_receive_keeper_note(struct te_receive_keeper *keeper,
			    const struct te_stream_reader *reader, u64 received_bytes)
{
	u64 bytes = received_bytes - keeper->kept_bytes;

	if (!keeper->checkpoint.first)
		return false;
	keeper->noted = te_stream_reader_place(reader, &keeper->place);
	keeper->received_bytes = received_bytes;
	if (keeper->window_bytes != TE_WINDOW_AUTO)
		return bytes >= keeper->window_bytes;
	return bytes >= TE_KEEP_BYTES && te_clock_seconds(keeper->kept_at) >= TE_KEEP_SECONDS;
}

int te_receive_keep(struct te_receive_keeper *keeper, bool last, struct te_build *build,
		    struct te_place_writer *place, const struct te_receive_state *state,
		    const struct te_receive_totals *totals)
{
	int err;

	if (!keeper->checkpoint.first || !keeper->noted ||
	    (last && (!keeper->checkpoint.counter ||
		      keeper->received_bytes == keeper->kept_bytes)))
		return 0;
	if (!te_build_leaves_alone(build)) {
		keeper->checkpoint.first = 0;
		return 0;
	}
	keeper->slot.used = 0;
	te_receive_save_slot(&keeper->slot, &keeper->place, state, totals,
			     te_place_position(place));
	err = te_place_settle(place);
	if (!err)
		err = te_build_save(build, &keeper->slot);
	if (!err)
		err = te_checkpoint_write(&keeper->checkpoint, &keeper->beginning, &keeper->slot);
	keeper->kept_bytes = keeper->received_bytes;
	keeper->kept_at = te_clock_us();
	return err;
}

void te_receive_keeper_wipe(struct te_receive_keeper *keeper, const struct te_build *build)
{
	if (keeper->checkpoint.first && keeper->checkpoint.counter && te_build_leaves_alone(build))
		te_checkpoint_wipe(&keeper->checkpoint);
}
