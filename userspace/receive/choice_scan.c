// SPDX-License-Identifier: GPL-2.0-or-later
/* Choosing from a file: a first reading finds what the wanted volumes need. */
#include "receive/choice.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "base/say.h"
#include "stream/stream_read.h"

/*
 * Of a stream in which more volumes than that need one another it is not followed
 * who needs whom, and all are needed, as in a pipe: a few bytes that travelled make
 * one more, so a hostile stream would take what memory there is.
 */
#define MOST_NEEDS	(1u << 20)

/* Section `from` is told from, or shares with, `to`, which came before it. */
struct need {
	u32 from;
	u32 to;
};

struct scan {
	struct te_choice *choice;
	struct need *needs;		/* ascending by `from` */
	size_t nr_needs;
	size_t room;
	bool too_many;
	u32 *needed_by;			/* by section: 1 + the last that was found to need it */
	u64 *sectors;			/* by section: in its DATA and ZERO */
	u64 *shared_sectors;		/* of these, marked shared */
	u32 section;			/* that is arriving */
};

static int note_need(struct scan *scan, u32 to)
{
	if (scan->needed_by[to] == scan->section + 1)
		return 0;
	scan->needed_by[to] = scan->section + 1;
	scan->too_many |= scan->nr_needs == MOST_NEEDS;
	if (scan->too_many)
		return 0;
	if (scan->nr_needs == scan->room) {
		size_t room = scan->room ? scan->room * 2 : 64;
		struct need *needs = realloc(scan->needs, room * sizeof(*needs));

		if (!needs)
			return -ENOMEM;
		scan->needs = needs;
		scan->room = room;
	}
	scan->needs[scan->nr_needs++] = (struct need) { scan->section, to };
	return 0;
}

static int take_catalog(struct scan *scan, const struct te_catalog *catalog, const char *name)
{
	int err = te_choice_settle(scan->choice, catalog, name);

	if (err)
		return err;
	scan->needed_by = te_alloc(catalog->nr_volumes * sizeof(*scan->needed_by));
	scan->sectors = te_alloc(catalog->nr_volumes * sizeof(*scan->sectors));
	scan->shared_sectors = te_alloc(catalog->nr_volumes * sizeof(*scan->shared_sectors));
	return scan->needed_by && scan->sectors && scan->shared_sectors ? 0 : -ENOMEM;
}

static int take_volume(struct scan *scan, const struct te_volume_begin *volume)
{
	scan->section = le32_to_cpu(volume->index);
	if (le32_to_cpu(volume->parent_kind) != TE_PARENT_VOLUME)
		return 0;
	return note_need(scan, le32_to_cpu(volume->parent_index));
}

static int take_ops(struct scan *scan, const struct te_record *record)
{
	size_t i;
	int err = 0;

	for (i = 0; !err && i < record->ops.nr_ops; i++) {
		const struct te_op *op = &record->ops.ops[i];
		unsigned int kind = le16_to_cpu(op->kind);
		u64 length = le64_to_cpu(op->length);

		if (kind == TE_OP_SHARE)
			err = note_need(scan, le32_to_cpu(op->source));
		if (kind != TE_OP_DATA && kind != TE_OP_ZERO)
			continue;
		te_progress_add(length * 512);
		scan->sectors[scan->section] += length;
		if (le16_to_cpu(op->flags) & TE_OP_SHARED)
			scan->shared_sectors[scan->section] += length;
	}
	return err;
}

static int take_record(struct scan *scan, const struct te_record *record,
		       const struct te_catalog *catalog, const char *name)
{
	switch (record->kind) {
	case TE_RECORD_BEGIN:
		te_progress_begin(TE_PROGRESS_SCAN,
				  le64_to_cpu(record->begin->provisioned_sectors) * 512);
		return 0;
	case TE_RECORD_CATALOG:
		return take_catalog(scan, catalog, name);
	case TE_RECORD_VOLUME:
		return take_volume(scan, record->volume);
	case TE_RECORD_OPS:
		return take_ops(scan, record);
	default:
		return 0;
	}
}

static int read_through(struct scan *scan, struct te_stream_reader *reader, const char *name)
{
	struct te_record record;
	int more, err;

	while ((more = te_stream_next(reader, &record)) == 1) {
		err = te_interrupted() ? -EINTR :
		      take_record(scan, &record, te_stream_catalog(reader), name);
		if (err == -ENOMEM)
			te_error("%s: not enough memory to find what its volumes need", name);
		if (err)
			return err;
	}
	return more;
}

/* From the last section back: whoever may need one comes behind it. */
static void follow(struct scan *scan)
{
	struct te_choice *choice = scan->choice;
	struct te_choice_volume *settled = choice->settled;
	size_t i;

	for (i = 0; i < choice->nr_volumes; i++)
		if (settled[i].use == TE_CHOICE_NEEDED)
			settled[i].use = TE_CHOICE_IGNORED;
	for (i = scan->nr_needs; i--;) {
		const struct need *need = &scan->needs[i];

		if (settled[need->from].use != TE_CHOICE_IGNORED &&
		    settled[need->to].use == TE_CHOICE_IGNORED)
			settled[need->to].use = TE_CHOICE_NEEDED;
	}
	for (i = 0; i < choice->nr_volumes; i++) {
		if (settled[i].use == TE_CHOICE_WANTED)
			choice->placed_sectors += scan->sectors[i];
		else if (settled[i].use == TE_CHOICE_NEEDED)
			choice->placed_sectors += scan->shared_sectors[i];
	}
	choice->scanned = true;
}

static int scan_stream(struct te_choice *choice, int fd, const char *name)
{
	struct te_stream_reader *reader = te_stream_reader_create(fd, name);
	struct scan scan = { .choice = choice };
	int err = -ENOMEM;

	if (reader)
		err = read_through(&scan, reader, name);
	else
		te_error("no memory to read %s", name);
	te_progress_end();
	if (!err && !scan.too_many)
		follow(&scan);
	te_stream_reader_destroy(reader);
	free(scan.needs);
	te_free(scan.needed_by);
	te_free(scan.sectors);
	te_free(scan.shared_sectors);
	return err;
}

int te_choice_scan(struct te_choice *choice, int fd, const char *name)
{
	off_t start = lseek(fd, 0, SEEK_CUR);
	struct stat status;
	int err;

	if (!choice->volumes.nr || start < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode))
		return 0;
	err = scan_stream(choice, fd, name);
	if (!err && lseek(fd, start, SEEK_SET) != start) {
		err = -errno;
		te_error("%s: cannot be read a second time: %s", name, strerror(-err));
	}
	return err;
}
