// SPDX-License-Identifier: GPL-2.0-or-later
/* The record of a run on a live pool. */
#include "live/record.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <thinexport/target.h>
#include "live/mark.h"
#include "base/say.h"

#define SUFFIX	".record"
#define CATALOG	".catalog"
#define UNFINISHED	".new"
#define FORMAT	"1"		/* of the lines; another is refused */

static const char *const phase_words[] = {
	[TE_RUN_WINDOW] = "window",
	[TE_RUN_HELD] = "held",
	[TE_RUN_OPEN] = "open",
	[TE_RUN_PENDING] = "pending",
};

static int read_boot_id(char *boot_id, size_t bytes)
{
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(boot_id, (int)bytes, file)) {
		te_error("cannot read /proc/sys/kernel/random/boot_id: is /proc mounted?");
		if (file)
			fclose(file);
		return -EIO;
	}
	boot_id[strcspn(boot_id, "\n")] = '\0';
	fclose(file);
	return 0;
}

int te_run_init(struct te_run *run, const struct te_pool *pool, const char *view)
{
	u64 id;

	memset(run, 0, sizeof(*run));
	if (getrandom(&id, sizeof(id), 0) != sizeof(id)) {
		te_error("cannot get a random number: %s", strerror(errno));
		return -EIO;
	}
	snprintf(run->id, sizeof(run->id), "%016llx", (unsigned long long)id);
	snprintf(run->view, sizeof(run->view), "%s", view ? view : "");
	memcpy(run->pool_name, pool->dm.name, sizeof(run->pool_name));
	memcpy(run->pool_uuid, pool->dm.uuid, sizeof(run->pool_uuid));
	run->pool_major = pool->dm.major;
	run->pool_minor = pool->dm.minor;
	run->pid = (u32)getpid();
	run->started = (u64)time(NULL);
	return read_boot_id(run->boot_id, sizeof(run->boot_id));
}

void te_run_exit(struct te_run *run)
{
	free(run->volumes);
	free(run->suspends);
	free(run->guards);
	memset(run, 0, sizeof(*run));
}

u32 te_run_creation_time(const struct te_run *run, size_t index)
{
	return run->time_before + 1 + (u32)index;
}

void te_run_pin_uuid(const struct te_run *run, u32 snap_id, char uuid[TE_DM_UUID_BYTES])
{
	snprintf(uuid, TE_DM_UUID_BYTES, "%spin-%s-%u", TE_DM_UUID_PREFIX, run->id, snap_id);
}

void te_run_pin_name(const struct te_run *run, u32 snap_id, char name[TE_DM_NAME_BYTES])
{
	snprintf(name, TE_DM_NAME_BYTES, "thinexport-%s-pin-%u", run->id, snap_id);
}

void te_run_view_uuid(const struct te_run *run, char uuid[TE_DM_UUID_BYTES])
{
	snprintf(uuid, TE_DM_UUID_BYTES, "%sview-%s", TE_DM_UUID_PREFIX, run->id);
}

void te_run_view_name(const struct te_run *run, char name[TE_DM_NAME_BYTES])
{
	if (run->view[0])
		memcpy(name, run->view, TE_DM_NAME_BYTES);
	else
		snprintf(name, TE_DM_NAME_BYTES, "thinexport-%s-view", run->id);
}

bool te_run_same_boot(const struct te_run *run)
{
	char now[sizeof(run->boot_id)];

	return !read_boot_id(now, sizeof(now)) && !strcmp(now, run->boot_id);
}

bool te_run_is_open_view(const struct te_run *run)
{
	char uuid[TE_DM_UUID_BYTES];
	struct te_dm_device device;

	if (!run->view[0] || run->phase != TE_RUN_OPEN || !te_run_same_boot(run))
		return false;
	te_run_view_uuid(run, uuid);
	return te_dm_find_uuid(uuid, &device) != -ENXIO;
}

bool te_run_is_of(const struct te_run *run, const struct te_pool *pool)
{
	if (run->pool_uuid[0] || pool->dm.uuid[0])
		return !strcmp(run->pool_uuid, pool->dm.uuid);
	return !strcmp(run->pool_name, pool->dm.name);
}

static void record_path(const struct te_run *run, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s.%s%s", TE_RECORD_FOLDER, run->pool_name, run->id, suffix);
}

/* What a rename or unlink did is on disk when the folder is. */
static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = 0;

	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

int te_record_make_folder(void)
{
	if (!mkdir(TE_RECORD_FOLDER, 0700))
		return sync_folder("/var/lib");
	return errno == EEXIST ? 0 : -errno;
}

/* What the snapshot is known by when the volume itself has changed. */
static void put_moment(FILE *file, const struct te_details *moment)
{
	fprintf(file, "moment root %llu mapped %llu transaction %llu created %u\n",
		(unsigned long long)moment->root, (unsigned long long)moment->mapped_blocks,
		(unsigned long long)moment->transaction_id, moment->creation_time);
}

static void put_lines(FILE *file, const void *what)
{
	const struct te_run_volume *volume;
	const struct te_run *run = what;
	size_t i;

	fprintf(file, "thinexport %s\nid %s\n", FORMAT, run->id);
	fprintf(file, "phase %s\n", phase_words[run->phase]);
	if (run->view[0])
		fprintf(file, "view %s\n", run->view);
	fprintf(file, "pool %s\n", run->pool_name);
	if (run->pool_uuid[0])
		fprintf(file, "pool_uuid %s\n", run->pool_uuid);
	fprintf(file, "pool_device %u:%u\n", run->pool_major, run->pool_minor);
	fprintf(file, "boot %s\npid %u\nstarted %llu\n", run->boot_id, run->pid,
		(unsigned long long)run->started);
	fprintf(file, "time_before %u\n", run->time_before);
	if (run->held_root)
		fprintf(file, "held_root %llu\n", (unsigned long long)run->held_root);
	if (run->phase == TE_RUN_PENDING)
		fprintf(file, "stream %s\nmost_bytes %llu\n", run->stream,
			(unsigned long long)run->most_bytes);
	for (i = 0; i < run->nr_suspends; i++)
		fprintf(file, "suspend %u:%u\n", run->suspends[i][0], run->suspends[i][1]);
	for (i = 0; i < run->nr_guards; i++)
		fprintf(file, "guard %u:%u %s\n", run->guards[i].major, run->guards[i].minor,
			run->guards[i].name);
	for (i = 0; i < run->nr_volumes; i++) {
		volume = &run->volumes[i];
		fprintf(file, "snapshot %u of %u sectors %llu name %s\n", volume->snap_id,
			volume->dev_id, (unsigned long long)volume->sectors, volume->name);
		if (run->phase == TE_RUN_PENDING)
			put_moment(file, &volume->moment);
	}
	fprintf(file, "end\n");
}

static void put_text(FILE *file, const void *what)
{
	fputs(what, file);
}

static int save(const char *path, const char *temporary,
		void (*put)(FILE *file, const void *what), const void *what)
{
	FILE *file;
	int err;

	err = te_record_make_folder();
	if (err)
		return err;
	file = fopen(temporary, "wex");
	if (!file)
		return -errno;
	put(file, what);
	if (fflush(file) || ferror(file) || fsync(fileno(file)))
		err = errno ? -errno : -EIO;
	if (fclose(file) && !err)
		err = -errno;
	if (!err && rename(temporary, path))
		err = -errno;
	if (!err)
		err = sync_folder(TE_RECORD_FOLDER);
	if (err)
		unlink(temporary);
	return err;
}

static int save_beside(const struct te_run *run, const char *suffix,
		       void (*put)(FILE *file, const void *what), const void *what)
{
	char path[PATH_MAX], temporary[PATH_MAX];
	int err;

	record_path(run, suffix, path);
	record_path(run, UNFINISHED, temporary);
	err = save(path, temporary, put, what);
	if (err)
		te_error("cannot write %s: %s", path, strerror(-err));
	return err;
}

int te_run_save(const struct te_run *run)
{
	return save_beside(run, SUFFIX, put_lines, run);
}

int te_run_save_catalog(const struct te_run *run, const char *text)
{
	return save_beside(run, CATALOG, put_text, text);
}

char *te_run_load_catalog(const struct te_run *run)
{
	char path[PATH_MAX], *text = NULL;
	size_t bytes = 0;
	FILE *file;

	record_path(run, CATALOG, path);
	file = fopen(path, "re");
	if (!file || getdelim(&text, &bytes, '\0', file) <= 0) {
		te_error("cannot read %s: %s", path, file && !ferror(file) ? "it is empty" :
			 strerror(errno));
		free(text);
		text = NULL;
	}
	if (file)
		fclose(file);
	return text;
}

int te_run_drop(const struct te_run *run)
{
	char path[PATH_MAX];
	int err = 0;

	te_mark_drop(run);
	record_path(run, UNFINISHED, path);
	unlink(path);
	record_path(run, CATALOG, path);
	unlink(path);
	record_path(run, SUFFIX, path);
	if (unlink(path) && errno != ENOENT)
		err = -errno;
	if (!err)
		err = sync_folder(TE_RECORD_FOLDER);
	if (err)
		te_error("cannot remove %s: %s", path, strerror(-err));
	return err;
}

static bool take_phase(struct te_run *run, const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(phase_words); i++) {
		if (!strcmp(word, phase_words[i])) {
			run->phase = (enum te_run_phase)i;
			return true;
		}
	}
	return false;
}

static bool take_suspend(struct te_run *run, const char *value)
{
	u32 (*more)[2] = realloc(run->suspends, (run->nr_suspends + 1) * sizeof(*more));
	u32 *pair;

	if (!more)
		return false;
	run->suspends = more;
	pair = more[run->nr_suspends++];
	return sscanf(value, "%u:%u", &pair[0], &pair[1]) == 2;
}

static bool take_guard(struct te_run *run, const char *value)
{
	struct te_run_guard *more, *guard;
	int end = 0;

	more = realloc(run->guards, (run->nr_guards + 1) * sizeof(*more));
	if (!more)
		return false;
	run->guards = more;
	guard = &more[run->nr_guards++];
	memset(guard, 0, sizeof(*guard));
	if (sscanf(value, "%u:%u %n", &guard->major, &guard->minor, &end) != 2 || !end)
		return false;
	return (size_t)snprintf(guard->name, sizeof(guard->name), "%s", value + end) <
	       sizeof(guard->name);
}

static bool take_snapshot(struct te_run *run, const char *value)
{
	struct te_run_volume *more, *volume;
	unsigned long long sectors;
	int end = 0;

	more = realloc(run->volumes, (run->nr_volumes + 1) * sizeof(*more));
	if (!more)
		return false;
	run->volumes = more;
	volume = &more[run->nr_volumes++];
	memset(volume, 0, sizeof(*volume));
	if (sscanf(value, "%u of %u sectors %llu name %n", &volume->snap_id, &volume->dev_id,
		   &sectors, &end) != 3 || !end)
		return false;
	volume->sectors = sectors;
	snprintf(volume->name, sizeof(volume->name), "%s", value + end);
	return true;
}

/* Of the snapshot in the line before. */
static bool take_moment(struct te_run *run, const char *value)
{
	unsigned long long root, mapped, transaction;
	struct te_run_volume *volume;
	unsigned int created;
	int end = 0;

	if (!run->nr_volumes ||
	    sscanf(value, "root %llu mapped %llu transaction %llu created %u%n", &root, &mapped,
		   &transaction, &created, &end) != 4 || value[end])
		return false;
	volume = &run->volumes[run->nr_volumes - 1];
	volume->moment = (struct te_details){
		.dev_id = volume->dev_id,
		.root = root,
		.mapped_blocks = mapped,
		.transaction_id = transaction,
		.creation_time = created,
	};
	return true;
}

static bool take_string(char *to, size_t bytes, const char *value)
{
	return (size_t)snprintf(to, bytes, "%s", value) < bytes;
}

/* One line, split at its first space.  False: not one of ours. */
static bool take_line(struct te_run *run, const char *word, const char *value)
{
	unsigned long long number;
	int end = 0;

	if (!strcmp(word, "id"))
		return take_string(run->id, sizeof(run->id), value);
	if (!strcmp(word, "phase"))
		return take_phase(run, value);
	if (!strcmp(word, "view"))
		return take_string(run->view, sizeof(run->view), value);
	if (!strcmp(word, "pool"))
		return take_string(run->pool_name, sizeof(run->pool_name), value);
	if (!strcmp(word, "pool_uuid"))
		return take_string(run->pool_uuid, sizeof(run->pool_uuid), value);
	if (!strcmp(word, "boot"))
		return take_string(run->boot_id, sizeof(run->boot_id), value);
	if (!strcmp(word, "pool_device"))
		return sscanf(value, "%u:%u", &run->pool_major, &run->pool_minor) == 2;
	if (!strcmp(word, "suspend"))
		return take_suspend(run, value);
	if (!strcmp(word, "guard"))
		return take_guard(run, value);
	if (!strcmp(word, "snapshot"))
		return take_snapshot(run, value);
	if (!strcmp(word, "moment"))
		return take_moment(run, value);
	if (!strcmp(word, "stream"))
		return take_string(run->stream, sizeof(run->stream), value);
	if (sscanf(value, "%llu%n", &number, &end) != 1 || value[end])
		return false;
	if (!strcmp(word, "pid"))
		run->pid = (u32)number;
	else if (!strcmp(word, "started"))
		run->started = number;
	else if (!strcmp(word, "time_before"))
		run->time_before = (u32)number;
	else if (!strcmp(word, "held_root"))
		run->held_root = number;
	else if (!strcmp(word, "most_bytes"))
		run->most_bytes = number;
	else
		return false;
	return true;
}

static bool read_lines(FILE *file, struct te_run *run)
{
	char line[512], *value;

	if (!fgets(line, sizeof(line), file) || strcmp(line, "thinexport " FORMAT "\n"))
		return false;
	while (fgets(line, sizeof(line), file)) {
		if (!strcmp(line, "end\n"))
			return run->id[0] && run->pool_name[0] && run->boot_id[0] &&
			       (run->phase != TE_RUN_PENDING) == !run->stream[0];
		line[strcspn(line, "\n")] = '\0';
		value = strchr(line, ' ');
		if (!value)
			return false;
		*value++ = '\0';
		if (!take_line(run, line, value))
			return false;
	}
	return false;
}

static int load(const char *name, struct te_run *run)
{
	char path[PATH_MAX];
	FILE *file;
	bool good;

	memset(run, 0, sizeof(*run));
	snprintf(path, sizeof(path), "%s/%s", TE_RECORD_FOLDER, name);
	file = fopen(path, "re");
	if (!file) {
		/* Its run has just ended. */
		if (errno == ENOENT)
			return -ENOENT;
		te_error("cannot open %s: %s", path, strerror(errno));
		return -EIO;
	}
	good = read_lines(file, run);
	fclose(file);
	if (good)
		return 0;
	te_error("%s is not a record of this version of thinexport; what it names must be undone by hand",
		 path);
	te_run_exit(run);
	return -EBADMSG;
}

int te_run_reload(const struct te_run *run, struct te_run *fresh)
{
	char name[NAME_MAX + 1];

	snprintf(name, sizeof(name), "%s.%s%s", run->pool_name, run->id, SUFFIX);
	return load(name, fresh);
}

static bool ends_in(const char *name, const char *suffix)
{
	size_t length = strlen(name), tail = strlen(suffix);

	return length > tail && !strcmp(name + length - tail, suffix);
}

/* The folder's names in order; -errno after one sentence, 0 when there is no folder. */
static int list_folder(struct dirent ***names)
{
	int nr = scandir(TE_RECORD_FOLDER, names, NULL, alphasort);

	if (nr >= 0)
		return nr;
	*names = NULL;
	if (errno == ENOENT)
		return 0;
	nr = -errno;
	te_error("cannot read %s: %s", TE_RECORD_FOLDER, strerror(errno));
	return nr;
}

int te_run_each(int (*each)(void *context, const struct te_run *run), void *context)
{
	int nr, i, err = 0, stop = 0;
	struct dirent **names;
	struct te_run run;

	nr = list_folder(&names);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr; i++) {
		if (!stop && ends_in(names[i]->d_name, SUFFIX)) {
			int loaded = load(names[i]->d_name, &run);

			if (!loaded) {
				stop = each(context, &run);
				te_run_exit(&run);
			} else if (loaded != -ENOENT) {
				err = loaded;
			}
		}
		free(names[i]);
	}
	free(names);
	return stop ? stop : err;
}

/* "<pool>.<id>.new": the pool's name may have dots of its own. */
static bool pool_of(const char *file, char pool_name[TE_DM_NAME_BYTES])
{
	size_t tail = sizeof(((struct te_run *)0)->id) + strlen(UNFINISHED);
	size_t length = strlen(file);

	if (length <= tail || length - tail >= TE_DM_NAME_BYTES)
		return false;
	snprintf(pool_name, TE_DM_NAME_BYTES, "%.*s", (int)(length - tail), file);
	return true;
}

int te_run_each_unfinished(int (*each)(void *context, const char *pool_name, const char *file),
			   void *context)
{
	char pool_name[TE_DM_NAME_BYTES];
	struct dirent **names;
	int nr, i, stop = 0;

	nr = list_folder(&names);
	if (nr < 0)
		return nr;
	for (i = 0; i < nr; i++) {
		if (!stop && ends_in(names[i]->d_name, UNFINISHED) &&
		    pool_of(names[i]->d_name, pool_name))
			stop = each(context, pool_name, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return stop;
}

int te_run_drop_unfinished(const char *file)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", TE_RECORD_FOLDER, file);
	if (!unlink(path) || errno == ENOENT)
		return 0;
	te_error("cannot remove %s: %s", path, strerror(errno));
	return -EIO;
}
