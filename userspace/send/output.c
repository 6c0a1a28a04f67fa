// SPDX-License-Identifier: GPL-2.0-or-later
/* Where a stream goes: standard output, or a file that has its name only when complete. */
#include "send/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "source/image.h"
#include "base/say.h"
#include "stream/stream_write.h"

/* Devices below devices: LV on thin on pool on LV on md on disk, and room. */
#define MAX_STACK	16u

/*
 * Calls `see` with each device that `device` is directly made of; its non-zero
 * result ends the call and is returned.
 */
static int each_lower(dev_t device, int (*see)(void *context, dev_t lower), void *context)
{
	char path[64], name[512], number[32];
	struct dirent *entry;
	int result = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/slaves", major(device), minor(device));
	folder = opendir(path);
	if (!folder)
		return 0;
	while (!result && (entry = readdir(folder))) {
		unsigned int high, low;
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s/dev", path, entry->d_name);
		file = fopen(name, "re");
		if (!file)
			continue;
		if (fgets(number, sizeof(number), file) &&
		    sscanf(number, "%u:%u", &high, &low) == 2)
			result = see(context, makedev(high, low));
		fclose(file);
	}
	closedir(folder);
	return result;
}

/* Looks for `wanted` in what a device is made of, at any depth. */
struct search {
	dev_t wanted;
	unsigned int depth;
};

static int found_in(void *context, dev_t device)
{
	const struct search *search = context;
	struct search below = { search->wanted, search->depth + 1 };

	if (device == search->wanted)
		return 1;
	return below.depth < MAX_STACK ? each_lower(device, found_in, &below) : 0;
}

struct placement {
	dev_t device;			/* that holds the output's file system, or is the output */
};

/* Is the output on this device of the source? */
static int lies_on(void *context, dev_t device)
{
	const struct placement *placement = context;
	struct search search = { .wanted = device };

	return found_in(&search, placement->device);
}

static int check_source(const struct te_output *output, const struct te_source *source,
			const struct stat *st)
{
	bool file = S_ISREG(st->st_mode) || S_ISDIR(st->st_mode);
	struct placement placement = { file ? st->st_dev : st->st_rdev };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(source->images); i++) {
		const struct te_image *image = source->images[i];
		bool on;

		if (!image)
			continue;
		if (te_image_is(image, st)) {
			te_error("%s is what is to be sent", output->name);
			return -EINVAL;
		}
		if (!image->block_device || S_ISFIFO(st->st_mode) || S_ISSOCK(st->st_mode) ||
		    S_ISCHR(st->st_mode))
			continue;
		on = lies_on(&placement, image->dev);
		/* A view is not what files lie on; the devices right below it are. */
		if (!on && !strcmp(source->ops->kind, "view"))
			on = each_lower(image->dev, lies_on, &placement);
		if (on) {
			te_error("%s lies on the pool that is to be sent: write elsewhere",
				 output->name);
			return -EINVAL;
		}
	}
	return 0;
}

static int open_standard(struct te_output *output, const struct te_source *source)
{
	struct stat st;
	int flags;

	output->fd = STDOUT_FILENO;
	output->name = "standard output";
	flags = fcntl(output->fd, F_GETFL);
	if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(output->fd, &st)) {
		te_error("standard output is closed, or open for reading only");
		return -EBADF;
	}
	return check_source(output, source, &st);
}

/* A device node or a pipe: written where it is. */
static int open_in_place(struct te_output *output, const char *path, const struct stat *st,
			 const struct te_source *source)
{
	int err;

	if (S_ISBLK(st->st_mode)) {
		te_error("%s is a block device: -o writes files; use a pipe if it is meant", path);
		return -EINVAL;
	}
	err = check_source(output, source, st);
	if (err)
		return err;
	output->fd = open(path, O_WRONLY | O_CLOEXEC);
	if (output->fd < 0) {
		err = -errno;
		te_error("cannot open %s: %s", path, strerror(-err));
	}
	return err;
}

static int check_folder(const struct te_output *output, const struct te_source *source)
{
	char *copy = strdup(output->path);
	struct stat st;
	int err = 0;

	if (!copy) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	if (!stat(dirname(copy), &st))
		err = check_source(output, source, &st);
	free(copy);
	return err;
}

static void take_part(struct te_output *output, struct te_part *part)
{
	output->fd = part->fd;
	output->part = part->path;
	output->keep = true;
	part->fd = -1;
	part->path = NULL;
}

static int open_part(struct te_output *output)
{
	int err = 0;

	if (asprintf(&output->part, "%s.part-XXXXXX", output->path) < 0) {
		output->part = NULL;
		te_error("not enough memory");
		return -ENOMEM;
	}
	output->fd = mkostemp(output->part, O_CLOEXEC);
	if (output->fd < 0) {
		err = -errno;
		te_error("cannot create %s: %s", output->path, strerror(-err));
		free(output->part);
		output->part = NULL;
	}
	return err;
}

int te_output_open(struct te_output *output, const char *path, bool force,
		   const struct te_source *source, struct te_part *part)
{
	struct stat st;
	int err;

	*output = (struct te_output){ .fd = -1, .name = path, .force = force };
	if (!path || !strcmp(path, "-")) {
		err = open_standard(output, source);
	} else if (!stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
		err = open_in_place(output, path, &st, source);
	} else {
		err = 0;
		if (!stat(path, &st)) {
			err = check_source(output, source, &st);
			if (!err && (!force || S_ISDIR(st.st_mode))) {
				te_error("%s exists already%s", path, S_ISDIR(st.st_mode) ?
					 ", and is a folder" : ": --force replaces it");
				err = -EEXIST;
			}
		}
		/* A link's target is what is replaced, not the link. */
		if (!err)
			output->path = realpath(path, NULL);
		if (!err && !output->path)
			output->path = strdup(path);
		if (!err && !output->path) {
			te_error("not enough memory");
			err = -ENOMEM;
		}
		if (!err)
			err = check_folder(output, source);
		if (!err && part)
			take_part(output, part);
		else if (!err)
			err = open_part(output);
	}
	if (!err)
		err = te_stream_output_check(output->fd, output->name);
	if (err)
		te_output_abort(output);
	return err;
}

static int sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd, err = 0;

	if (!copy)
		return -ENOMEM;
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(copy);
	if (fd < 0)
		return -errno;
	/* Some file systems cannot, and say so. */
	if (fsync(fd) && errno != EINVAL)
		err = -errno;
	close(fd);
	return err;
}

/* A file that came into being since we looked is not replaced unasked. */
static int give_name(struct te_output *output)
{
	int err = 0;

	if (output->force)
		err = rename(output->part, output->path) ? -errno : 0;
	else if (renameat2(AT_FDCWD, output->part, AT_FDCWD, output->path, RENAME_NOREPLACE))
		err = -errno;
	/* Not every file system knows NOREPLACE; a second name cannot replace either. */
	if (err == -EINVAL && !output->force) {
		err = link(output->part, output->path) ? -errno : 0;
		if (!err)
			unlink(output->part);
	}
	if (err)
		return err;
	free(output->part);
	output->part = NULL;
	return sync_folder(output->path);
}

int te_output_commit(struct te_output *output)
{
	struct stat st;
	int err = 0;

	/* A pipe has nothing to sync. */
	if (!fstat(output->fd, &st) && S_ISREG(st.st_mode) && fsync(output->fd))
		err = -errno;
	if (!err && close(output->fd))
		err = -errno;
	if (!err)
		output->fd = -1;
	if (!err && output->part)
		err = give_name(output);
	if (err)
		te_error("cannot write %s: %s", output->name, strerror(-err));
	else
		te_output_abort(output);
	return err;
}

void te_output_abort(struct te_output *output)
{
	struct stat st;

	/* Of what is kept there must be something to go on with. */
	if (output->part && (!output->keep || (!fstat(output->fd, &st) && !st.st_size)))
		unlink(output->part);
	if (output->fd > STDERR_FILENO)
		close(output->fd);
	output->fd = -1;
	free(output->part);
	free(output->path);
	output->part = NULL;
	output->path = NULL;
}
