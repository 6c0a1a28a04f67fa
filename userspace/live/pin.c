// SPDX-License-Identifier: GPL-2.0-or-later
/* Pins and the view: the devices that a run activates. */
#include "live/pin.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <thinexport/target.h>
#include <thinexport/thin_disk.h>
#include <thinexport/view.h>
#include "core/layout.h"
#include "base/interrupt.h"
#include "base/say.h"

#define SECTOR_BYTES	512
#define TRIES		30		/* of 100 ms */

/* Where the last mapped block ends, from the pin's own status.  0: nothing mapped. */
static int mapped_sectors(const struct te_dm_device *device, u64 *sectors)
{
	unsigned long long mapped, highest;
	char status[64];
	int err = te_dm_status(device, status, sizeof(status));

	if (err)
		return err;
	switch (sscanf(status, "%llu %llu", &mapped, &highest)) {
	case 2:
		*sectors = highest + 1;
		return 0;
	case 1:
		*sectors = 0;
		return 0;
	}
	return -EIO;
}

static int pin_one(const struct te_run *run, const struct te_pool *pool,
		   const struct te_run_volume *volume, struct te_pin *pin)
{
	char name[TE_DM_NAME_BYTES], uuid[TE_DM_UUID_BYTES], parameters[64];
	struct te_dm_table table = { .target = "thin", .parameters = parameters };
	u64 mapped;
	int err;

	te_run_pin_name(run, volume->snap_id, name);
	te_run_pin_uuid(run, volume->snap_id, uuid);
	snprintf(parameters, sizeof(parameters), "%u:%u %u", pool->dm.major, pool->dm.minor,
		 volume->snap_id);
	table.sectors = volume->sectors ? volume->sectors : pool->block_sectors;
	err = te_dm_create(name, uuid, &table, &pin->device);
	if (err || volume->sectors) {
		pin->active = !err;
		return err;
	}
	err = mapped_sectors(&pin->device, &mapped);
	if (!err && !mapped)
		return te_dm_remove_uuid(uuid);
	table.sectors = mapped;
	if (!err)
		err = te_dm_reload(&pin->device, &table);
	pin->active = !err;
	return err;
}

/* A pool that somebody else has suspended, as LVM does for a moment, takes no new thin. */
static int pin_patiently(const struct te_run *run, const struct te_pool *pool,
			 const struct te_run_volume *volume, struct te_pin *pin)
{
	char uuid[TE_DM_UUID_BYTES];
	int err, tries;

	te_run_pin_uuid(run, volume->snap_id, uuid);
	for (tries = 1;; tries++) {
		err = pin_one(run, pool, volume, pin);
		if (!err || tries == TRIES || te_interrupted())
			return err;
		te_dm_remove_uuid(uuid);
		nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
	}
}

int te_pin_all(const struct te_run *run, const struct te_pool *pool, struct te_pin *pins)
{
	size_t i;
	int err;

	memset(pins, 0, run->nr_volumes * sizeof(*pins));
	for (i = 0; i < run->nr_volumes; i++) {
		err = pin_patiently(run, pool, &run->volumes[i], &pins[i]);
		if (err) {
			te_error("%s: cannot activate the snapshot of volume %u: %s%s%s",
				 pool->dm.name, run->volumes[i].dev_id, strerror(-err),
				 te_dm_why()[0] ? ": " : "", te_dm_why());
			return err;
		}
	}
	return 0;
}

/* The table's parameters, malloc'ed; see include/thinexport/target.h. */
static char *view_parameters(const struct te_run *run, const struct te_pool *pool,
			     const struct te_pin *pins)
{
	char *text = NULL;
	size_t bytes, i;
	FILE *to = open_memstream(&text, &bytes);

	if (!to)
		return NULL;
	fprintf(to, "%u:%u %u:%u 0 %zu", pool->metadata_major, pool->metadata_minor,
		pool->data_major, pool->data_minor, run->nr_volumes);
	for (i = 0; i < run->nr_volumes; i++) {
		fprintf(to, " %u ", run->volumes[i].dev_id);
		if (pins[i].active)
			fprintf(to, "%u:%u", pins[i].device.major, pins[i].device.minor);
		else
			fputc('-', to);
	}
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

/* No view of this pool can be longer: everything of it, and all tables. */
static u64 roomy_sectors(const struct te_run *run, const struct te_pool *pool)
{
	u64 bytes = pool->nr_data_blocks * pool->block_sectors * SECTOR_BYTES +
		    pool->nr_metadata_blocks * THIN_METADATA_BLOCK_BYTES +
		    pool->nr_data_blocks / 8 + pool->nr_metadata_blocks / 8 +
		    run->nr_volumes * sizeof(struct te_view_volume) + 8 * TE_VIEW_ALIGN;

	return round_up(bytes, (u64)TE_VIEW_ALIGN) / SECTOR_BYTES;
}

static int read_view_sectors(const char *path, u64 *sectors)
{
	struct te_view_header *header;
	const char *wrong;
	int fd, err = 0;

	if (posix_memalign((void **)&header, TE_VIEW_ALIGN, sizeof(*header)))
		return -ENOMEM;
	fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 || pread(fd, header, sizeof(*header), 0) != sizeof(*header))
		err = errno ? -errno : -EIO;
	if (fd >= 0)
		close(fd);
	wrong = err ? NULL : te_layout_check(header);
	if (wrong)
		err = -EILSEQ;
	*sectors = err ? 0 : le64_to_cpu(header->view_bytes) / SECTOR_BYTES;
	free(header);
	return err;
}

int te_view_create(const struct te_run *run, const struct te_pool *pool, const struct te_pin *pins,
		   enum te_view_length length, char *path, size_t bytes)
{
	char name[TE_DM_NAME_BYTES], uuid[TE_DM_UUID_BYTES];
	struct te_dm_table table = { .target = TE_TARGET_VIEW };
	char *parameters = view_parameters(run, pool, pins);
	struct te_dm_device device;
	int err;

	if (!parameters) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	te_run_view_name(run, name);
	te_run_view_uuid(run, uuid);
	table.parameters = parameters;
	table.sectors = roomy_sectors(run, pool);
	err = te_dm_create(name, uuid, &table, &device);
	if (!err) {
		te_dm_wait_node(&device, path, bytes);
		if (length == TE_VIEW_EXACT)
			err = read_view_sectors(path, &table.sectors);
		if (!err && length == TE_VIEW_EXACT)
			err = te_dm_reload(&device, &table);
	}
	free(parameters);
	if (err)
		te_error("%s: cannot make the view %s: %s; the kernel log (dmesg) says more",
			 pool->dm.name, name, strerror(-err));
	return err;
}
