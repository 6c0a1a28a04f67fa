// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * replay FOLDER...: in libFuzzer's place, hands each file of the folders to the
 * target that it is linked with.  So the corpora are run by any compiler, under
 * its sanitizers; a report or a broken promise ends it, and the last name is the one.
 */
#include <dirent.h>
#include <stdio.h>

#include "target.h"

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	u8 *input = NULL;
	long bytes = -1;

	if (file && !fseek(file, 0, SEEK_END))
		bytes = ftell(file);
	/* Of just that size, so that the sanitizer sees what lies behind. */
	if (bytes >= 0)
		input = malloc((size_t)bytes);
	if (!input || fseek(file, 0, SEEK_SET) ||
	    fread(input, 1, (size_t)bytes, file) != (size_t)bytes) {
		printf("# cannot read %s\n", path);
		return 1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(input, (size_t)bytes);
	free(input);
	return 0;
}

/* How many files, or -1. */
static int replay_all(const char *folder)
{
	struct dirent **entries;
	int nr = scandir(folder, &entries, NULL, alphasort), replayed = 0, i;
	char path[1024];

	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.') {
			printf("# %s\n", path);
			fflush(stdout);
			if (replay(path))
				return -1;
			replayed++;
		}
		free(entries[i]);
	}
	if (nr >= 0)
		free(entries);
	return replayed ? replayed : -1;
}

int main(int argc, char **argv)
{
	int i, failed = 0;

	printf("KTAP version 1\n1..%d\n", argc - 1);
	for (i = 1; i < argc; i++) {
		int nr = replay_all(argv[i]);

		printf("%sok %d %s: %d inputs\n", nr < 0 ? "not " : "", i, argv[i], nr);
		failed |= nr < 0;
	}
	return failed;
}
