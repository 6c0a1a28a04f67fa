// SPDX-License-Identifier: GPL-2.0-or-later
/* The sink that is an active pool of LVM's. */
#include "receive/sink_thin.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "receive/place.h"
#include "receive/provisioned.h"

#define SECTOR_BYTES	512u
#define PIECE_BYTES	(1u << 20)	/* written or copied at a time */
#define ALIGN_BYTES	4096u
#define MAP_BYTES	(1ULL << 30)	/* that all maps of what is provisioned may take */
#define MOST_SECTORS	(1ULL << 54)	/* of a volume */

struct thin_sink {
	struct te_sink sink;
	struct te_lvm_into *into;
	struct te_provisioned *maps;	/* by section */
	size_t nr_maps;
	u64 map_budget;
	u64 block_bytes;

	size_t *bases;			/* by section: for those that come without a parent */

	/* The section that is arriving. */
	size_t index;
	size_t base;			/* it was made a snapshot of; TE_LVM_NO_PARENT: of none */
	u64 told;			/* what is before this block has been told */
	bool ignored;
	struct te_target_part device;
	struct te_place_writer *place;

	struct te_target_part source;	/* opened last to copy from */
	size_t source_index;
	u8 *piece;
	u64 copied_bytes;
	u64 filled_bytes;
};

static struct thin_sink *thin_of(struct te_sink *sink)
{
	return container_of(sink, struct thin_sink, sink);
}

static int no_map_memory(const struct thin_sink *thin)
{
	te_error("%s: not enough memory to note what is provisioned",
		 te_lvm_into_path(thin->into, thin->index));
	return -ENOMEM;
}

static int thin_measure(struct te_sink *sink, const struct te_sink_beginning *beginning,
			struct te_room *room)
{
	return te_lvm_into_measure(thin_of(sink)->into, beginning->begin, beginning->catalog,
				   beginning->choice, room);
}

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* One was made a snapshot of the other, or both of a third. */
static bool are_kin(const struct te_catalog_volume *a, const struct te_catalog_volume *b)
{
	if (!a->lvm || !b->lvm)
		return false;
	return same(a->name, b->lvm->origin) || same(a->lvm->origin, b->name) ||
	       same(a->lvm->origin, b->lvm->origin);
}

/*
 * The stream knows parents by what their trees share, and volumes that were written all
 * over share blocks, but no node.  What LVM knew in the source tells which are kin.
 */
static void find_bases(struct thin_sink *thin, const struct te_catalog *catalog,
		       const struct te_choice *choice)
{
	size_t i, j;

	for (i = 0; i < catalog->nr_volumes; i++) {
		thin->bases[i] = TE_LVM_NO_PARENT;
		for (j = i; j-- && thin->bases[i] == TE_LVM_NO_PARENT;)
			if (choice->settled[j].use != TE_CHOICE_IGNORED &&
			    are_kin(&catalog->volumes[i], &catalog->volumes[j]))
				thin->bases[i] = j;
	}
}

static int thin_begin(struct te_sink *sink, const struct te_sink_beginning *beginning,
		      const struct te_room *room)
{
	struct thin_sink *thin = thin_of(sink);
	size_t nr = beginning->choice->nr_volumes;
	void *piece;

	thin->block_bytes = room->block_sectors * (u64)SECTOR_BYTES;
	thin->maps = te_alloc(nr * sizeof(*thin->maps));
	thin->bases = te_alloc(nr * sizeof(*thin->bases));
	if (!thin->maps || !thin->bases || posix_memalign(&piece, ALIGN_BYTES, PIECE_BYTES)) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	thin->piece = piece;
	find_bases(thin, beginning->catalog, beginning->choice);
	for (; thin->nr_maps < nr; thin->nr_maps++)
		thin->maps[thin->nr_maps].budget = &thin->map_budget;
	return 0;
}

/* Open to be written, from its first block on. */
static int open_volume(struct thin_sink *thin)
{
	u32 block_sectors = (u32)(thin->block_bytes / SECTOR_BYTES);
	int err;

	thin->device.path = te_lvm_into_path(thin->into, thin->index);
	err = te_target_open_device(&thin->device, O_DIRECT);
	if (err)
		return err;
	thin->place = te_place_create(thin->device.fd, thin->device.path, block_sectors,
				      MOST_SECTORS / block_sectors);
	return thin->place ? 0 : -ENOMEM;
}

static int thin_volume_begin(struct te_sink *sink, const struct te_volume_begin *volume,
			     const struct te_choice_volume *chosen)
{
	struct thin_sink *thin = thin_of(sink);
	u64 sectors = le64_to_cpu(volume->virtual_sectors), block = thin->block_bytes / SECTOR_BYTES;
	int err;

	thin->index = le32_to_cpu(volume->index);
	thin->ignored = chosen->use == TE_CHOICE_IGNORED;
	thin->told = 0;
	if (thin->ignored)
		return 0;
	thin->base = thin->bases[thin->index];
	if (le32_to_cpu(volume->parent_kind) == TE_PARENT_VOLUME)
		thin->base = le32_to_cpu(volume->parent_index);
	/* Its last block is written whole. */
	sectors = DIV_ROUND_UP(sectors, block) * block;
	if (sectors < chosen->sectors)
		sectors = chosen->sectors;
	err = te_lvm_room_renew(te_lvm_into_room(thin->into), 0);
	if (!err)
		err = te_lvm_into_make(thin->into, thin->index, thin->base, sectors);
	if (!err && thin->base != TE_LVM_NO_PARENT &&
	    te_provisioned_copy(&thin->maps[thin->index], &thin->maps[thin->base]))
		err = no_map_memory(thin);
	return err ? err : open_volume(thin);
}

/* Blocks may lie behind the end that the volume is to have; a child may have them within. */
static int reach(struct thin_sink *thin, u64 end_bytes)
{
	u64 sectors = DIV_ROUND_UP(end_bytes, SECTOR_BYTES);

	if (sectors <= te_lvm_into_sectors(thin->into, thin->index))
		return 0;
	/* More than that, so that many such blocks do not make it grow each by itself. */
	sectors += sectors / 4 < MOST_SECTORS - sectors ? sectors / 4 : 0;
	return te_lvm_into_resize(thin->into, thin->index, sectors);
}

/* As the pool has room for it.  NULL data: zeros. */
static int write_bytes(struct thin_sink *thin, const u8 *data, u64 bytes)
{
	struct te_lvm_room *room = te_lvm_into_room(thin->into);
	int err = 0;

	while (!err && bytes) {
		u64 part = te_lvm_room_spend(room, bytes < PIECE_BYTES ? bytes : PIECE_BYTES);

		if (part) {
			err = te_interrupted() ? -EINTR : te_place_write(thin->place, data, part);
			data = data ? data + part : NULL;
			bytes -= part;
			continue;
		}
		err = te_place_wait(thin->place);
		if (!err)
			err = te_lvm_room_renew(room, te_place_pending(thin->place));
	}
	return err;
}

static int thin_run_begin(struct te_sink *sink, struct te_receive_run *run)
{
	struct thin_sink *thin = thin_of(sink);

	return te_place_seek(thin->place, run->start * SECTOR_BYTES);
}

static int thin_write(struct te_sink *sink, const void *data, u64 bytes)
{
	struct thin_sink *thin = thin_of(sink);
	int err = reach(thin, te_place_position(thin->place) + bytes);

	return err ? err : write_bytes(thin, data, bytes);
}

/* Nothing is to be provisioned there, but the pool does not take blocks back. */
static int fill_hole(struct thin_sink *thin, u64 block, u64 count)
{
	int err = te_place_seek(thin->place, block * thin->block_bytes);

	thin->filled_bytes += count * thin->block_bytes;
	return err ? err : thin_write(&thin->sink, NULL, count * thin->block_bytes);
}

/* [block, + count) is provisioned, as it was in the base. */
static int discard(struct thin_sink *thin, u64 block, u64 count)
{
	u64 range[2] = { block * thin->block_bytes, count * thin->block_bytes };
	int err;

	if (te_provisioned_clear(&thin->maps[thin->index], block, count))
		return no_map_memory(thin);
	if (!ioctl(thin->device.fd, BLKDISCARD, range))
		return 0;
	if (errno == EOPNOTSUPP)
		return fill_hole(thin, block, count);
	err = -errno;
	te_error("%s: cannot discard %" PRIu64 " bytes at byte %" PRIu64 ": %s", thin->device.path,
		 range[1], range[0], strerror(-err));
	return err;
}

static int unmap(struct thin_sink *thin, u64 block, u64 count)
{
	int err = 0;

	while (!err && count) {
		bool is_there;
		u64 run = te_provisioned_run(&thin->maps[thin->index], block, count, &is_there);

		if (is_there)
			err = discard(thin, block, run);
		block += run;
		count -= run;
	}
	return err;
}

/* [block, + count) is being told: what was left out before it is not provisioned. */
static int tell(struct thin_sink *thin, u64 block, u64 count)
{
	u64 from = thin->told;

	thin->told = block + count;
	return unmap(thin, from, block - from);
}

static int thin_unmap(struct te_sink *sink, u64 block, u64 count)
{
	struct thin_sink *thin = thin_of(sink);

	return tell(thin, block + count, 0);
}

static int note(struct thin_sink *thin, u64 block, u64 count)
{
	return te_provisioned_set(&thin->maps[thin->index], block, count) ? no_map_memory(thin) : 0;
}

static int thin_run_end(struct te_sink *sink, const struct te_receive_run *run)
{
	struct thin_sink *thin = thin_of(sink);
	u64 block = run->start * SECTOR_BYTES / thin->block_bytes;
	u64 count = run->sectors * SECTOR_BYTES / thin->block_bytes;
	int err = tell(thin, block, count);

	return err ? err : note(thin, block, count);
}

static int open_source(struct thin_sink *thin, u32 index)
{
	if (thin->source.fd >= 0 && thin->source_index == index)
		return 0;
	te_target_close_device(&thin->source);
	thin->source_index = index;
	thin->source.path = te_lvm_into_path(thin->into, index);
	return te_target_open_device(&thin->source, O_DIRECT);
}

/* [block, + count), all of it provisioned in the source. */
static int copy_blocks(struct thin_sink *thin, u64 block, u64 count)
{
	u64 at = block * thin->block_bytes, end = at + count * thin->block_bytes;
	int err = reach(thin, end);

	if (!err)
		err = te_place_seek(thin->place, at);
	while (!err && at < end) {
		u64 part = end - at < PIECE_BYTES ? end - at : PIECE_BYTES;

		if (pread(thin->source.fd, thin->piece, part, (off_t)at) != (ssize_t)part) {
			te_error("%s: cannot read byte %" PRIu64 " back: %s", thin->source.path, at,
				 strerror(errno));
			return -EIO;
		}
		err = write_bytes(thin, thin->piece, part);
		at += part;
	}
	thin->copied_bytes += count * thin->block_bytes;
	return err ? err : note(thin, block, count);
}

static int thin_copy(struct te_sink *sink, u32 source, u64 block, u64 count)
{
	struct thin_sink *thin = thin_of(sink);
	int err = tell(thin, block, count);

	/* A snapshot has it. */
	if (source == thin->base)
		return err;
	while (!err && count) {
		bool is_there;
		u64 run = te_provisioned_run(&thin->maps[source], block, count, &is_there);

		if (is_there)
			err = open_source(thin, source);
		if (!err)
			err = is_there ? copy_blocks(thin, block, run) : unmap(thin, block, run);
		block += run;
		count -= run;
	}
	return err;
}

/* The kernel's own count.  "<mapped sectors> <highest mapped sector>" */
static int check_mapped(const struct thin_sink *thin)
{
	u64 wanted = thin->maps[thin->index].nr_blocks * (thin->block_bytes / SECTOR_BYTES);
	struct te_dm_device dm;
	unsigned long long mapped;
	char status[256] = "";
	struct stat st;
	int err = 0;

	if (fstat(thin->device.fd, &st))
		err = -errno;
	if (!err)
		err = te_dm_find_number(major(st.st_rdev), minor(st.st_rdev), &dm);
	if (!err)
		err = te_dm_status(&dm, status, sizeof(status));
	if (err || sscanf(status, "%llu", &mapped) != 1) {
		te_error("%s: cannot make sense of its status '%s'", thin->device.path, status);
		return err ? err : -EIO;
	}
	if (mapped == wanted || (thin->filled_bytes && mapped > wanted))
		return 0;
	te_error("%s maps %s where %s were received: somebody else writes to it", thin->device.path,
		 te_bytes(mapped * SECTOR_BYTES), te_bytes(wanted * SECTOR_BYTES));
	return -EBUSY;
}

static void close_volume(struct thin_sink *thin)
{
	te_place_destroy(thin->place);
	thin->place = NULL;
	te_target_close_device(&thin->device);
}

static int thin_volume_end(struct te_sink *sink, u64 *mapped)
{
	struct thin_sink *thin = thin_of(sink);
	int err;

	*mapped = 0;
	if (thin->ignored)
		return 0;
	err = tell(thin, UINT64_MAX, 0);
	if (err)
		return err;
	/* On disk: a snapshot of it, and who copies from it, see just what was written. */
	err = te_place_finish(thin->place);
	if (!err)
		err = check_mapped(thin);
	close_volume(thin);
	*mapped = thin->maps[thin->index].nr_blocks;
	return err;
}

static int thin_finish(struct te_sink *sink, struct te_receive_totals *totals)
{
	struct thin_sink *thin = thin_of(sink);

	te_target_close_device(&thin->source);
	totals->copied_bytes = thin->copied_bytes;
	totals->filled_bytes = thin->filled_bytes;
	return 0;
}

static const struct te_sink_ops thin_ops = {
	.measure = thin_measure,
	.begin = thin_begin,
	.volume_begin = thin_volume_begin,
	.run_begin = thin_run_begin,
	.write = thin_write,
	.run_end = thin_run_end,
	.copy = thin_copy,
	.unmap = thin_unmap,
	.volume_end = thin_volume_end,
	.finish = thin_finish,
};

struct te_sink *te_sink_thin_create(struct te_lvm_into *into)
{
	struct thin_sink *thin = te_alloc(sizeof(*thin));

	if (!thin) {
		te_error("not enough memory");
		return NULL;
	}
	*thin = (struct thin_sink) {
		.sink = { .ops = &thin_ops },
		.into = into,
		.map_budget = MAP_BYTES,
		.device.fd = -1,
		.source = { .fd = -1 },
	};
	return &thin->sink;
}

void te_sink_thin_destroy(struct te_sink *sink)
{
	struct thin_sink *thin = thin_of(sink);
	size_t i;

	close_volume(thin);
	te_target_close_device(&thin->source);
	for (i = 0; i < thin->nr_maps; i++)
		te_provisioned_exit(&thin->maps[i]);
	te_free(thin->maps);
	te_free(thin->bases);
	free(thin->piece);
	te_free(thin);
}
