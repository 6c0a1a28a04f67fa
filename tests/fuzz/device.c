// SPDX-License-Identifier: GPL-2.0-or-later
/* A device in memory, with a guard behind it. */
#include "device.h"

#include <sys/mman.h>
#include <unistd.h>

#include "target.h"

#define GUARD_BYTES	65536u
#define GUARD		0xa5

void device_prepare(struct device *device, const char *name, u64 bytes)
{
	if (!device->memory) {
		device->fd = memfd_create(name, MFD_CLOEXEC);
		keeps(device->fd >= 0);
	} else {
		munmap(device->memory, device->bytes + GUARD_BYTES);
	}
	keeps(!ftruncate(device->fd, 0) && !ftruncate(device->fd, (off_t)(bytes + GUARD_BYTES)));
	device->bytes = bytes;
	device->memory = mmap(NULL, bytes + GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			      device->fd, 0);
	keeps(device->memory != MAP_FAILED);
	memset(device->memory + bytes, GUARD, GUARD_BYTES);
}

void device_check(const struct device *device)
{
	size_t i;

	keeps(lseek(device->fd, 0, SEEK_END) == (off_t)(device->bytes + GUARD_BYTES));
	for (i = 0; i < GUARD_BYTES; i++)
		keeps(device->memory[device->bytes + i] == GUARD);
}

int device_stream(const u8 *stream, size_t bytes)
{
	static int fd = -1;

	if (fd < 0)
		fd = memfd_create("stream", MFD_CLOEXEC);
	keeps(!ftruncate(fd, 0) && pwrite(fd, stream, bytes, 0) == (ssize_t)bytes &&
	      !lseek(fd, 0, SEEK_SET));
	return fd;
}
