// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk_recorder LOG DEVICE=FILE...: each FILE becomes the disk DEVICE (/dev/nbd0 ...)
 * with a volatile write cache, until SIGTERM.  Every write and flush goes to the
 * LOG, those of all disks in one order.
 *
 * dm-log-writes has a log for each device, and of a log that two slices share it
 * cannot be told which of them a flush was for.  But that is the question when data
 * and metadata are on two disks, so this is a network block device whose server
 * sees both.  It does one request at a time: what it has answered is in the log.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk_log.h"
#include "nbd_server.h"

#define SECTOR		512u

struct disk {
	struct nbd_disk nbd;
	int file;
};

static struct disk disks[DISK_LOG_MAX_DISKS];
static uint32_t nr_disks;
static FILE *disk_log;

static void start_disk(char *argument)
{
	struct disk *disk = &disks[nr_disks];
	char *file = strchr(argument, '=');
	struct stat st;

	if (nr_disks == DISK_LOG_MAX_DISKS || !file) {
		errno = EINVAL;
		die(argument);
	}
	*file++ = '\0';
	disk->file = open(file, O_RDWR | O_CLOEXEC);
	if (disk->file < 0 || fstat(disk->file, &st))
		die(file);
	nbd_start(&disk->nbd, argument, (uint64_t)st.st_size, SECTOR,
		  NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA);
	nr_disks++;
}

static void record(uint32_t kind, uint32_t disk, uint64_t offset, uint64_t bytes, const void *data)
{
	struct disk_log_entry entry = {
		.kind = kind, .disk = disk, .offset = offset, .bytes = bytes,
	};

	if (fwrite(&entry, sizeof(entry), 1, disk_log) != 1 ||
	    fwrite(data, 1, bytes, disk_log) != bytes || fflush(disk_log))
		die("log");
}

/* Does the next request of the disk; false when that was its last. */
static bool serve(uint32_t number)
{
	static char data[NBD_MOST_BYTES];
	const struct disk *disk = &disks[number];
	struct nbd_request request;
	uint64_t offset;
	uint32_t type, bytes;

	if (!nbd_receive(&disk->nbd, &request, sizeof(request)))
		return false;
	type = be32toh(request.type);
	offset = be64toh(request.from);
	bytes = be32toh(request.len);
	if (be32toh(request.magic) != NBD_REQUEST_MAGIC || bytes > NBD_MOST_BYTES) {
		errno = EPROTO;
		die(disk->nbd.path);
	}
	switch (type & 0xffff) {
	case NBD_CMD_READ:
		if (pread(disk->file, data, bytes, (off_t)offset) != (ssize_t)bytes)
			die(disk->nbd.path);
		nbd_answer(&disk->nbd, &request, true);
		nbd_send(&disk->nbd, data, bytes);
		return true;
	case NBD_CMD_WRITE:
		if (!nbd_receive(&disk->nbd, data, bytes))
			return false;
		if (pwrite(disk->file, data, bytes, (off_t)offset) != (ssize_t)bytes)
			die(disk->nbd.path);
		record(type & NBD_CMD_FLAG_FUA ? DISK_LOG_WRITE_FUA : DISK_LOG_WRITE, number,
		       offset, bytes, data);
		break;
	case NBD_CMD_FLUSH:
		record(DISK_LOG_FLUSH, number, 0, 0, data);
		break;
	case NBD_CMD_DISC:
		return false;
	default:
		errno = EOPNOTSUPP;
		die(disk->nbd.path);
	}
	nbd_answer(&disk->nbd, &request, true);
	return true;
}

static void serve_all(void)
{
	struct pollfd ready[DISK_LOG_MAX_DISKS];
	uint32_t i, left = nr_disks;

	for (i = 0; i < nr_disks; i++)
		ready[i] = (struct pollfd) { .fd = disks[i].nbd.socket, .events = POLLIN };
	while (left) {
		if (nbd_told_to_end())
			for (i = 0; i < nr_disks; i++)
				ioctl(disks[i].nbd.device, NBD_DISCONNECT);
		if (poll(ready, nr_disks, 1000) < 0 && errno != EINTR)
			die("poll");
		for (i = 0; i < nr_disks; i++) {
			if (ready[i].fd < 0 || !ready[i].revents || serve(i))
				continue;
			ready[i].fd = -1;
			close(disks[i].nbd.socket);
			left--;
		}
	}
}

int main(int argc, char **argv)
{
	int i;

	if (argc < 3) {
		fprintf(stderr, "Usage: disk_recorder LOG DEVICE=FILE...\n");
		return 2;
	}
	disk_log = fopen(argv[1], "we");
	if (!disk_log)
		die(argv[1]);
	for (i = 2; i < argc; i++)
		start_disk(argv[i]);
	serve_all();
	for (i = 0; i < (int)nr_disks; i++)
		close(disks[i].nbd.device);
	nbd_wait();
	return 0;
}
