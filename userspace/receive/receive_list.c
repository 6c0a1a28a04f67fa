// SPDX-License-Identifier: GPL-2.0-or-later
/* What `receive -n` lists: what would become of a stream; and what became of it, in JSON. */
#include "receive/receive_list.h"

#include <json-c/json.h>
#include <stdio.h>

#include <thinexport/thin_disk.h>
#include "base/listing.h"
#include "base/say.h"
#include "base/utf8.h"

#define SECTOR_BYTES	512ULL
#define NAME_COLUMNS	28u

/* What a new pool would be. */
struct prospect {
	struct te_begin begin;
	struct te_room room;
	const struct te_choice *choice;
	struct te_sink *sink;
};

static u64 block_bytes(const struct prospect *prospect)
{
	return prospect->room.block_sectors * SECTOR_BYTES;
}

static u64 to_bytes(const struct prospect *prospect, u64 blocks)
{
	return blocks * block_bytes(prospect);
}

static void print_volume(const struct prospect *prospect, const struct te_choice_volume *volume)
{
	char *name = te_utf8_printable(volume->name ? volume->name : "-", NAME_COLUMNS);
	char was[24] = "";

	if (volume->new_id)
		snprintf(was, sizeof(was), "  (was %u)", volume->stream_dev_id);
	printf("%8u %c%-9s %11s  %s%s\n", volume->dev_id, volume->size_known ? ' ' : '~',
	       te_bytes(volume->sectors * SECTOR_BYTES),
	       te_bytes(to_bytes(prospect, volume->mapped_blocks)), name ? name : "?", was);
	te_free(name);
}

static const char *verdict(u64 least, u64 most, u64 there)
{
	if (there < least)
		return "too small";
	return there < most ? "may be too small" : "fits";
}

static void print_room(const struct prospect *prospect)
{
	const struct te_room *room = &prospect->room;
	u64 least = to_bytes(prospect, room->data_least), most = to_bytes(prospect, room->data_most);

	printf("\ndata      ");
	if (least < most)
		printf("%s to ", te_bytes(least));
	printf("%s needed, %s there: %s\n", te_bytes(most),
	       te_bytes(to_bytes(prospect, room->data_blocks)),
	       verdict(room->data_least, room->data_most, room->data_blocks));
	printf("metadata  at least %s needed, %s there: %s\n",
	       te_bytes(room->metadata_least * THIN_METADATA_BLOCK_BYTES),
	       te_bytes(room->metadata_blocks * THIN_METADATA_BLOCK_BYTES),
	       verdict(room->metadata_least, room->metadata_least, room->metadata_blocks));
	printf("pool      %llu blocks of %s, transaction %llu\n",
	       (unsigned long long)room->data_blocks, te_bytes(block_bytes(prospect)),
	       (unsigned long long)le64_to_cpu(prospect->begin.transaction_id));
}

static int by_id(const void *a, const void *b)
{
	const struct te_choice_volume *const *left = a, *const *right = b;

	return (*left)->dev_id < (*right)->dev_id ? -1 : (*left)->dev_id > (*right)->dev_id;
}

/* The wanted volumes, ascending by id: nr_wanted of them.  NULL after one sentence. */
static const struct te_choice_volume **sorted(const struct te_choice *choice)
{
	const struct te_choice_volume **wanted = te_alloc(choice->nr_volumes * sizeof(*wanted));
	size_t nr = 0, i;

	if (!wanted) {
		te_error("not enough memory");
		return NULL;
	}
	for (i = 0; i < choice->nr_volumes; i++)
		if (choice->settled[i].use == TE_CHOICE_WANTED)
			wanted[nr++] = &choice->settled[i];
	qsort(wanted, nr, sizeof(*wanted), by_id);
	return wanted;
}

static int print(const struct prospect *prospect)
{
	const struct te_choice_volume **wanted = sorted(prospect->choice);
	bool guessed = false;
	size_t i;

	if (!wanted)
		return -ENOMEM;
	printf("%8s  %-9s %11s  %s\n", "ID", "SIZE", "PROVISIONED", "NAME");
	for (i = 0; i < prospect->choice->nr_wanted; i++) {
		print_volume(prospect, wanted[i]);
		guessed |= !wanted[i]->size_known;
	}
	print_room(prospect);
	if (guessed)
		printf("\n~ at least: the end of the last provisioned block; no longer size is known\n");
	te_free(wanted);
	return 0;
}

static struct json_object *json_volume(const struct te_choice_volume *volume)
{
	struct json_object *object = json_object_new_object();

	te_listing_number(object, "id", volume->dev_id);
	te_listing_number(object, "stream_id", volume->stream_dev_id);
	te_listing_text(object, "name", volume->name);
	te_listing_number(object, "size_bytes", volume->sectors * SECTOR_BYTES);
	json_object_object_add(object, "size_known",
			       json_object_new_boolean(volume->size_known));
	return object;
}

static struct json_object *json_volumes(const struct te_choice *choice)
{
	const struct te_choice_volume **wanted = sorted(choice);
	struct json_object *volumes = json_object_new_array();
	size_t i;

	for (i = 0; wanted && i < choice->nr_wanted; i++)
		json_object_array_add(volumes, json_volume(wanted[i]));
	te_free(wanted);
	return volumes;
}

static void add_fits(struct json_object *to, const struct te_room *room)
{
	bool fits = room->data_blocks && room->data_blocks >= room->data_least &&
		    room->metadata_blocks >= room->metadata_least;

	/* Neither yes nor no: left out. */
	if (!fits || room->data_blocks >= room->data_most)
		json_object_object_add(to, "fits", json_object_new_boolean(fits));
}

static void print_json(const struct prospect *prospect)
{
	struct json_object *object = json_object_new_object();
	const struct te_room *room = &prospect->room;

	te_listing_number(object, "block_bytes", block_bytes(prospect));
	te_listing_number(object, "transaction_id", le64_to_cpu(prospect->begin.transaction_id));
	add_fits(object, room);
	te_listing_number(object, "data_needed_least_bytes", to_bytes(prospect, room->data_least));
	te_listing_number(object, "data_needed_most_bytes", to_bytes(prospect, room->data_most));
	te_listing_number(object, "data_bytes", to_bytes(prospect, room->data_blocks));
	te_listing_number(object, "metadata_needed_least_bytes",
			  room->metadata_least * THIN_METADATA_BLOCK_BYTES);
	te_listing_number(object, "metadata_bytes",
			  room->metadata_blocks * THIN_METADATA_BLOCK_BYTES);
	json_object_object_add(object, "volumes", json_volumes(prospect->choice));
	te_listing_json(object);
}

/* BEGIN and CATALOG.  1, or what te_stream_next() returned. */
static int read_beginning(struct te_stream_reader *reader, struct te_begin *begin)
{
	struct te_record record;
	int more;

	do {
		more = te_stream_next(reader, &record);
		if (more == 1 && record.kind == TE_RECORD_BEGIN)
			*begin = *record.begin;
	} while (more == 1 && record.kind != TE_RECORD_CATALOG);
	return more;
}

static int look(struct prospect *prospect, struct te_stream_reader *reader, const char *name,
		struct te_choice *choice)
{
	int more = read_beginning(reader, &prospect->begin), err;
	struct te_sink_beginning beginning = {
		.name = name,
		.begin = &prospect->begin,
		.catalog = te_stream_catalog(reader),
		.choice = choice,
	};

	if (more != 1)
		return more;
	err = te_choice_settle(choice, beginning.catalog, name);
	return err ? err : prospect->sink->ops->measure(prospect->sink, &beginning,
							 &prospect->room);
}

int te_receive_list(int fd, const char *name, struct te_sink *sink, struct te_choice *choice,
		    bool json)
{
	struct prospect prospect = { .choice = choice, .sink = sink };
	struct te_stream_reader *reader;
	int err = te_choice_scan(choice, fd, name);

	if (err)
		return err;
	reader = te_stream_reader_create(fd, name);
	if (!reader) {
		te_error("no memory to read %s", name);
		return -ENOMEM;
	}
	err = look(&prospect, reader, name, choice);
	te_stream_reader_destroy(reader);
	if (err)
		return err;
	if (json)
		print_json(&prospect);
	else
		err = print(&prospect);
	if (err)
		return err;
	if (te_listing_end() != TE_EXIT_DONE)
		return -EIO;
	return te_room_check(&prospect.room);
}

void te_receive_totals_json(const struct te_choice *choice,
			    const struct te_receive_totals *totals, double seconds)
{
	struct json_object *object = json_object_new_object();
	char text[32];

	snprintf(text, sizeof(text), "%.3f", seconds);
	te_listing_number(object, "data_bytes", totals->data_bytes);
	te_listing_number(object, "zero_bytes", totals->zero_bytes);
	te_listing_number(object, "skipped_bytes", totals->skipped_bytes);
	te_listing_number(object, "unused_bytes", totals->unused_bytes);
	te_listing_number(object, "metadata_bytes", totals->metadata_bytes);
	te_listing_number(object, "copied_bytes", totals->copied_bytes);
	te_listing_number(object, "filled_bytes", totals->filled_bytes);
	json_object_object_add(object, "seconds", json_object_new_double_s(seconds, text));
	json_object_object_add(object, "volumes", json_volumes(choice));
	te_listing_json(object);
}
