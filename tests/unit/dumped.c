// SPDX-License-Identifier: GPL-2.0-or-later
/* What thin_dump says of a pool. */
#include "dumped.h"

#include <stdio.h>
#include <unistd.h>

static void __attribute__((noreturn)) die(const char *what)
{
	printf("Bail out! %s\n", what);
	exit(1);
}

static void *grow(void *p, size_t nr, size_t *room, size_t bytes)
{
	if (nr < *room)
		return p;
	*room = *room ? 2 * *room : 64;
	p = realloc(p, *room * bytes);
	if (!p)
		die("no memory");
	return p;
}

static void add(struct dumped_volume *volume, u64 virtual_block, u64 pool_block, u64 count)
{
	while (count--) {
		volume->mappings = grow(volume->mappings, volume->nr, &volume->room,
					sizeof(*volume->mappings));
		volume->mappings[volume->nr++] =
			(struct dumped_mapping){ virtual_block++, pool_block++ };
	}
}

struct dumped *dumped_read(const char *path)
{
	struct dumped *dumped = calloc(1, sizeof(*dumped));
	unsigned long long a, b, count;
	char command[4096], line[512];
	size_t room = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "thin_dump %s", path);
	pipe = popen(command, "r");
	if (!dumped || !pipe)
		die("cannot run thin_dump");
	while (fgets(line, sizeof(line), pipe)) {
		const char *blocks = strstr(line, "nr_data_blocks=\"");

		if (strstr(line, "<superblock") && blocks)
			dumped->nr_data_blocks = strtoull(blocks + 16, NULL, 10);
		if (sscanf(line, " <device dev_id=\"%llu\"", &a) == 1) {
			dumped->volumes = grow(dumped->volumes, dumped->nr_volumes, &room,
					       sizeof(*dumped->volumes));
			dumped->volumes[dumped->nr_volumes++] =
				(struct dumped_volume){ .id = (u32)a };
		} else if (sscanf(line, " <single_mapping origin_block=\"%llu\" data_block=\"%llu\"",
				  &a, &b) == 2) {
			add(&dumped->volumes[dumped->nr_volumes - 1], a, b, 1);
		} else if (sscanf(line, " <range_mapping origin_begin=\"%llu\" data_begin=\"%llu\" "
				  "length=\"%llu\"", &a, &b, &count) == 3) {
			add(&dumped->volumes[dumped->nr_volumes - 1], a, b, count);
		}
	}
	if (pclose(pipe))
		die("thin_dump failed");
	return dumped;
}

void dumped_free(struct dumped *dumped)
{
	size_t i;

	for (i = 0; i < dumped->nr_volumes; i++)
		free(dumped->volumes[i].mappings);
	free(dumped->volumes);
	free(dumped);
}

void dumped_restore(const char *xml, const char *path)
{
	char text[] = "/tmp/te-dumped-XXXXXX", command[4096];
	int fd = mkstemp(text);

	/* thin_restore reads regular files alone. */
	if (fd < 0 || write(fd, xml, strlen(xml)) != (ssize_t)strlen(xml) || close(fd))
		die("cannot write XML");
	snprintf(command, sizeof(command), "thin_restore -q -i %s -o %s >/dev/null", text, path);
	if (system(command))
		die("thin_restore failed");
	unlink(text);
}
