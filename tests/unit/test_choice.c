// SPDX-License-Identifier: GPL-2.0-or-later
/* Which volumes a choice settles on, and what it refuses in which words. */
#include <sys/mman.h>
#include <unistd.h>

#include "receive/choice.h"
#include "streams.h"
#include "unit.h"

/* Ids and names of the catalog's volumes; the name of one is the id of another. */
static const struct {
	u32 dev_id;
	const char *name;
} there[] = { { 1, "web" }, { 2, "mail" }, { 3, "old" }, { 7, "old" }, { 9, "2" }, { 12, NULL } };

#define SECTORS		2048u		/* of each volume */

static struct te_catalog *new_catalog(void)
{
	struct te_catalog *catalog = te_catalog_create(ARRAY_SIZE(there));
	size_t i;

	CHECK(catalog);
	for (i = 0; i < ARRAY_SIZE(there); i++) {
		catalog->volumes[i].dev_id = there[i].dev_id;
		catalog->volumes[i].sectors = SECTORS;
		catalog->volumes[i].name = there[i].name ? strdup(there[i].name) : NULL;
	}
	return catalog;
}

struct words {
	const char *volumes[4];
	const char *renames[4];
	const char *grows[4];
};


static int settle(const struct words *words, struct te_choice *choice)
{
	struct te_catalog *catalog = new_catalog();
	size_t i;
	int err;

	*choice = (struct te_choice) { .settled = NULL };
	for (i = 0; i < 4 && words->volumes[i]; i++)
		CHECK_EQ(te_words_add(&choice->volumes, (char *)words->volumes[i]), 0);
	for (i = 0; i < 4 && words->renames[i]; i++)
		CHECK_EQ(te_words_add(&choice->renames, (char *)words->renames[i]), 0);
	for (i = 0; i < 4 && words->grows[i]; i++)
		CHECK_EQ(te_words_add(&choice->grows, (char *)words->grows[i]), 0);
	err = te_choice_settle(choice, catalog, "it");
	te_catalog_destroy(catalog);
	return err;
}

static void refused(const struct words *words, int err, const char *why)
{
	struct te_choice choice;
	const char *said;
	int got;

	hear();
	got = settle(words, &choice);
	said = heard();
	te_choice_exit(&choice);
	if (got != err || !strstr(said, why))
		UNIT_FAIL("returned %d, said: %s", got, said);
}

static void all_are_wanted_when_none_is_named(void)
{
	struct te_choice choice;
	size_t i;

	CHECK_EQ(settle(&(struct words) { .volumes = { NULL } }, &choice), 0);
	CHECK_EQ(choice.nr_wanted, ARRAY_SIZE(there));
	for (i = 0; i < ARRAY_SIZE(there); i++) {
		CHECK_EQ(choice.settled[i].use, TE_CHOICE_WANTED);
		CHECK_EQ(choice.settled[i].dev_id, there[i].dev_id);
	}
	te_choice_exit(&choice);
}

static void a_volume_is_named_by_its_id_or_its_name(void)
{
	struct te_choice choice;

	CHECK_EQ(settle(&(struct words) { .volumes = { "mail", "12", "mail" } }, &choice), 0);
	CHECK_EQ(choice.nr_wanted, 2);
	CHECK_EQ(choice.settled[1].use, TE_CHOICE_WANTED);
	CHECK_EQ(choice.settled[5].use, TE_CHOICE_WANTED);
	CHECK_EQ(choice.settled[0].use, TE_CHOICE_NEEDED);
	te_choice_exit(&choice);
}

static void what_may_mean_several_is_refused(void)
{
	refused(&(struct words) { .volumes = { "old" } }, -ENOTUNIQ, "2 volumes that old may mean");
	refused(&(struct words) { .volumes = { "2" } }, -ENOTUNIQ, "2 volumes that 2 may mean");
	refused(&(struct words) { .renames = { "old=new" } }, -ENOTUNIQ, "that old may mean");
}

static void what_is_not_there_is_named_beside_what_is(void)
{
	refused(&(struct words) { .volumes = { "web", "nobody", "99" } }, -ENOENT,
		"it has no volume nobody and no 99; it has 1 (web), 2 (mail), 3 (old), 7 (old), 9 (2), 12");
	refused(&(struct words) { .renames = { "nobody=new" } }, -ENOENT, "no volume nobody");
}

static void a_rename_gives_an_id_a_name_or_both(void)
{
	struct te_choice choice;

	CHECK_EQ(settle(&(struct words) { .renames = { "web=40", "1=front", "12=first" } }, &choice),
		 0);
	CHECK_EQ(choice.settled[0].stream_dev_id, 1);
	CHECK_EQ(choice.settled[0].dev_id, 40);
	CHECK_STR(choice.settled[0].name, "front");
	CHECK_EQ(choice.settled[5].dev_id, 12);
	CHECK_STR(choice.settled[5].name, "first");
	te_choice_exit(&choice);
}

/* As long as it is only ids, they may change places. */
static void renamed_volumes_may_take_each_others_ids(void)
{
	struct te_choice choice;

	CHECK_EQ(settle(&(struct words) { .renames = { "web=2", "mail=1" } }, &choice), 0);
	CHECK_EQ(choice.settled[0].dev_id, 2);
	CHECK_EQ(choice.settled[1].dev_id, 1);
	te_choice_exit(&choice);
}

static void a_rename_that_is_none_is_refused(void)
{
	refused(&(struct words) { .renames = { "web" } }, -EINVAL, "must be OLD=NEW");
	refused(&(struct words) { .renames = { "=web" } }, -EINVAL, "must be OLD=NEW");
	refused(&(struct words) { .renames = { "web=" } }, -EINVAL, "1 to 127 bytes");
	refused(&(struct words) { .renames = { "web=a/b" } }, -EINVAL, "without '/'");
	refused(&(struct words) { .renames = { "web=a\nb" } }, -EINVAL, "must be text");
	refused(&(struct words) { .renames = { "web=\xff" } }, -EINVAL, "must be text");
	refused(&(struct words) { .renames = { "web=16777216" } }, -EINVAL, "at most 16777215");
	refused(&(struct words) { .renames = { "web=a", "1=b" } }, -EINVAL, "given a name twice");
	refused(&(struct words) { .renames = { "web=4", "1=5" } }, -EINVAL,
		"given a device id twice");
}

static void a_volume_grows_by_a_size_or_to_one(void)
{
	struct te_choice choice;

	CHECK_EQ(settle(&(struct words) { .grows = { "web=+1M", "mail=3M", "12=1M", "9=1048577" } },
			&choice), 0);
	CHECK_EQ(choice.settled[0].sectors, 2 * SECTORS);
	CHECK_EQ(choice.settled[1].sectors, 3 * SECTORS);
	CHECK_EQ(choice.settled[2].sectors, SECTORS);
	CHECK_EQ(choice.settled[4].sectors, SECTORS + 1);
	CHECK_EQ(choice.settled[5].sectors, SECTORS);
	te_choice_exit(&choice);
}

static void a_growth_that_is_none_is_refused(void)
{
	refused(&(struct words) { .grows = { "web" } }, -EINVAL, "must be VOLUME=+SIZE");
	refused(&(struct words) { .grows = { "web=" } }, -EINVAL, "must be VOLUME=+SIZE");
	refused(&(struct words) { .grows = { "web=-1M" } }, -EINVAL, "must be VOLUME=+SIZE");
	refused(&(struct words) { .grows = { "web=1X" } }, -EINVAL, "must be VOLUME=+SIZE");
	refused(&(struct words) { .grows = { "web=512K" } }, -EINVAL, "larger, not smaller; it has 1 MiB");
	refused(&(struct words) { .grows = { "web=+9999999T" } }, -EINVAL, "must be");
	refused(&(struct words) { .grows = { "web=+1M", "1=+1M" } }, -EINVAL, "a size twice");
	refused(&(struct words) { .grows = { "nobody=+1M" } }, -ENOENT, "no volume nobody");
	refused(&(struct words) { .volumes = { "web" }, .grows = { "mail=+1M" } }, -EINVAL,
		"not among the volumes that --volume chooses");
}

static void two_volumes_never_become_one(void)
{
	refused(&(struct words) { .renames = { "web=7" } }, -EEXIST, "both get the device id 7");
	refused(&(struct words) { .renames = { "web=mail" } }, -EEXIST, "both be called mail");
	refused(&(struct words) { .renames = { "web=50", "mail=50" } }, -EEXIST, "device id 50");
}

static void a_volume_that_is_dropped_keeps_nothing_from_others(void)
{
	struct te_choice choice;

	CHECK_EQ(settle(&(struct words) { .volumes = { "web" }, .renames = { "web=7", "1=mail" } },
			&choice), 0);
	CHECK_EQ(choice.settled[0].dev_id, 7);
	te_choice_exit(&choice);
	refused(&(struct words) { .volumes = { "web" }, .renames = { "mail=7" } }, -EINVAL,
		"not among the volumes that --volume chooses");
}

static void a_stream_that_changed_between_two_readings_is_refused(void)
{
	struct te_catalog *catalog = new_catalog();
	struct te_choice choice;
	const char *said;

	CHECK_EQ(settle(&(struct words) { .volumes = { "web" } }, &choice), 0);
	CHECK_EQ(te_choice_settle(&choice, catalog, "it"), 0);
	catalog->volumes[4].dev_id = 10;
	hear();
	CHECK_EQ(te_choice_settle(&choice, catalog, "it"), -EBADMSG);
	said = heard();
	CHECK(strstr(said, "it has changed since it was first read"));
	te_choice_exit(&choice);
	te_catalog_destroy(catalog);
}

#define CROWD	1500u

/* A stream of volumes that are empty, each of which shares with all before it. */
static int crowd_stream(void)
{
	const struct te_codec_choice zstd = { TE_CODEC_ZSTD, 1 };
	const struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(128),
		.nr_volumes = cpu_to_le32(CROWD),
	};
	struct te_catalog *catalog = te_catalog_create(CROWD);
	int fd = memfd_create("stream", MFD_CLOEXEC);
	struct te_stream_writer *writer = writer_create(fd, "it", zstd);
	char *json;
	u32 i, source;

	CHECK(catalog && writer);
	catalog->block_sectors = 128;
	for (i = 0; i < CROWD; i++) {
		catalog->volumes[i].dev_id = i;
		catalog->volumes[i].size_from = TE_SIZE_FROM_MAPPINGS;
	}
	json = te_catalog_write(catalog);
	CHECK_EQ(te_stream_write_begin(writer, &begin), 0);
	CHECK_EQ(te_stream_write_catalog(writer, json), 0);
	for (i = 0; i < CROWD; i++) {
		struct te_volume_begin volume = {
			.index = cpu_to_le32(i), .dev_id = cpu_to_le32(i),
		};

		CHECK_EQ(te_stream_write_volume(writer, &volume), 0);
		for (source = 0; source < i; source++) {
			const struct te_op op = {
				.offset = cpu_to_le64(128 * source),
				.length = cpu_to_le64(128),
				.kind = cpu_to_le16(TE_OP_SHARE),
				.source = cpu_to_le32(source),
			};

			CHECK_EQ(writer_op(writer, &op), 0);
		}
		CHECK_EQ(writer_volume_end(writer), 0);
	}
	CHECK_EQ(te_stream_write_end(writer), 0);
	writer_destroy(writer);
	te_catalog_destroy(catalog);
	free(json);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void who_needs_whom_takes_bounded_memory(void)
{
	struct te_choice choice = { .settled = NULL };
	int fd = crowd_stream();
	size_t i;

	CHECK_EQ(te_words_add(&choice.volumes, (char *)"0"), 0);
	CHECK_EQ(te_choice_scan(&choice, fd, "it"), 0);
	CHECK(!choice.scanned);
	CHECK_EQ(choice.nr_wanted, 1);
	for (i = 1; i < CROWD; i++)
		CHECK_EQ(choice.settled[i].use, TE_CHOICE_NEEDED);
	te_choice_exit(&choice);
	close(fd);
}

UNIT_MAIN(UNIT(all_are_wanted_when_none_is_named),
	  UNIT(a_volume_is_named_by_its_id_or_its_name),
	  UNIT(what_may_mean_several_is_refused),
	  UNIT(what_is_not_there_is_named_beside_what_is),
	  UNIT(a_rename_gives_an_id_a_name_or_both),
	  UNIT(renamed_volumes_may_take_each_others_ids),
	  UNIT(a_rename_that_is_none_is_refused),
	  UNIT(a_volume_grows_by_a_size_or_to_one),
	  UNIT(a_growth_that_is_none_is_refused),
	  UNIT(two_volumes_never_become_one),
	  UNIT(a_volume_that_is_dropped_keeps_nothing_from_others),
	  UNIT(a_stream_that_changed_between_two_readings_is_refused),
	  UNIT(who_needs_whom_takes_bounded_memory))
