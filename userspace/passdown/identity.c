// SPDX-License-Identifier: GPL-2.0-or-later
/* What a device is called for good. */
#include "passdown/identity.h"

#include <ctype.h>
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "passdown/sysfs.h"

#define LINKS	"/dev/disk/by-id"
#define ARRAY	"md-uuid-"
#define MAPPED	"dm-uuid-"

/* The kernel writes 8-4-4-4-12, mdadm and udev 8:8:8:8. */
static bool array_identity(dev_t dev, char id[TE_IDENTITY_BYTES])
{
	char version[64], uuid[64], *to = id + strlen(ARRAY);
	unsigned int digits = 0;
	const char *from;

	/* Without a superblock of md's own its uuid is a new one each time. */
	if (!te_sysfs_line(dev, "md/metadata_version", version, sizeof(version)) ||
	    !isdigit((unsigned char)version[0]) ||
	    !te_sysfs_line(dev, "md/uuid", uuid, sizeof(uuid)))
		return false;
	strcpy(id, ARRAY);
	for (from = uuid; *from && digits < 32; from++) {
		if (!isxdigit((unsigned char)*from))
			continue;
		if (digits && digits % 8 == 0)
			*to++ = ':';
		*to++ = *from;
		digits++;
	}
	*to = '\0';
	return digits == 32;
}

static bool mapped_identity(dev_t dev, char id[TE_IDENTITY_BYTES])
{
	char uuid[160];

	return te_sysfs_line(dev, "dm/uuid", uuid, sizeof(uuid)) && uuid[0] &&
	       snprintf(id, TE_IDENTITY_BYTES, MAPPED "%s", uuid) < TE_IDENTITY_BYTES;
}

static bool links_to(const char *name, dev_t dev)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", LINKS, name);
	return !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == dev;
}

static bool begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/*
 * World-wide names are of the disk itself; others may be of how it is connected.  0: of
 * what lies on it, which another disk may hold one day, or of nothing that lasts.
 */
static int rank(const char *name)
{
	if (begins(name, "lvm-pv-uuid-") || begins(name, "dm-name-") || begins(name, "md-name-"))
		return 0;
	return begins(name, "wwn-") || begins(name, "nvme-eui.") || begins(name, ARRAY) ? 2 : 1;
}

static bool link_identity(dev_t dev, char id[TE_IDENTITY_BYTES])
{
	struct dirent **names;
	int nr = scandir(LINKS, &names, NULL, alphasort), i, best = 0;

	for (i = 0; i < nr; i++) {
		if (rank(names[i]->d_name) > best && links_to(names[i]->d_name, dev) &&
		    strlen(names[i]->d_name) < TE_IDENTITY_BYTES) {
			strcpy(id, names[i]->d_name);
			best = rank(id);
		}
		free(names[i]);
	}
	if (nr >= 0)
		free(names);
	return best > 0;
}

bool te_identity_of(dev_t dev, char id[TE_IDENTITY_BYTES])
{
	return array_identity(dev, id) || mapped_identity(dev, id) || link_identity(dev, id);
}

/* Of all block devices that of this identity. */
static bool find_in_kernel(const char *id, bool (*identify)(dev_t dev, char *found), dev_t *dev)
{
	DIR *names = opendir("/sys/dev/block");
	unsigned int major_number, minor_number;
	char found[TE_IDENTITY_BYTES];
	struct dirent *entry;
	bool is = false;

	while (names && !is && (entry = readdir(names))) {
		if (sscanf(entry->d_name, "%u:%u", &major_number, &minor_number) != 2)
			continue;
		*dev = makedev(major_number, minor_number);
		is = identify(*dev, found) && !strcmp(found, id);
	}
	if (names)
		closedir(names);
	return is;
}

bool te_identity_find(const char *id, dev_t *dev)
{
	char path[PATH_MAX];
	struct stat st;

	if (find_in_kernel(id, array_identity, dev) || find_in_kernel(id, mapped_identity, dev))
		return true;
	snprintf(path, sizeof(path), "%s/%s", LINKS, id);
	if (strchr(id, '/') || stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	*dev = st.st_rdev;
	return true;
}
