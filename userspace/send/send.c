// SPDX-License-Identifier: GPL-2.0-or-later
/* Sending: a plan and its data become a stream. */
#include "send/send.h"

#include <stdio.h>

#include "stream/catalog.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "stream/resume.h"
#include "base/say.h"
#include "send/send_frames.h"

#define SECTOR_BYTES	512u

struct sending {
	struct te_plan *plan;
	const struct te_send_options *options;
	struct te_stream_writer *writer;
	struct te_begin begin;
	char *catalog;
};

static void make_begin(struct sending *sending)
{
	const struct te_plan *plan = sending->plan;
	const struct te_source *source = plan->source;
	u32 max_creation_time = 0;
	struct te_begin begin = {
		.magic = cpu_to_le64(TE_STREAM_MAGIC),
		.version = cpu_to_le32(TE_STREAM_VERSION),
		.data_block_sectors = cpu_to_le32(source->block_sectors),
		.nr_data_blocks = cpu_to_le64(source->nr_data_blocks),
		.transaction_id = cpu_to_le64(source->transaction_id),
		.provisioned_sectors = cpu_to_le64(plan->sent_blocks * source->block_sectors),
		.nr_volumes = cpu_to_le32((u32)plan->nr_volumes),
	};
	size_t i;

	for (i = 0; i < plan->nr_volumes; i++)
		if (plan->volumes[i].volume->details.creation_time > max_creation_time)
			max_creation_time = plan->volumes[i].volume->details.creation_time;
	begin.max_creation_time = cpu_to_le32(max_creation_time);
	memcpy(begin.stream_id, sending->options->stream_id, sizeof(begin.stream_id));
	sending->begin = begin;
}

static bool describe_pool(struct te_catalog *catalog, const struct te_plan *plan)
{
	const struct te_source *source = plan->source;

	catalog->block_sectors = source->block_sectors;
	catalog->nr_data_blocks = source->nr_data_blocks;
	catalog->transaction_id = source->transaction_id;
	if (source->pool_name)
		catalog->pool_name = strdup(source->pool_name);
	if (source->lvm)
		catalog->lvm = te_catalog_lvm_pool_create(source->lvm);
	if (asprintf(&catalog->plan, "%016llx", (unsigned long long)plan->digest) < 0)
		catalog->plan = NULL;
	return !catalog->pool_name == !source->pool_name && !catalog->lvm == !source->lvm &&
	       catalog->plan;
}

static bool describe_volume(struct te_catalog_volume *volume,
			    const struct te_plan_volume *planned)
{
	const struct te_volume *from = planned->volume;

	volume->dev_id = from->details.dev_id;
	volume->sectors = from->virtual_sectors;
	volume->size_from = from->size_from;
	volume->mapped_blocks = planned->mapped_blocks;
	if (from->name)
		volume->name = strdup(from->name);
	if (from->lvm)
		volume->lvm = te_catalog_lvm_volume_create(from->lvm);
	return !volume->name == !from->name && !volume->lvm == !from->lvm;
}

static struct te_catalog *gather_catalog(const struct te_plan *plan)
{
	struct te_catalog *catalog = te_catalog_create(plan->nr_volumes);
	bool ok = catalog && describe_pool(catalog, plan);
	size_t i;

	for (i = 0; ok && i < plan->nr_volumes; i++)
		ok = describe_volume(&catalog->volumes[i], &plan->volumes[i]);
	if (ok)
		return catalog;
	te_catalog_destroy(catalog);
	return NULL;
}

static int make_beginning(struct sending *sending)
{
	struct te_catalog *catalog = gather_catalog(sending->plan);

	make_begin(sending);
	sending->catalog = catalog ? te_catalog_write(catalog) : NULL;
	te_catalog_destroy(catalog);
	if (sending->catalog)
		return 0;
	te_error("not enough memory");
	return -ENOMEM;
}

/* Before the place to go on at: those that ended, and the one it lies in. */
static size_t sections_begun(const struct te_resume *resume)
{
	return (size_t)le32_to_cpu(resume->index) +
	       !!(le32_to_cpu(resume->flags) & TE_RESUME_IN_SECTION);
}

/* The beginning stands for the plan, and so for every op that follows the place. */
static int check_resume(const struct sending *sending)
{
	const struct te_resume *resume = sending->options->resume;
	u64 beginning = te_resume_beginning(&sending->begin, sending->catalog,
					    strlen(sending->catalog));

	if (le64_to_cpu(resume->beginning) == beginning &&
	    le64_to_cpu(resume->data_sectors) + le64_to_cpu(resume->zero_sectors) <=
		    le64_to_cpu(sending->begin.provisioned_sectors) &&
	    sections_begun(resume) <= sending->plan->nr_volumes)
		return 0;
	te_error("%s is not what the interrupted stream was made of: another pool, one that has changed since, or other volumes, names or sizes; send it anew",
		 sending->plan->source->name);
	return -ESTALE;
}

static int write_volume(struct sending *sending, size_t index)
{
	const struct te_plan_volume *planned = &sending->plan->volumes[index];
	const struct te_volume *volume = planned->volume;
	u32 block_sectors = sending->plan->source->block_sectors;
	bool has_parent = planned->parent >= 0, known = volume->size_from != TE_SIZE_FROM_MAPPINGS;
	const struct te_volume_begin begin = {
		.index = cpu_to_le32((u32)index),
		.dev_id = cpu_to_le32(volume->details.dev_id),
		.flags = cpu_to_le32(known ? TE_VOLUME_SIZE_KNOWN : 0),
		.parent_kind = cpu_to_le32(has_parent ? TE_PARENT_VOLUME : TE_PARENT_NONE),
		.parent_index = cpu_to_le32(has_parent ? (u32)planned->parent : 0),
		.creation_time = cpu_to_le32(volume->details.creation_time),
		.virtual_sectors = cpu_to_le64(volume->virtual_sectors),
		.provisioned_sectors = cpu_to_le64(planned->mapped_blocks * block_sectors),
		.transaction_id = cpu_to_le64(volume->details.transaction_id),
	};

	return te_stream_write_volume(sending->writer, &begin);
}

static int write_frame(struct sending *sending, struct te_ops_frame *frame)
{
	size_t i;
	int err = 0;

	if (frame->data_bytes)
		return te_stream_write_frame(sending->writer, frame);
	for (i = 0; i < frame->nr_ops && !err; i++)
		err = te_stream_write_op(sending->writer, &frame->ops[i]);
	return err;
}

static int write_sections(struct sending *sending, struct te_send_frames *frames)
{
	const struct te_resume *resume = sending->options->resume;
	size_t begun = resume ? sections_begun(resume) : 0;
	struct te_send_frame frame;
	int r;

	while ((r = te_send_frames_next(frames, &frame)) > 0) {
		int err = 0;

		if (frame.volume == begun)
			err = write_volume(sending, begun++);
		if (!err)
			err = write_frame(sending, frame.frame);
		te_progress_add(frame.read_bytes);
		if (!err && frame.last)
			err = te_stream_write_volume_end(sending->writer);
		if (!err && te_interrupted())
			err = -EINTR;
		if (err)
			return err;
	}
	return r;
}

static int write_beginning(struct sending *sending)
{
	const struct te_send_options *options = sending->options;
	int err;

	if (options->resume)
		return te_stream_write_resume(sending->writer, &sending->begin, options->resume,
					      !options->append);
	err = te_stream_write_begin(sending->writer, &sending->begin);
	return err ? err : te_stream_write_catalog(sending->writer, sending->catalog);
}

static int write_stream(struct sending *sending, struct te_send_frames *frames)
{
	int err = write_beginning(sending);

	if (!err)
		err = write_sections(sending, frames);
	return err ? err : te_stream_write_end(sending->writer);
}

static int send_frames(struct sending *sending)
{
	const struct te_send_options *options = sending->options;
	const struct te_resume *resume = options->resume;
	struct te_plan *plan = sending->plan;
	u64 sectors = plan->sent_blocks * plan->source->block_sectors;
	struct te_send_place from = { .volume = 0 };
	struct te_send_frames *frames;
	int err;

	if (resume) {
		from.volume = le32_to_cpu(resume->index);
		from.position = le64_to_cpu(resume->position);
		sectors -= le64_to_cpu(resume->data_sectors) + le64_to_cpu(resume->zero_sectors);
	}
	frames = te_send_frames_start(plan, options->codec, options->threads, &from);
	if (!frames)
		return -ENOMEM;
	te_progress_begin(TE_PROGRESS_SEND, sectors * SECTOR_BYTES);
	err = write_stream(sending, frames);
	te_progress_end();
	te_send_frames_stop(frames);
	return err;
}

static void sum_up(const struct sending *sending, struct te_send_totals *totals)
{
	const struct te_resume *resume = sending->options->resume;

	totals->data_bytes = te_stream_data_bytes(sending->writer);
	totals->zero_bytes = te_stream_zero_bytes(sending->writer);
	totals->written_bytes = te_stream_written_bytes(sending->writer);
	if (!resume || !totals->written_bytes)
		return;
	totals->data_bytes -= le64_to_cpu(resume->data_sectors) * SECTOR_BYTES;
	totals->zero_bytes -= le64_to_cpu(resume->zero_sectors) * SECTOR_BYTES;
}

int te_send(struct te_plan *plan, int fd, const char *name, const struct te_send_options *options,
	    struct te_send_totals *totals)
{
	struct sending sending = { .plan = plan, .options = options };
	int err;

	memset(totals, 0, sizeof(*totals));
	sending.writer = te_stream_writer_create(fd, name, options->codec);
	if (!sending.writer) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	err = make_beginning(&sending);
	if (!err && options->resume)
		err = check_resume(&sending);
	else if (!err && options->keep)
		err = options->keep(options->keep_context, options->stream_id, sending.catalog);
	if (!err) {
		err = send_frames(&sending);
		sum_up(&sending, totals);
	}
	free(sending.catalog);
	te_stream_writer_destroy(sending.writer);
	return err;
}
