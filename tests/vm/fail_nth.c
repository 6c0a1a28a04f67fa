// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fail_nth NAME SECTORS TARGET PARAMETERS: loads a read-only table into the existing
 * device NAME again and again, failing the first allocation of the load, then the
 * second, and so on, until a load makes fewer than that.  Needs a kernel with
 * failslab, which must be told to fail allocations that may sleep.
 *
 * Prints a line for each: its number, and what the load returned.  A load that
 * succeeds though an allocation failed is fine (somebody had a reserve); its table
 * is cleared.  The last line is "done NUMBER".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

#define MOST	100000		/* more would not be a constructor but a bug */

static union {
	struct dm_ioctl header;
	char bytes[65536];
} request;

static void die(const char *what)
{
	fprintf(stderr, "fail_nth: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void prepare(const char *name)
{
	memset(&request, 0, sizeof(request));
	request.header.version[0] = DM_VERSION_MAJOR;
	request.header.data_size = sizeof(request);
	request.header.data_start = sizeof(request.header);
	request.header.flags = DM_READONLY_FLAG;
	snprintf(request.header.name, sizeof(request.header.name), "%s", name);
}

static void prepare_table(char **argv)
{
	struct dm_target_spec *spec;
	char *parameters;

	prepare(argv[1]);
	request.header.target_count = 1;
	spec = (struct dm_target_spec *)(request.bytes + sizeof(request.header));
	spec->length = strtoull(argv[2], NULL, 10);
	snprintf(spec->target_type, sizeof(spec->target_type), "%s", argv[3]);
	parameters = (char *)(spec + 1);
	snprintf(parameters, sizeof(request) - sizeof(request.header) - sizeof(*spec), "%s",
		 argv[4]);
}

/* The kernel counts down at each allocation of ours, and leaves 0 when it has failed one. */
static void set_countdown(int fd, unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	if (pwrite(fd, text, (size_t)length, 0) != length)
		die("fail-nth");
}

static unsigned int countdown(int fd)
{
	char text[16] = "";

	if (pread(fd, text, sizeof(text) - 1, 0) < 1)
		die("fail-nth");
	return (unsigned int)strtoul(text, NULL, 10);
}

int main(int argc, char **argv)
{
	unsigned int n, left;
	int control, nth, r, error;

	if (argc != 5) {
		fprintf(stderr, "Usage: fail_nth NAME SECTORS TARGET PARAMETERS\n");
		return 2;
	}
	control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		die("/dev/mapper/control");
	nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0)
		die("/proc/self/fail-nth");

	for (n = 1; n < MOST; n++) {
		prepare_table(argv);
		set_countdown(nth, n);
		r = ioctl(control, DM_TABLE_LOAD, &request);
		error = r ? errno : 0;
		left = countdown(nth);
		set_countdown(nth, 0);

		if (!r) {
			prepare(argv[1]);
			if (ioctl(control, DM_TABLE_CLEAR, &request))
				die("clear the table");
		}
		if (left)
			break;
		printf("%u %s\n", n, error ? strerror(error) : "loaded all the same");
	}
	if (n == MOST || r) {
		fprintf(stderr, "fail_nth: a load without a failing allocation: %s\n",
			strerror(error));
		return 1;
	}
	printf("done %u\n", n - 1);
	return 0;
}
