// SPDX-License-Identifier: GPL-2.0-or-later
/* Disks whose server is this program. */
#include "nbd_server.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int ours[NBD_MOST_DISKS];	/* ends of all disks */
static unsigned int nr_ours;
static volatile sig_atomic_t told_to_end;

void die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	exit(1);
}

static void end(int signal)
{
	(void)signal;
	told_to_end = 1;
}

bool nbd_told_to_end(void)
{
	bool told = told_to_end;

	told_to_end = 0;
	return told;
}

/* The kernel's side of a disk: a process that stays in the ioctl while the disk is there. */
static void run_device(const struct nbd_disk *disk, int socket, uint64_t bytes,
		       unsigned int block_bytes, unsigned long flags)
{
	if (ioctl(disk->device, NBD_SET_BLKSIZE, (unsigned long)block_bytes) ||
	    ioctl(disk->device, NBD_SET_SIZE_BLOCKS, (unsigned long)(bytes / block_bytes)) ||
	    ioctl(disk->device, NBD_SET_SOCK, socket) ||
	    ioctl(disk->device, NBD_SET_FLAGS, NBD_FLAG_HAS_FLAGS | flags) ||
	    ioctl(disk->device, NBD_DO_IT))
		die(disk->path);
	ioctl(disk->device, NBD_CLEAR_SOCK);
}

void nbd_start(struct nbd_disk *disk, const char *path, uint64_t bytes, unsigned int block_bytes,
	       unsigned long flags)
{
	struct sigaction action = { .sa_handler = end };
	int sockets[2];

	sigaction(SIGTERM, &action, NULL);
	disk->path = path;
	disk->device = open(path, O_RDWR | O_CLOEXEC);
	if (disk->device < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets))
		die(path);
	if (nr_ours == NBD_MOST_DISKS) {
		errno = E2BIG;
		die(path);
	}
	disk->socket = ours[nr_ours++] = sockets[0];
	switch (fork()) {
	case -1:
		die("fork");
	case 0:
		/* Should the server die, the other ends must be closed with it. */
		while (nr_ours)
			close(ours[--nr_ours]);
		run_device(disk, sockets[1], bytes, block_bytes, flags);
		exit(0);
	}
	close(sockets[1]);
}

void nbd_wait(void)
{
	while (wait(NULL) > 0)
		;
}

bool nbd_receive(const struct nbd_disk *disk, void *buffer, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = recv(disk->socket, (char *)buffer + done, bytes - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

void nbd_send(const struct nbd_disk *disk, const void *buffer, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = send(disk->socket, (const char *)buffer + done, bytes - done,
				 MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			die("send");
		done += n > 0 ? (size_t)n : 0;
	}
}

void nbd_answer(const struct nbd_disk *disk, const struct nbd_request *request, bool good)
{
	struct nbd_reply reply = {
		.magic = htobe32(NBD_REPLY_MAGIC), .error = htobe32(good ? 0 : EIO),
	};

	memcpy(reply.handle, request->handle, sizeof(reply.handle));
	nbd_send(disk, &reply, sizeof(reply));
}
