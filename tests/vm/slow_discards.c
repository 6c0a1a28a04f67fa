// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * slow_discards NBD DEVICE MILLISECONDS HOLD: DEVICE becomes the disk NBD (/dev/nbd0
 * ...), whose discards take so long, and as long as there is a file HOLD, until
 * SIGTERM.  The first one that is held makes HOLD.held.  Reads and writes take none of
 * that time.
 *
 * So a write that is sent during a discard of the same place lands before it, and is
 * lost.  dm-delay does not do that: it delays writes as it does discards, and keeps
 * their order.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "nbd_server.h"

#define BLOCK		4096u
#define LOOK_AGAIN	10		/* milliseconds, for HOLD to be gone */
#define MOST_DISCARDS	1024u		/* more than the kernel has requests */

struct discard {
	struct nbd_request request;
	long due;			/* in milliseconds */
};

static struct discard discards[MOST_DISCARDS];	/* a ring, in order of time */
static unsigned int first, after_last;
static struct nbd_disk disk;
static int device;
static const char *hold;

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_held(void)
{
	char held[4096];
	int fd;

	if (access(hold, F_OK))
		return false;
	snprintf(held, sizeof(held), "%s.held", hold);
	fd = open(held, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		die(held);
	close(fd);
	return true;
}

/* Those whose time has come.  Returns how long there is to the next; -1: there is none. */
static int discard_what_is_due(void)
{
	for (; first != after_last; first++) {
		const struct discard *discard = &discards[first % MOST_DISCARDS];
		unsigned long long range[] = {
			be64toh(discard->request.from), be32toh(discard->request.len),
		};
		long left = discard->due - now();

		if (left > 0)
			return (int)left;
		if (is_held())
			return LOOK_AGAIN;
		nbd_answer(&disk, &discard->request, !ioctl(device, BLKDISCARD, range));
	}
	return -1;
}

/* The next request; false when that was the last. */
static bool serve(int delay)
{
	static char data[NBD_MOST_BYTES] __attribute__((aligned(BLOCK)));
	struct nbd_request request;
	uint32_t bytes;
	off_t offset;

	if (!nbd_receive(&disk, &request, sizeof(request)))
		return false;
	offset = (off_t)be64toh(request.from);
	bytes = be32toh(request.len);
	switch (be32toh(request.type) & 0xffff) {
	case NBD_CMD_READ:
		if (bytes > NBD_MOST_BYTES || pread(device, data, bytes, offset) != (ssize_t)bytes)
			die("read");
		nbd_answer(&disk, &request, true);
		nbd_send(&disk, data, bytes);
		return true;
	case NBD_CMD_WRITE:
		if (bytes > NBD_MOST_BYTES || !nbd_receive(&disk, data, bytes))
			return false;
		nbd_answer(&disk, &request, pwrite(device, data, bytes, offset) == (ssize_t)bytes);
		return true;
	case NBD_CMD_FLUSH:
		nbd_answer(&disk, &request, !fdatasync(device));
		return true;
	case NBD_CMD_TRIM:
		if (after_last - first == MOST_DISCARDS)
			die("too many discards");
		discards[after_last++ % MOST_DISCARDS] =
			(struct discard) { .request = request, .due = now() + delay };
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	struct pollfd ready = { .events = POLLIN };
	unsigned long long bytes;
	int left;

	if (argc != 5) {
		fprintf(stderr, "Usage: slow_discards NBD DEVICE MILLISECONDS HOLD\n");
		return 2;
	}
	device = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (device < 0 || ioctl(device, BLKGETSIZE64, &bytes))
		die(argv[2]);
	hold = argv[4];
	nbd_start(&disk, argv[1], bytes, BLOCK, NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_TRIM);
	ready.fd = disk.socket;
	do {
		if (nbd_told_to_end())
			ioctl(disk.device, NBD_DISCONNECT);
		left = discard_what_is_due();
		ready.revents = 0;
		if (poll(&ready, 1, left < 0 ? 1000 : left) < 0 && errno != EINTR)
			die("poll");
	} while (!ready.revents || serve(atoi(argv[3])));
	close(disk.socket);
	close(disk.device);
	nbd_wait();
	return 0;
}
