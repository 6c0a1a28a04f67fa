// SPDX-License-Identifier: GPL-2.0-or-later
/* Choosing: which volumes of a stream are received, and what they become. */
#include "receive/choice.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/say.h"
#include "base/utf8.h"

/* As long as a device-mapper name. */
#define MOST_NAME_BYTES		127u
#define MOST_SECTORS		(1ULL << 54)
#define SECTOR_BYTES		512u
/* Of a name in a sentence. */
#define NAME_COLUMNS		40u

/* A sentence that is put together; what does not fit is left out. */
struct sentence {
	char text[700];
	size_t used;
	size_t nr_left_out;
};

__attribute__((format(printf, 2, 3)))
static void append(struct sentence *sentence, const char *format, ...)
{
	size_t room = sizeof(sentence->text) - sentence->used;
	va_list arguments;
	int bytes;

	va_start(arguments, format);
	bytes = vsnprintf(sentence->text + sentence->used, room, format, arguments);
	va_end(arguments);
	if (bytes >= 0 && (size_t)bytes < room && !sentence->nr_left_out) {
		sentence->used += (size_t)bytes;
		return;
	}
	sentence->text[sentence->used] = '\0';
	sentence->nr_left_out++;
}

static void append_volume(struct sentence *sentence, const struct te_choice_volume *volume)
{
	const char *comma = sentence->used ? ", " : "";
	char *name = volume->name ? te_utf8_printable(volume->name, NAME_COLUMNS) : NULL;

	if (name)
		append(sentence, "%s%u (%s)", comma, volume->stream_dev_id, name);
	else
		append(sentence, "%s%u", comma, volume->stream_dev_id);
	te_free(name);
}

/* What is not there, beside all that is. */
static int refuse_unknown(const struct te_choice *choice, const char *name,
			  const struct sentence *unknown)
{
	struct sentence there = { .used = 0 };
	char more[40] = "";
	size_t i;

	for (i = 0; i < choice->nr_volumes; i++)
		append_volume(&there, &choice->settled[i]);
	if (there.nr_left_out)
		snprintf(more, sizeof(more), " and %zu more", there.nr_left_out);
	te_error("%s has no volume %.150s; it has %s%s", name, unknown->text,
		 choice->nr_volumes ? there.text : "none at all", more);
	return -ENOENT;
}

/* The volumes that `word` names, by name or id: how many, and the last of them. */
static size_t find(const struct te_choice *choice, const struct te_catalog *catalog,
		   const char *word, struct te_choice_volume **found)
{
	const char *rest;
	size_t nr = 0, i;
	u64 id;
	bool is_id = te_parse_number(word, '\0', THIN_DEV_ID_MAX, &id, &rest);

	for (i = 0; i < catalog->nr_volumes; i++) {
		const struct te_catalog_volume *volume = &catalog->volumes[i];

		if ((volume->name && !strcmp(volume->name, word)) ||
		    (is_id && volume->dev_id == id)) {
			*found = &choice->settled[i];
			nr++;
		}
	}
	return nr;
}

static int find_one(const struct te_choice *choice, const struct te_catalog *catalog,
		    const char *name, const char *word, struct sentence *unknown,
		    struct te_choice_volume **found)
{
	size_t nr = find(choice, catalog, word, found);

	if (nr > 1) {
		te_error("%s has %zu volumes that %s may mean: give the device id of one", name,
			 nr, word);
		return -ENOTUNIQ;
	}
	if (!nr) {
		append(unknown, "%s%s", unknown->used ? " and no " : "", word);
		*found = NULL;
	}
	return 0;
}

static int fill(struct te_choice *choice, const struct te_catalog *catalog)
{
	size_t i;

	choice->settled = te_alloc(catalog->nr_volumes * sizeof(*choice->settled));
	if (!choice->settled)
		return -ENOMEM;
	choice->nr_volumes = catalog->nr_volumes;
	for (i = 0; i < catalog->nr_volumes; i++) {
		const struct te_catalog_volume *from = &catalog->volumes[i];

		choice->settled[i] = (struct te_choice_volume) {
			.use = choice->volumes.nr ? TE_CHOICE_NEEDED : TE_CHOICE_WANTED,
			.stream_dev_id = from->dev_id,
			.dev_id = from->dev_id,
			.name = from->name ? strdup(from->name) : NULL,
			.sectors = from->sectors,
			.size_known = from->size_from != TE_SIZE_FROM_MAPPINGS,
			.mapped_blocks = from->mapped_blocks,
		};
		if (from->name && !choice->settled[i].name)
			return -ENOMEM;
	}
	return 0;
}

static int choose(struct te_choice *choice, const struct te_catalog *catalog, const char *name,
		  struct sentence *unknown)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < choice->volumes.nr; i++) {
		struct te_choice_volume *volume;

		err = find_one(choice, catalog, name, choice->volumes.words[i], unknown, &volume);
		if (!err && volume)
			volume->use = TE_CHOICE_WANTED;
	}
	return err;
}

static bool is_name(const char *text)
{
	size_t bytes = strlen(text), i;

	for (i = 0; i < bytes; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 127 || text[i] == '/')
			return false;
	return bytes && bytes <= MOST_NAME_BYTES && te_utf8_valid(text, bytes);
}

static int give_id(struct te_choice_volume *volume, const char *rename, const char *new)
{
	const char *rest;
	u64 id;

	if (!te_parse_number(new, '\0', THIN_DEV_ID_MAX, &id, &rest)) {
		te_error("--rename %s: a device id is at most %u", rename, THIN_DEV_ID_MAX);
		return -EINVAL;
	}
	volume->dev_id = (u32)id;
	volume->new_id = true;
	return 0;
}

static int give_name(struct te_choice_volume *volume, const char *rename, const char *new)
{
	char *copy;

	if (!is_name(new)) {
		te_error("--rename %s: the new name must be text of 1 to %u bytes without '/'",
			 rename, MOST_NAME_BYTES);
		return -EINVAL;
	}
	copy = strdup(new);
	if (!copy)
		return -ENOMEM;
	free(volume->name);
	volume->name = copy;
	volume->new_name = true;
	return 0;
}

/* A number is a device id, all else a name. */
static int give(struct te_choice_volume *volume, const char *rename, const char *new)
{
	bool is_id = new[0] && !new[strspn(new, "0123456789")];

	if (is_id ? volume->new_id : volume->new_name) {
		te_error("--rename %s: volume %u is given %s twice", rename, volume->stream_dev_id,
			 is_id ? "a device id" : "a name");
		return -EINVAL;
	}
	return is_id ? give_id(volume, rename, new) : give_name(volume, rename, new);
}

/* "+SIZE", or the size as it is to be. */
static int grow(struct te_choice_volume *volume, const char *word, const char *text)
{
	bool more = *text == '+';
	u64 bytes, sectors;

	if (!te_parse_bytes(text + more, &bytes)) {
		te_error("--grow %s: it must be VOLUME=+SIZE or VOLUME=SIZE, with a size such as 20G",
			 word);
		return -EINVAL;
	}
	sectors = DIV_ROUND_UP(bytes, SECTOR_BYTES) + (more ? volume->sectors : 0);
	if (volume->grown || sectors < volume->sectors || sectors > MOST_SECTORS) {
		te_error("--grow %s: %s; it has %s", word,
			 volume->grown ? "the volume is given a size twice" :
			 sectors > MOST_SECTORS ? "no volume is that large" :
			 "a volume can be made larger, not smaller",
			 te_bytes(volume->sectors * SECTOR_BYTES));
		return -EINVAL;
	}
	volume->sectors = sectors;
	volume->grown = true;
	return 0;
}

/* What an option that changes volumes is, and does with what is behind "VOLUME=". */
struct change {
	const char *option;
	const char *form;
	int (*make)(struct te_choice_volume *volume, const char *word, const char *text);
};

static int change_one(struct te_choice *choice, const struct te_catalog *catalog,
		      const char *name, const struct change *change, const char *word,
		      struct sentence *unknown)
{
	const char *equals = strchr(word, '=');
	struct te_choice_volume *volume;
	char *old;
	int err;

	if (!equals || equals == word) {
		te_error("%s %s: it must be %s", change->option, word, change->form);
		return -EINVAL;
	}
	old = strndup(word, (size_t)(equals - word));
	if (!old)
		return -ENOMEM;
	err = find_one(choice, catalog, name, old, unknown, &volume);
	if (!err && volume && volume->use != TE_CHOICE_WANTED) {
		te_error("%s %s: %s is not among the volumes that --volume chooses",
			 change->option, word, old);
		err = -EINVAL;
	}
	free(old);
	return err || !volume ? err : change->make(volume, word, equals + 1);
}

static int change_all(struct te_choice *choice, const struct te_catalog *catalog,
		      const char *name, struct sentence *unknown)
{
	static const struct change rename = { "--rename", "OLD=NEW", give };
	static const struct change size = { "--grow", "VOLUME=+SIZE or VOLUME=SIZE", grow };
	size_t i;
	int err = 0;

	for (i = 0; !err && i < choice->renames.nr; i++)
		err = change_one(choice, catalog, name, &rename, choice->renames.words[i], unknown);
	for (i = 0; !err && i < choice->grows.nr; i++)
		err = change_one(choice, catalog, name, &size, choice->grows.words[i], unknown);
	return err;
}

/* Two that would be one: what was given anew against all the others. */
static int check_pair(const struct te_choice_volume *one, const struct te_choice_volume *other)
{
	if (one->new_id && one->dev_id == other->dev_id) {
		te_error("--rename: volumes %u and %u would both get the device id %u",
			 one->stream_dev_id, other->stream_dev_id, one->dev_id);
		return -EEXIST;
	}
	if (one->new_name && other->name && !strcmp(one->name, other->name)) {
		te_error("--rename: volumes %u and %u would both be called %s",
			 one->stream_dev_id, other->stream_dev_id, one->name);
		return -EEXIST;
	}
	return 0;
}

static int check_unique(const struct te_choice *choice)
{
	size_t i, j;
	int err = 0;

	for (i = 0; !err && i < choice->nr_volumes; i++) {
		const struct te_choice_volume *one = &choice->settled[i];

		if (!one->new_id && !one->new_name)
			continue;
		for (j = 0; !err && j < choice->nr_volumes; j++)
			if (i != j && choice->settled[j].use == TE_CHOICE_WANTED)
				err = check_pair(one, &choice->settled[j]);
	}
	return err;
}

/* The stream that was scanned is read again: it must be the same. */
static int check_same(const struct te_choice *choice, const struct te_catalog *catalog,
		      const char *name)
{
	size_t i = 0;

	if (catalog->nr_volumes == choice->nr_volumes)
		while (i < catalog->nr_volumes &&
		       catalog->volumes[i].dev_id == choice->settled[i].stream_dev_id)
			i++;
	if (i == catalog->nr_volumes)
		return 0;
	te_error("%s has changed since it was first read", name);
	return -EBADMSG;
}

static int settle(struct te_choice *choice, const struct te_catalog *catalog, const char *name)
{
	struct sentence unknown = { .used = 0 };
	size_t i;
	int err = fill(choice, catalog);

	if (!err)
		err = choose(choice, catalog, name, &unknown);
	if (!err)
		err = change_all(choice, catalog, name, &unknown);
	if (err)
		return err;
	if (unknown.used || unknown.nr_left_out)
		return refuse_unknown(choice, name, &unknown);
	for (i = 0; i < choice->nr_volumes; i++)
		choice->nr_wanted += choice->settled[i].use == TE_CHOICE_WANTED;
	return check_unique(choice);
}

int te_choice_settle(struct te_choice *choice, const struct te_catalog *catalog,
		     const char *name)
{
	int err;

	if (choice->settled)
		return check_same(choice, catalog, name);
	err = settle(choice, catalog, name);
	if (err == -ENOMEM)
		te_error("not enough memory");
	return err;
}

void te_choice_exit(struct te_choice *choice)
{
	size_t i;

	for (i = 0; choice->settled && i < choice->nr_volumes; i++)
		free(choice->settled[i].name);
	te_free(choice->settled);
	te_words_exit(&choice->volumes);
	te_words_exit(&choice->renames);
	te_words_exit(&choice->grows);
	*choice = (struct te_choice) { .settled = NULL };
}
