// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a receive stands, as a checkpoint's contents. */
#include "receive/receive_state.h"

#include "base/say.h"

/* What is neither the builder's nor bound to the number of volumes. */
#define FIXED_BYTES	(sizeof(struct te_begin) + sizeof(struct te_resume) + 40 * sizeof(u64))

static size_t words_bytes(const struct te_words *words)
{
	size_t bytes = sizeof(u64), i;

	for (i = 0; i < words->nr; i++)
		bytes += sizeof(u64) + strlen(words->words[i]) + 1;
	return bytes;
}

size_t te_receive_beginning_bytes(const struct te_choice *choice, size_t catalog_bytes)
{
	return FIXED_BYTES + catalog_bytes + 1 + words_bytes(&choice->volumes) +
	       words_bytes(&choice->renames) + choice->nr_volumes;
}

size_t te_receive_slot_bytes(u64 nr_volumes)
{
	return FIXED_BYTES + te_build_most_state(nr_volumes);
}

static void save_text(struct te_pack *pack, const char *text, size_t bytes)
{
	te_pack_u64(pack, bytes);
	te_pack_bytes(pack, text, bytes);
	te_pack_bytes(pack, "", 1);
}

static void save_words(struct te_pack *pack, const struct te_words *words)
{
	size_t i;

	te_pack_u64(pack, words->nr);
	for (i = 0; i < words->nr; i++)
		save_text(pack, words->words[i], strlen(words->words[i]));
}

void te_receive_save_beginning(struct te_pack *pack, const struct te_begin *begin,
			       const char *catalog, size_t catalog_bytes,
			       const struct te_choice *choice)
{
	size_t i;

	te_pack_bytes(pack, begin, sizeof(*begin));
	save_text(pack, catalog, catalog_bytes);
	save_words(pack, &choice->volumes);
	save_words(pack, &choice->renames);
	te_pack_u64(pack, choice->placed_sectors);
	te_pack_u64(pack, choice->scanned);
	te_pack_u64(pack, choice->nr_volumes);
	for (i = 0; i < choice->nr_volumes; i++) {
		u8 use = (u8)choice->settled[i].use;

		te_pack_bytes(pack, &use, sizeof(use));
	}
}

void te_receive_save_slot(struct te_pack *pack, const struct te_resume *place,
			  const struct te_receive_state *state,
			  const struct te_receive_totals *totals, u64 position)
{
	te_pack_bytes(pack, place, sizeof(*place));
	te_pack_u64(pack, position);
	te_pack_u64(pack, state->received_sectors);
	te_pack_u64(pack, state->dev_id);
	te_pack_u64(pack, state->use);
	te_pack_u64(pack, state->skipped_sectors);
	te_pack_u64(pack, state->has_parent);
	te_pack_u64(pack, state->parent);
	te_pack_u64(pack, state->volume_sectors);
	te_pack_u64(pack, state->position);
	te_pack_u64(pack, state->run.start);
	te_pack_u64(pack, state->run.sectors);
	te_pack_u64(pack, state->run.pool_block);
	te_pack_u64(pack, state->run.shared);
	te_pack_u64(pack, state->newest_creation_time);
	te_pack_u64(pack, totals->nr_volumes);
	te_pack_u64(pack, totals->data_bytes);
	te_pack_u64(pack, totals->zero_bytes);
	te_pack_u64(pack, totals->skipped_bytes);
}

/* NULL where there is none, and then the pack has failed. */
static const char *load_text(struct te_pack *pack, size_t *bytes)
{
	const char *text;

	*bytes = te_unpack_u64(pack, pack->room);
	text = te_unpack_bytes(pack, *bytes + 1);
	if (text && text[*bytes])
		pack->failed = true;
	return pack->failed ? NULL : text;
}

static void load_words(struct te_pack *pack, struct te_words *words)
{
	u64 nr = te_unpack_u64(pack, pack->room / sizeof(u64));
	size_t bytes;

	while (!pack->failed && words->nr < nr) {
		const char *text = load_text(pack, &bytes);

		/* Words are the caller's, who does not write to them. */
		if (!text || te_words_add(words, (char *)text))
			pack->failed = true;
	}
}

static void load_beginning(struct te_receive_kept *kept)
{
	struct te_pack *pack = &kept->beginning;
	u64 nr_volumes;

	te_unpack_to(pack, &kept->before.begin, sizeof(kept->before.begin));
	kept->before.catalog = load_text(pack, &kept->before.catalog_bytes);
	load_words(pack, &kept->choice.volumes);
	load_words(pack, &kept->choice.renames);
	kept->placed_sectors = te_unpack_u64(pack, UINT64_MAX);
	kept->scanned = te_unpack_u64(pack, 1);
	nr_volumes = te_unpack_u64(pack, pack->room);
	kept->uses = te_unpack_bytes(pack, nr_volumes);
	if (nr_volumes != le32_to_cpu(kept->before.begin.nr_volumes))
		pack->failed = true;
}

static void load_slot(struct te_receive_kept *kept)
{
	struct te_receive_state *state = &kept->state;
	struct te_pack *pack = &kept->slot;

	te_unpack_to(pack, &kept->before.resume, sizeof(kept->before.resume));
	kept->position = te_unpack_u64(pack, UINT64_MAX / 2);
	state->received_sectors = te_unpack_u64(pack, UINT64_MAX / 2);
	state->dev_id = (u32)te_unpack_u64(pack, UINT32_MAX);
	state->use = (enum te_choice_use)te_unpack_u64(pack, TE_CHOICE_IGNORED);
	state->skipped_sectors = te_unpack_u64(pack, UINT64_MAX / 2);
	state->has_parent = te_unpack_u64(pack, 1);
	state->parent = (u32)te_unpack_u64(pack, UINT32_MAX);
	state->volume_sectors = te_unpack_u64(pack, UINT64_MAX / 2);
	state->position = te_unpack_u64(pack, UINT64_MAX);
	state->run.start = te_unpack_u64(pack, UINT64_MAX / 2);
	state->run.sectors = te_unpack_u64(pack, UINT64_MAX / 2);
	state->run.pool_block = te_unpack_u64(pack, UINT64_MAX / 2);
	state->run.shared = te_unpack_u64(pack, 1);
	state->newest_creation_time = (u32)te_unpack_u64(pack, UINT32_MAX);
	kept->totals.nr_volumes = (u32)te_unpack_u64(pack, UINT32_MAX);
	kept->totals.data_bytes = te_unpack_u64(pack, UINT64_MAX / 2);
	kept->totals.zero_bytes = te_unpack_u64(pack, UINT64_MAX / 2);
	kept->totals.skipped_bytes = te_unpack_u64(pack, UINT64_MAX / 2);
	kept->before.newest_creation_time = state->newest_creation_time;
	kept->before.has_parent = state->has_parent;
	kept->before.volume_sectors = state->volume_sectors;
}

int te_receive_load(struct te_receive_kept *kept, int fd, const char *name, u64 nr_blocks)
{
	int err;

	*kept = (struct te_receive_kept) { .uses = NULL };
	err = te_checkpoint_read(&kept->checkpoint, fd, name, nr_blocks, &kept->beginning,
				 &kept->slot);
	if (err)
		return err;
	load_beginning(kept);
	load_slot(kept);
	if (!kept->beginning.failed && !kept->slot.failed &&
	    kept->state.received_sectors <= le64_to_cpu(kept->before.begin.provisioned_sectors))
		return 0;
	te_error("%s: the place that its interrupted receive has kept makes no sense: receive anew, with --force",
		 name);
	return -EBADMSG;
}

void te_receive_kept_exit(struct te_receive_kept *kept)
{
	te_words_exit(&kept->choice.volumes);
	te_words_exit(&kept->choice.renames);
	te_free(kept->beginning.bytes);
	te_free(kept->slot.bytes);
	*kept = (struct te_receive_kept) { .uses = NULL };
}
