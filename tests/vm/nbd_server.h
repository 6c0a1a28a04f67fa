/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks whose server is this program: network block devices of the kernel, each at the
 * other end of a socket.  Nothing here fails: it says why, and ends the program.
 */
#ifndef NBD_SERVER_H
#define NBD_SERVER_H

#include <linux/nbd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NBD_MOST_BYTES	(32u << 20)	/* of one read or write */
#define NBD_MOST_DISKS	8u

struct nbd_disk {
	const char *path;		/* /dev/nbd0 ... */
	int device;			/* that, to disconnect it */
	int socket;			/* our end */
};

void __attribute__((noreturn)) die(const char *what);

/* `flags`: NBD_FLAG_SEND_*, what it takes besides reads and writes. */
void nbd_start(struct nbd_disk *disk, const char *path, uint64_t bytes, unsigned int block_bytes,
	       unsigned long flags);
/* From SIGTERM on, until it is asked. */
bool nbd_told_to_end(void);
/* Until the kernel has let go of all disks, whose sockets are closed. */
void nbd_wait(void);

/* The next request, or what follows one; false when there is none any more. */
bool nbd_receive(const struct nbd_disk *disk, void *buffer, size_t bytes);
/* The data of a read goes behind its answer. */
void nbd_answer(const struct nbd_disk *disk, const struct nbd_request *request, bool good);
void nbd_send(const struct nbd_disk *disk, const void *buffer, size_t bytes);

#endif
