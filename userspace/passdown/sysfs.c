// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel tells of a block device in sysfs. */
#include "passdown/sysfs.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sysmacros.h>

static void path_of(dev_t dev, const char *file, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "/sys/dev/block/%u:%u/%s", major(dev), minor(dev), file);
}

bool te_sysfs_line(dev_t dev, const char *file, char *line, size_t bytes)
{
	char path[PATH_MAX];
	bool read;
	FILE *from;

	path_of(dev, file, path);
	from = fopen(path, "re");
	if (!from)
		return false;
	read = fgets(line, (int)bytes, from);
	fclose(from);
	if (read)
		line[strcspn(line, "\n")] = '\0';
	return read;
}

bool te_sysfs_number(dev_t dev, const char *file, u64 *number)
{
	char line[64], *end;

	if (!te_sysfs_line(dev, file, line, sizeof(line)))
		return false;
	*number = strtoull(line, &end, 10);
	return end != line;
}

static bool parse_dev(const char *line, dev_t *dev)
{
	unsigned int major_number, minor_number;

	if (sscanf(line, "%u:%u", &major_number, &minor_number) != 2)
		return false;
	*dev = makedev(major_number, minor_number);
	return true;
}

int te_sysfs_each(dev_t dev, const char *folder,
		  int (*each)(void *context, dev_t dev, const char *name), void *context)
{
	char path[PATH_MAX], file[PATH_MAX], line[32];
	struct dirent *entry;
	int stop = 0;
	dev_t found;
	DIR *names;

	path_of(dev, folder, path);
	names = opendir(path);
	if (!names)
		return 0;
	while (!stop && (entry = readdir(names))) {
		if (entry->d_name[0] == '.' ||
		    (size_t)snprintf(file, sizeof(file), "%s/%s/dev", folder, entry->d_name) >=
			    sizeof(file))
			continue;
		if (te_sysfs_line(dev, file, line, sizeof(line)) && parse_dev(line, &found))
			stop = each(context, found, entry->d_name);
	}
	closedir(names);
	return stop;
}

void te_sysfs_name(dev_t dev, char *name, size_t bytes)
{
	char path[PATH_MAX], line[128];
	FILE *from;

	snprintf(name, bytes, "%u:%u", major(dev), minor(dev));
	path_of(dev, "uevent", path);
	from = fopen(path, "re");
	if (!from)
		return;
	while (fgets(line, sizeof(line), from)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "DEVNAME=", 8))
			snprintf(name, bytes, "%s", line + 8);
	}
	fclose(from);
}

bool te_sysfs_disk(dev_t dev, dev_t *disk, u64 *start)
{
	char line[32];
	u64 number;

	return te_sysfs_number(dev, "partition", &number) &&
	       te_sysfs_number(dev, "start", start) &&
	       te_sysfs_line(dev, "../dev", line, sizeof(line)) && parse_dev(line, disk);
}
