// SPDX-License-Identifier: GPL-2.0-or-later
/* The mounts of this mount namespace. */
#include "live/mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void te_mount_each(void (*each)(dev_t device, const char *point, void *context), void *context)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, point[4096], source[4096];
	unsigned int major, minor;
	size_t bytes = 0;
	struct stat st;

	if (!file)
		return;
	while (getline(&line, &bytes, file) > 0) {
		const char *rest = strstr(line, " - ");

		if (!rest || sscanf(line, "%*s %*s %u:%u %*s %4095s", &major, &minor, point) != 3)
			continue;
		each(makedev(major, minor), point, context);
		/* Elsewhere a look at it may wait for a server, forever. */
		if (sscanf(rest, " - %*s %4095s", source) == 1 && !strncmp(source, "/dev/", 5) &&
		    !stat(source, &st) && S_ISBLK(st.st_mode) &&
		    st.st_rdev != makedev(major, minor))
			each(st.st_rdev, point, context);
	}
	free(line);
	fclose(file);
}
