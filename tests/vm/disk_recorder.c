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
#include <linux/nbd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_log.h"

#define SECTOR		512u
#define MOST		(32u << 20)	/* bytes of one request */

struct disk {
	const char *device;
	int file;
	int nbd;			/* the device, to disconnect it */
	int socket;			/* our end */
};

static struct disk disks[DISK_LOG_MAX_DISKS];
static uint32_t nr_disks;
static FILE *disk_log;
static volatile sig_atomic_t told_to_end;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "disk_recorder: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void end(int signal)
{
	(void)signal;
	told_to_end = 1;
}

/* The kernel's side of a disk: a process that stays in the ioctl while the disk is there. */
static void run_device(const struct disk *disk, int socket)
{
	struct stat st;
	unsigned long flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA;

	if (fstat(disk->file, &st) ||
	    ioctl(disk->nbd, NBD_SET_BLKSIZE, (unsigned long)SECTOR) ||
	    ioctl(disk->nbd, NBD_SET_SIZE_BLOCKS, (unsigned long)st.st_size / SECTOR) ||
	    ioctl(disk->nbd, NBD_SET_SOCK, socket) ||
	    ioctl(disk->nbd, NBD_SET_FLAGS, flags) ||
	    ioctl(disk->nbd, NBD_DO_IT))
		die(disk->device);
	ioctl(disk->nbd, NBD_CLEAR_SOCK);
}

static void start_disk(char *argument)
{
	struct disk *disk = &disks[nr_disks];
	char *file = strchr(argument, '=');
	int sockets[2];

	if (nr_disks == DISK_LOG_MAX_DISKS || !file) {
		errno = EINVAL;
		die(argument);
	}
	*file++ = '\0';
	disk->device = argument;
	disk->file = open(file, O_RDWR | O_CLOEXEC);
	if (disk->file < 0)
		die(file);
	disk->nbd = open(disk->device, O_RDWR | O_CLOEXEC);
	if (disk->nbd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		die(disk->device);
	disk->socket = sockets[0];
	nr_disks++;
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		/* Should the server die, the other ends must be closed with it. */
		while (nr_disks)
			close(disks[--nr_disks].socket);
		run_device(disk, sockets[1]);
		exit(0);
	}
	close(sockets[1]);
}

static bool receive(int socket, void *buffer, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = recv(socket, (char *)buffer + done, bytes - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void send_all(int socket, const void *buffer, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = send(socket, (const char *)buffer + done, bytes - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			die("send");
		done += n > 0 ? (size_t)n : 0;
	}
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
	static char data[MOST];
	const struct disk *disk = &disks[number];
	struct nbd_request request;
	struct nbd_reply reply = { .magic = htobe32(NBD_REPLY_MAGIC) };
	uint64_t offset;
	uint32_t type, bytes;
	ssize_t done;

	if (!receive(disk->socket, &request, sizeof(request)))
		return false;
	type = be32toh(request.type);
	offset = be64toh(request.from);
	bytes = be32toh(request.len);
	memcpy(reply.handle, request.handle, sizeof(reply.handle));
	if (be32toh(request.magic) != NBD_REQUEST_MAGIC || bytes > MOST) {
		errno = EPROTO;
		die(disk->device);
	}
	switch (type & 0xffff) {
	case NBD_CMD_READ:
		done = pread(disk->file, data, bytes, (off_t)offset);
		if (done != (ssize_t)bytes)
			die(disk->device);
		send_all(disk->socket, &reply, sizeof(reply));
		send_all(disk->socket, data, bytes);
		return true;
	case NBD_CMD_WRITE:
		if (!receive(disk->socket, data, bytes))
			return false;
		done = pwrite(disk->file, data, bytes, (off_t)offset);
		if (done != (ssize_t)bytes)
			die(disk->device);
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
		die(disk->device);
	}
	send_all(disk->socket, &reply, sizeof(reply));
	return true;
}

static void serve_all(void)
{
	struct pollfd ready[DISK_LOG_MAX_DISKS];
	uint32_t i, left = nr_disks;

	for (i = 0; i < nr_disks; i++)
		ready[i] = (struct pollfd) { .fd = disks[i].socket, .events = POLLIN };
	while (left) {
		if (told_to_end) {
			told_to_end = 0;
			for (i = 0; i < nr_disks; i++)
				ioctl(disks[i].nbd, NBD_DISCONNECT);
		}
		if (poll(ready, nr_disks, 1000) < 0 && errno != EINTR)
			die("poll");
		for (i = 0; i < nr_disks; i++) {
			if (ready[i].fd < 0 || !ready[i].revents || serve(i))
				continue;
			ready[i].fd = -1;
			close(disks[i].socket);
			left--;
		}
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = end };
	int i;

	if (argc < 3) {
		fprintf(stderr, "Usage: disk_recorder LOG DEVICE=FILE...\n");
		return 2;
	}
	disk_log = fopen(argv[1], "we");
	if (!disk_log)
		die(argv[1]);
	sigaction(SIGTERM, &action, NULL);
	for (i = 2; i < argc; i++)
		start_disk(argv[i]);
	serve_all();
	for (i = 0; i < (int)nr_disks; i++)
		close(disks[i].nbd);
	while (wait(NULL) > 0)
		;
	return 0;
}
