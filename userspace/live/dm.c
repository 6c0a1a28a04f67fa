// SPDX-License-Identifier: GPL-2.0-or-later
/* The doorway to libdevmapper. */
#include "live/dm.h"

#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <thinexport/target.h>
#include <thinexport/thin_disk.h>
#include "live/dm_call.h"
#include "live/dm_task.h"
#include "base/say.h"

#define NODE_TRIES	30		/* of 100 ms: until a node must be there */
#define REMOVE_TRIES	80		/* of 100 ms: until a device must be let go */

static char why[256];

/* Keeps the words of the last failure instead of printing them. */
static void keep_words(int level, const char *file, int line, int dm_errno_or_class,
		       const char *format, ...) __attribute__((format(printf, 5, 6)));
static void keep_words(int level, const char *file, int line, int dm_errno_or_class,
		       const char *format, ...)
{
	va_list arguments;

	/* Behind the level stand flags; 3 is an error, 2 fatal. */
	if ((level & 7) > 3)
		return;
	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
}

const char *te_dm_why(void)
{
	return why;
}

static void pause_100ms(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 100000000 }, NULL);
}

int te_dm_start(void)
{
	int control;

	if (geteuid() != 0) {
		te_error("device-mapper can be used by root only: run this as root");
		return -EPERM;
	}
	dm_log_with_errno_init(keep_words);
	dm_udev_set_sync_support(0);
	/* The node may be there, left by somebody, without a driver behind it. */
	control = te_dm_control_open();
	if (control < 0) {
		te_error("/dev/mapper/control: %s; is the kernel module dm_mod loaded?",
			 strerror(-control));
		return control;
	}
	close(control);
	return 0;
}

/* With udev about, nodes are its work alone; otherwise libdevmapper makes them. */
static u16 udev_flags(bool public)
{
	u16 flags = public ? 0 : DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG |
				 DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG;

	if (!access("/run/udev/control", F_OK) && !getenv("DM_DISABLE_UDEV"))
		flags |= DM_UDEV_DISABLE_LIBRARY_FALLBACK;
	return flags;
}

/* Runs and keeps the task's errno; libdevmapper's own failures are -EIO. */
int te_dm_task_run(struct dm_task *task)
{
	int err;

	why[0] = '\0';
	if (dm_task_run(task))
		return 0;
	err = dm_task_get_errno(task);
	return err ? -err : -EIO;
}

static void copy_string(char *to, size_t bytes, const char *from)
{
	snprintf(to, bytes, "%s", from ? from : "");
}

static int read_device(struct dm_task *task, struct te_dm_device *device)
{
	struct dm_info info;
	int err = te_dm_task_run(task);

	if (err)
		return err;
	if (!dm_task_get_info(task, &info))
		return -EIO;
	if (!info.exists)
		return -ENXIO;
	memset(device, 0, sizeof(*device));
	copy_string(device->name, sizeof(device->name), dm_task_get_name(task));
	copy_string(device->uuid, sizeof(device->uuid), dm_task_get_uuid(task));
	device->major = info.major;
	device->minor = info.minor;
	device->suspended = info.suspended;
	device->read_only = info.read_only;
	device->inactive_table = info.inactive_table;
	device->open_count = info.open_count;
	return 0;
}

/* A task on a device told by number, uuid or name. */
struct dm_task *te_dm_task_on(int type, const struct te_dm_device *device)
{
	struct dm_task *task = dm_task_create(type);

	if (task && dm_task_set_major(task, (int)device->major) &&
	    dm_task_set_minor(task, (int)device->minor))
		return task;
	if (task)
		dm_task_destroy(task);
	return NULL;
}

int te_dm_find_number(u32 major, u32 minor, struct te_dm_device *device)
{
	struct te_dm_device number = { .major = major, .minor = minor };
	struct dm_task *task = te_dm_task_on(DM_DEVICE_INFO, &number);
	int err;

	if (!task)
		return -ENOMEM;
	err = read_device(task, device);
	dm_task_destroy(task);
	return err;
}

static int find_string(const char *text, int (*set)(struct dm_task *, const char *),
		       struct te_dm_device *device)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_INFO);
	int err = -ENOMEM;

	if (!task)
		return err;
	if (set(task, text))
		err = read_device(task, device);
	else
		err = -ENXIO;
	dm_task_destroy(task);
	return err;
}

int te_dm_find_uuid(const char *uuid, struct te_dm_device *device)
{
	return find_string(uuid, dm_task_set_uuid, device);
}

int te_dm_find(const char *what, struct te_dm_device *device)
{
	unsigned int major, minor;
	struct stat st;
	int end = 0;

	if (sscanf(what, "%u:%u%n", &major, &minor, &end) == 2 && !what[end])
		return te_dm_find_number(major, minor, device);
	if (strchr(what, '/')) {
		if (stat(what, &st))
			return -ENXIO;
		if (!S_ISBLK(st.st_mode))
			return -ENOTBLK;
		return te_dm_find_number(major(st.st_rdev), minor(st.st_rdev), device);
	}
	return find_string(what, dm_task_set_name, device);
}

/* First target of a device's table or status: its type and parameters, copied. */
struct target_line {
	u64 sectors;
	char type[32];
	char parameters[512];
	bool single;
};

static int read_line(int type, const struct te_dm_device *device, struct target_line *line)
{
	struct dm_task *task = te_dm_task_on(type, device);
	char *target_type = NULL, *parameters = NULL;
	uint64_t start, length;
	void *next;
	int err;

	if (!task)
		return -ENOMEM;
	err = te_dm_task_run(task);
	if (!err) {
		next = dm_get_next_target(task, NULL, &start, &length, &target_type,
					  &parameters);
		line->sectors = length;
		line->single = !next;
		copy_string(line->type, sizeof(line->type), target_type);
		copy_string(line->parameters, sizeof(line->parameters), parameters);
	}
	dm_task_destroy(task);
	return err;
}

int te_dm_status(const struct te_dm_device *device, char *text, size_t bytes)
{
	struct target_line line;
	int err = read_line(DM_DEVICE_STATUS, device, &line);

	if (!err)
		copy_string(text, bytes, line.parameters);
	return err;
}

int te_block_path(u32 major, u32 minor, char *path, size_t bytes)
{
	char link[64], line[128];
	FILE *uevent;
	int err = -ENODEV;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u/uevent", major, minor);
	uevent = fopen(link, "re");
	if (!uevent)
		return err;
	while (fgets(line, sizeof(line), uevent)) {
		if (strncmp(line, "DEVNAME=", 8))
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(path, bytes, "/dev/%s", line + 8);
		err = 0;
	}
	fclose(uevent);
	return err;
}

int te_block_bytes(const char *path, u64 *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, bytes))
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err)
		te_error("%s: its size cannot be read: %s", path, strerror(-err));
	return err;
}

static int parse_pool_table(struct te_pool *pool, const struct target_line *line)
{
	if (sscanf(line->parameters, "%u:%u %u:%u %u", &pool->metadata_major,
		   &pool->metadata_minor, &pool->data_major, &pool->data_minor,
		   &pool->block_sectors) != 5) {
		te_error("%s: cannot make sense of the pool's table '%s'", pool->dm.name,
			 line->parameters);
		return -EINVAL;
	}
	pool->sectors = line->sectors;
	if (te_block_path(pool->metadata_major, pool->metadata_minor, pool->metadata,
			  sizeof(pool->metadata)) ||
	    te_block_path(pool->data_major, pool->data_minor, pool->data, sizeof(pool->data))) {
		te_error("%s: the pool's metadata or data device has no node below /dev",
			 pool->dm.name);
		return -ENODEV;
	}
	return 0;
}

static int parse_pool_status(struct te_pool *pool, const struct target_line *line)
{
	unsigned long long transaction, used_metadata, metadata, used_data, data;
	char held[24], mode[24], rest[256] = "";

	if (!strcmp(line->parameters, "Fail")) {
		pool->mode = TE_POOL_FAIL;
		return 0;
	}
	if (sscanf(line->parameters, "%llu %llu/%llu %llu/%llu %23s %23s %255[^\n]", &transaction,
		   &used_metadata, &metadata, &used_data, &data, held, mode, rest) < 7) {
		te_error("%s: cannot make sense of the pool's status '%s'", pool->dm.name,
			 line->parameters);
		return -EINVAL;
	}
	pool->transaction_id = transaction;
	pool->used_metadata_blocks = used_metadata;
	pool->nr_metadata_blocks = metadata;
	pool->used_data_blocks = used_data;
	pool->nr_data_blocks = data;
	pool->held_root = strcmp(held, "-") ? strtoull(held, NULL, 10) : 0;
	pool->needs_check = strstr(rest, "needs_check") != NULL;
	if (!strcmp(mode, "rw"))
		pool->mode = TE_POOL_WRITE;
	else if (!strcmp(mode, "out_of_data_space"))
		pool->mode = TE_POOL_OUT_OF_DATA;
	else
		pool->mode = TE_POOL_READ_ONLY;
	return 0;
}

int te_pool_refresh(struct te_pool *pool)
{
	struct te_dm_device device;
	struct target_line line;
	int err;

	err = te_dm_find_number(pool->dm.major, pool->dm.minor, &device);
	if (!err)
		err = read_line(DM_DEVICE_TABLE, &device, &line);
	if (err) {
		te_error("%s: cannot read the pool's table: %s", pool->dm.name, strerror(-err));
		return err;
	}
	if (strcmp(line.type, "thin-pool")) {
		te_error("%s is not a thin pool: it is a device of type '%s'%s", device.name,
			 line.type[0] ? line.type : "none",
			 !strcmp(line.type, "linear") ?
				"; LVM's pools are the devices whose names end in -tpool" :
			 !strcmp(line.type, "thin") ?
				"; name its pool, or, as LVM does, VG/VOLUME" : "");
		return -EINVAL;
	}
	memset(pool, 0, sizeof(*pool));
	pool->dm = device;
	err = parse_pool_table(pool, &line);
	if (err)
		return err;
	err = read_line(DM_DEVICE_STATUS, &device, &line);
	if (err) {
		te_error("%s: cannot read the pool's status: %s", pool->dm.name, strerror(-err));
		return err;
	}
	return parse_pool_status(pool, &line);
}

int te_pool_find(const char *what, struct te_pool *pool)
{
	int err;

	memset(pool, 0, sizeof(*pool));
	err = te_dm_find(what, &pool->dm);
	if (err == -ENXIO || err == -ENOTBLK) {
		te_error("%s: no such device-mapper device; `dmsetup ls --target thin-pool` lists the active pools, and LVM's are named VG/POOL",
			 what);
		return err;
	}
	if (err) {
		te_error("%s: cannot be looked up: %s", what, strerror(-err));
		return err;
	}
	return te_pool_refresh(pool);
}

/* 1: it is a thin of the pool. */
static int read_thin(const struct te_pool *pool, u32 major, u32 minor, struct te_thin *thin)
{
	unsigned int pool_major, pool_minor, dev_id;
	struct target_line line;
	char origin[32];
	int err, nr;

	memset(thin, 0, sizeof(*thin));
	err = te_dm_find_number(major, minor, &thin->dm);
	if (!err)
		err = read_line(DM_DEVICE_TABLE, &thin->dm, &line);
	if (err)
		return err;
	if (!line.single || strcmp(line.type, "thin"))
		return 0;
	nr = sscanf(line.parameters, "%u:%u %u %31s", &pool_major, &pool_minor, &dev_id, origin);
	if (nr < 3 || pool_major != pool->dm.major || pool_minor != pool->dm.minor)
		return 0;
	thin->dev_id = dev_id;
	thin->sectors = line.sectors;
	thin->external_origin = nr == 4;
	thin->ours = !strncmp(thin->dm.uuid, TE_DM_UUID_PREFIX, strlen(TE_DM_UUID_PREFIX));
	return 1;
}

static int by_id(const void *a, const void *b)
{
	const struct te_thin *x = a, *y = b;

	return x->dev_id < y->dev_id ? -1 : x->dev_id > y->dev_id;
}

static int collect_thins(const struct te_pool *pool, const struct dm_names *names,
			 struct te_thin **thins, size_t *nr)
{
	if (!names->dev)
		return 0;
	for (;; names = (const void *)((const char *)names + names->next)) {
		struct te_thin thin, *more;
		int is_ours = read_thin(pool, major(names->dev), minor(names->dev), &thin);

		/* Gone since the list was made: it is no thin of ours any more. */
		if (is_ours < 0 && is_ours != -ENXIO)
			return is_ours;
		if (is_ours > 0) {
			more = realloc(*thins, (*nr + 1) * sizeof(**thins));
			if (!more)
				return -ENOMEM;
			*thins = more;
			more[(*nr)++] = thin;
		}
		if (!names->next)
			return 0;
	}
}

int te_pool_thins(const struct te_pool *pool, struct te_thin **thins, size_t *nr)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_LIST);
	struct dm_names *names;
	int err = -ENOMEM;

	*thins = NULL;
	*nr = 0;
	if (task) {
		err = te_dm_task_run(task);
		names = err ? NULL : dm_task_get_names(task);
		if (names)
			err = collect_thins(pool, names, thins, nr);
		dm_task_destroy(task);
	}
	if (err) {
		te_error("%s: cannot list the pool's volumes: %s", pool->dm.name, strerror(-err));
		free(*thins);
		*thins = NULL;
		*nr = 0;
		return err;
	}
	if (*nr)
		qsort(*thins, *nr, sizeof(**thins), by_id);
	return 0;
}

int te_pool_message(const struct te_pool *pool, const char *format, ...)
{
	struct dm_task *task = te_dm_task_on(DM_DEVICE_TARGET_MSG, &pool->dm);
	char message[128];
	va_list arguments;
	int err = -ENOMEM;

	if (!task)
		return err;
	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	if (dm_task_set_sector(task, 0) && dm_task_set_message(task, message))
		err = te_dm_task_run(task);
	dm_task_destroy(task);
	return err;
}

static int simple(int type, u32 major, u32 minor)
{
	struct te_dm_device device = { .major = major, .minor = minor };
	struct dm_task *task = te_dm_task_on(type, &device);
	int err;

	if (!task)
		return -ENOMEM;
	err = te_dm_task_run(task);
	dm_task_destroy(task);
	return err;
}

int te_dm_resume(u32 major, u32 minor)
{
	return simple(DM_DEVICE_RESUME, major, minor);
}

static int add_table(struct dm_task *task, const struct te_dm_table *table)
{
	return (table->public || dm_task_set_ro(task)) &&
	       dm_task_add_target(task, 0, table->sectors, table->target, table->parameters);
}

int te_dm_create(const char *name, const char *uuid, const struct te_dm_table *table,
		 struct te_dm_device *device)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_CREATE);
	uint32_t cookie = 0;
	int err = -ENOMEM;

	if (!task)
		return err;
	if (dm_task_set_name(task, name) && dm_task_set_uuid(task, uuid) &&
	    add_table(task, table) && dm_task_set_cookie(task, &cookie, udev_flags(table->public)))
		err = te_dm_task_run(task);
	dm_task_destroy(task);
	dm_task_update_nodes();
	return err ? err : te_dm_find_uuid(uuid, device);
}

int te_dm_reload(const struct te_dm_device *device, const struct te_dm_table *table)
{
	struct dm_task *task = te_dm_task_on(DM_DEVICE_RELOAD, device);
	uint32_t cookie = 0;
	int err = -ENOMEM;

	if (!task)
		return err;
	if (add_table(task, table))
		err = te_dm_task_run(task);
	dm_task_destroy(task);
	if (err)
		return err;
	task = te_dm_task_on(DM_DEVICE_RESUME, device);
	if (!task)
		return -ENOMEM;
	err = dm_task_set_cookie(task, &cookie, udev_flags(table->public)) ?
		te_dm_task_run(task) : -ENOMEM;
	dm_task_destroy(task);
	dm_task_update_nodes();
	return err;
}

static int remove_once(const char *uuid)
{
	struct te_dm_device device;
	struct dm_task *task;
	uint32_t cookie = 0;
	int err = te_dm_find_uuid(uuid, &device);

	if (err)
		return err == -ENXIO ? 0 : err;
	task = dm_task_create(DM_DEVICE_REMOVE);
	if (!task)
		return -ENOMEM;
	/* By name, so that libdevmapper knows which node to take away. */
	err = -ENOMEM;
	if (dm_task_set_name(task, device.name) &&
	    dm_task_set_cookie(task, &cookie, udev_flags(false)))
		err = te_dm_task_run(task);
	dm_task_destroy(task);
	dm_task_update_nodes();
	return err == -ENXIO ? 0 : err;
}

int te_dm_remove_uuid(const char *uuid)
{
	int err, tries;

	for (tries = 0;; tries++) {
		err = remove_once(uuid);
		if (err != -EBUSY || tries == REMOVE_TRIES)
			return err;
		pause_100ms();
	}
}

bool te_dm_has_target(const char *target)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_GET_TARGET_VERSION);
	bool has = false;

	if (!task)
		return false;
	/* The kernel asks its module loader for a target that it does not know. */
	if (dm_task_set_name(task, target))
		has = te_dm_task_run(task) == 0;
	dm_task_destroy(task);
	return has;
}

void te_dm_wait_node(const struct te_dm_device *device, char *path, size_t bytes)
{
	struct stat st;
	int tries;

	for (tries = 0; tries < NODE_TRIES; tries++) {
		snprintf(path, bytes, "/dev/mapper/%s", device->name);
		if (!stat(path, &st) && S_ISBLK(st.st_mode) &&
		    st.st_rdev == makedev(device->major, device->minor))
			return;
		pause_100ms();
	}
	snprintf(path, bytes, "/dev/dm-%u", device->minor);
}
