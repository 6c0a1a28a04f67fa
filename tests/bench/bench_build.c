// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench-build METADATA DATA TO: builds a pool's metadata anew from its plan, and
 * prints build seconds, mappings, metadata blocks before and after, resident KiB
 * (of plan and build together), build seconds of the processor.
 */
#include <stdio.h>
#include <sys/resource.h>

#include "rebuild.h"

int main(int argc, char **argv)
{
	struct te_rebuilt rebuilt;
	struct rusage usage;

	if (argc != 4) {
		fprintf(stderr, "Usage: bench-build METADATA DATA TO\n");
		return 2;
	}
	if (te_rebuild(argv[1], argv[2], argv[3], &rebuilt))
		return 1;
	getrusage(RUSAGE_SELF, &usage);
	printf("%.4f %llu %llu %llu %ld %.4f\n", rebuilt.build_seconds,
	       (unsigned long long)rebuilt.nr_mappings,
	       (unsigned long long)rebuilt.source_blocks,
	       (unsigned long long)rebuilt.used_blocks, usage.ru_maxrss, rebuilt.build_cpu_seconds);
	return 0;
}
