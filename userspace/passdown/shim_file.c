// SPDX-License-Identifier: GPL-2.0-or-later
/* What is kept of a passdown for the next boot. */
#include "passdown/shim_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/say.h"
#include "base/words.h"

#define PARENT	"/etc/thinexport"
#define SUFFIX	".conf"

static void path_of(const char *name, const char *suffix, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s%s", TE_SHIM_FOLDER, name, suffix);
}

static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static int make_folder(const char *folder)
{
	return mkdir(folder, 0755) && errno != EEXIST ? -errno : 0;
}

static int write_lines(int fd, const struct te_shim_file *file)
{
	FILE *to = fdopen(fd, "w");
	int err = 0;

	if (!to) {
		err = -errno;
		close(fd);
		return err;
	}
	fprintf(to, "# Made by `thinexport passdown create`; `thinexport passdown remove` takes it away.\n");
	fprintf(to, "device %s\n", file->device);
	if (file->stripe_sectors)
		fprintf(to, "stripe %u\n", file->stripe_sectors);
	else
		fprintf(to, "stripe auto\n");
	fprintf(to, "mode %s\nzero_fill %s\n", file->auto_pass ? "auto" : "held",
		file->zero_fill ? "yes" : "no");
	if (fflush(to) || ferror(to) || fsync(fd))
		err = errno ? -errno : -EIO;
	if (fclose(to) && !err)
		err = -errno;
	return err;
}

static int write_whole(const struct te_shim_file *file, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);

	return fd < 0 ? -errno : write_lines(fd, file);
}

/* Whole under another name, then put in place: by link(), which fails where one is, or rename(). */
static int save(const struct te_shim_file *file, int (*put)(const char *from, const char *to))
{
	char path[PATH_MAX], temporary[PATH_MAX];
	int err = make_folder(PARENT);

	path_of(file->name, SUFFIX, path);
	path_of(file->name, ".new", temporary);
	if (!err)
		err = make_folder(TE_SHIM_FOLDER);
	if (!err)
		err = write_whole(file, temporary);
	if (!err && put(temporary, path))
		err = -errno;
	unlink(temporary);
	if (!err)
		err = sync_folder(TE_SHIM_FOLDER);
	if (err)
		te_error("cannot write %s: %s", path, strerror(-err));
	return err;
}

int te_shim_file_save(const struct te_shim_file *file)
{
	return save(file, link);
}

int te_shim_file_replace(const struct te_shim_file *file)
{
	return save(file, rename);
}

bool te_shim_file_exists(const char *name)
{
	char path[PATH_MAX];

	path_of(name, SUFFIX, path);
	return !access(path, F_OK);
}

int te_shim_file_drop(const char *name)
{
	char path[PATH_MAX];
	int err = 0;

	path_of(name, SUFFIX, path);
	if (!unlink(path))
		err = sync_folder(TE_SHIM_FOLDER);
	else if (errno != ENOENT)
		err = -errno;
	if (err)
		te_error("cannot remove %s: %s", path, strerror(-err));
	return err;
}

static bool take_choice(const char *value, const char *no, const char *yes, bool *choice)
{
	*choice = !strcmp(value, yes);
	return *choice || !strcmp(value, no);
}

static bool take_line(struct te_shim_file *file, const char *word, const char *value)
{
	const char *rest;
	u64 sectors = 0;

	if (!strcmp(word, "device"))
		return (size_t)snprintf(file->device, sizeof(file->device), "%s", value) <
		       sizeof(file->device);
	if (!strcmp(word, "mode"))
		return take_choice(value, "held", "auto", &file->auto_pass);
	if (!strcmp(word, "zero_fill"))
		return take_choice(value, "no", "yes", &file->zero_fill);
	if (strcmp(word, "stripe"))
		return false;
	if (strcmp(value, "auto") && !te_parse_number(value, '\0', UINT_MAX, &sectors, &rest))
		return false;
	file->stripe_sectors = (u32)sectors;
	return true;
}

static bool read_lines(FILE *from, struct te_shim_file *file)
{
	char line[512], *value;

	while (fgets(line, sizeof(line), from)) {
		line[strcspn(line, "\n")] = '\0';
		if (!line[0] || line[0] == '#')
			continue;
		value = strchr(line, ' ');
		if (!value)
			return false;
		*value++ = '\0';
		if (!take_line(file, line, value))
			return false;
	}
	return !ferror(from) && file->device[0];
}

int te_shim_file_load(const char *name, struct te_shim_file *file)
{
	char path[PATH_MAX];
	FILE *from;
	bool good;

	memset(file, 0, sizeof(*file));
	snprintf(file->name, sizeof(file->name), "%s", name);
	path_of(name, SUFFIX, path);
	from = fopen(path, "re");
	if (!from) {
		te_error("cannot open %s: %s", path, strerror(errno));
		return -EIO;
	}
	good = read_lines(from, file);
	fclose(from);
	if (good)
		return 0;
	te_error("%s cannot be understood: it must have lines `device ID`, `stripe auto|SECTORS`, `mode held|auto`, `zero_fill no|yes`",
		 path);
	return -EBADMSG;
}

/* "<name>.conf" */
static bool name_of(const char *entry, char name[TE_DM_NAME_BYTES])
{
	size_t length = strlen(entry), tail = strlen(SUFFIX);

	if (entry[0] == '.' || length <= tail || length - tail >= TE_DM_NAME_BYTES ||
	    strcmp(entry + length - tail, SUFFIX))
		return false;
	snprintf(name, TE_DM_NAME_BYTES, "%.*s", (int)(length - tail), entry);
	return true;
}

int te_shim_file_each(int (*each)(void *context, const struct te_shim_file *file),
		      void *context)
{
	char name[TE_DM_NAME_BYTES];
	struct te_shim_file file;
	struct dirent **names;
	int nr = scandir(TE_SHIM_FOLDER, &names, NULL, alphasort), i, err = 0, stop = 0;

	if (nr < 0 && errno != ENOENT) {
		err = -errno;
		te_error("cannot read %s: %s", TE_SHIM_FOLDER, strerror(-err));
		return err;
	}
	for (i = 0; i < nr; i++) {
		if (!stop && name_of(names[i]->d_name, name)) {
			if (te_shim_file_load(name, &file))
				err = -EBADMSG;
			else
				stop = each(context, &file);
		}
		free(names[i]);
	}
	if (nr >= 0)
		free(names);
	return stop ? stop : err;
}
