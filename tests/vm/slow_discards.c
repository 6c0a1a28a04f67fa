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
#include <linux/nbd.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK		4096u
#define MOST		(32u << 20)	/* bytes of one read or write */
#define LOOK_AGAIN	10		/* milliseconds, for HOLD to be gone */
#define MOST_DISCARDS	1024u		/* more than the kernel has requests */

struct discard {
	struct nbd_request request;
	long due;			/* in milliseconds */
};

static struct discard discards[MOST_DISCARDS];	/* a ring, in order of time */
static unsigned int first, after_last;
static int device, nbd, server;
static const char *hold;
static volatile sig_atomic_t told_to_end;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "slow_discards: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void end(int signal)
{
	(void)signal;
	told_to_end = 1;
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The kernel's side: a process that stays in the ioctl while the disk is there. */
static void run_device(int client)
{
	unsigned long flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_TRIM;
	unsigned long long bytes;

	if (ioctl(device, BLKGETSIZE64, &bytes) ||
	    ioctl(nbd, NBD_SET_BLKSIZE, (unsigned long)BLOCK) ||
	    ioctl(nbd, NBD_SET_SIZE_BLOCKS, (unsigned long)(bytes / BLOCK)) ||
	    ioctl(nbd, NBD_SET_SOCK, client) ||
	    ioctl(nbd, NBD_SET_FLAGS, flags) ||
	    ioctl(nbd, NBD_DO_IT))
		die("the network block device");
	ioctl(nbd, NBD_CLEAR_SOCK);
}

static void start_disk(void)
{
	int sockets[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		die("socketpair");
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		/* Should the server die, its end must be closed with it. */
		close(sockets[0]);
		run_device(sockets[1]);
		exit(0);
	}
	close(sockets[1]);
	server = sockets[0];
}

static bool receive(void *buffer, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = recv(server, (char *)buffer + done, bytes - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void send_all(const void *buffer, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = send(server, (const char *)buffer + done, bytes - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			die("send");
		done += n > 0 ? (size_t)n : 0;
	}
}

static void answer(const struct nbd_request *request, bool good)
{
	struct nbd_reply reply = {
		.magic = htobe32(NBD_REPLY_MAGIC), .error = htobe32(good ? 0 : EIO),
	};

	memcpy(reply.handle, request->handle, sizeof(reply.handle));
	send_all(&reply, sizeof(reply));
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
		answer(&discard->request, !ioctl(device, BLKDISCARD, range));
	}
	return -1;
}

/* The next request; false when that was the last. */
static bool serve(int delay)
{
	static char data[MOST] __attribute__((aligned(BLOCK)));
	struct nbd_request request;
	uint32_t bytes;
	off_t offset;

	if (!receive(&request, sizeof(request)))
		return false;
	offset = (off_t)be64toh(request.from);
	bytes = be32toh(request.len);
	switch (be32toh(request.type) & 0xffff) {
	case NBD_CMD_READ:
		if (bytes > MOST || pread(device, data, bytes, offset) != (ssize_t)bytes)
			die("read");
		answer(&request, true);
		send_all(data, bytes);
		return true;
	case NBD_CMD_WRITE:
		if (bytes > MOST || !receive(data, bytes))
			return false;
		answer(&request, pwrite(device, data, bytes, offset) == (ssize_t)bytes);
		return true;
	case NBD_CMD_FLUSH:
		answer(&request, !fdatasync(device));
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
	struct sigaction action = { .sa_handler = end };
	struct pollfd ready = { .events = POLLIN };
	int left;

	if (argc != 5) {
		fprintf(stderr, "Usage: slow_discards NBD DEVICE MILLISECONDS HOLD\n");
		return 2;
	}
	nbd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (nbd < 0)
		die(argv[1]);
	device = open(argv[2], O_RDWR | O_DIRECT | O_CLOEXEC);
	if (device < 0)
		die(argv[2]);
	hold = argv[4];
	sigaction(SIGTERM, &action, NULL);
	start_disk();
	ready.fd = server;
	do {
		if (told_to_end) {
			told_to_end = 0;
			ioctl(nbd, NBD_DISCONNECT);
		}
		left = discard_what_is_due();
		ready.revents = 0;
		if (poll(&ready, 1, left < 0 ? 1000 : left) < 0 && errno != EINTR)
			die("poll");
	} while (!ready.revents || serve(atoi(argv[3])));
	close(server);
	close(nbd);
	while (wait(NULL) > 0)
		;
	return 0;
}
