// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * random_reads DEVICE IMAGE COUNT SEED: reads COUNT random ranges of the device,
 * past the page cache and through it, and compares each with the same bytes of
 * the image.  What is behind the image must read as zeros.
 *
 * Half of the direct reads ask not to wait (RWF_NOWAIT), which may be refused but not
 * answered wrongly; how many were not refused is printed.
 *
 * Direct reads start at and are as long as any multiple of 512 bytes, into memory
 * at any multiple of 512; buffered ones, of any byte.  Half of all are short, and
 * half start near a multiple of 4 KiB, where the parts of a view meet.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SECTOR		512u
#define MOST		(3u << 20)	/* longer than one bio can be */

static uint64_t state;

static uint64_t random_below(uint64_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return bound ? state % bound : 0;
}

static void die(const char *what)
{
	fprintf(stderr, "random_reads: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

	if (fd < 0)
		die(path);
	return fd;
}

/* The front of a range, without waiting for it; how many bytes. */
static uint64_t read_at_once(int fd, char *to, uint64_t bytes, uint64_t offset)
{
	struct iovec part = { .iov_base = to, .iov_len = bytes };
	ssize_t n = preadv2(fd, &part, 1, (off_t)offset, RWF_NOWAIT);

	return n > 0 ? (uint64_t)n : 0;
}

/* All of [offset, + bytes), zeros behind the end when `pad`. */
static void read_range(int fd, char *to, uint64_t bytes, uint64_t offset, int pad)
{
	while (bytes) {
		ssize_t n = pread(fd, to, bytes, (off_t)offset);

		if (n < 0 || (!n && !pad))
			die(n ? "read" : "read ended early");
		if (!n) {
			memset(to, 0, bytes);
			return;
		}
		to += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
}

int main(int argc, char **argv)
{
	char *have = aligned_alloc(4096, MOST + 4096), *want = malloc(MOST);
	uint64_t size, count, i, not_refused = 0;
	int fds[2], image;

	if (argc != 5) {
		fprintf(stderr, "Usage: random_reads DEVICE IMAGE COUNT SEED\n");
		return 2;
	}
	if (!have || !want)
		die("memory");
	fds[0] = open_file(argv[1], O_DIRECT);
	fds[1] = open_file(argv[1], 0);
	image = open_file(argv[2], 0);
	size = (uint64_t)lseek(fds[0], 0, SEEK_END);
	count = strtoull(argv[3], NULL, 10);
	state = strtoull(argv[4], NULL, 10) * 0x9e3779b97f4a7c15ull + 1;

	for (i = 0; i < count; i++) {
		int buffered = random_below(4) == 0;
		uint64_t unit = buffered ? 1 : SECTOR;
		uint64_t offset = random_below(size / unit) * unit;
		uint64_t bytes = (1 + random_below((random_below(2) ? MOST : 16384) / unit)) * unit;
		char *to = have + random_below(8) * SECTOR;
		uint64_t at_once = 0;

		if (random_below(2)) {
			offset &= ~4095ull;
			if (offset >= 2 * SECTOR)
				offset -= random_below(3) * unit;
		}
		if (bytes > size - offset)
			bytes = size - offset;
		if (!buffered && random_below(2))
			at_once = read_at_once(fds[0], to, bytes, offset);
		not_refused += at_once > 0;
		read_range(fds[buffered], to + at_once, bytes - at_once, offset + at_once, 0);
		read_range(image, want, bytes, offset, 1);
		if (memcmp(to, want, bytes)) {
			uint64_t at = 0;

			while (to[at] == want[at])
				at++;
			fprintf(stderr, "random_reads: %s read of %llu bytes at %llu differs"
				" from %s at %llu\n", buffered ? "buffered" : "direct",
				(unsigned long long)bytes, (unsigned long long)offset, argv[2],
				(unsigned long long)(offset + at));
			return 1;
		}
	}
	printf("%llu reads were served without waiting\n", (unsigned long long)not_refused);
	return 0;
}
