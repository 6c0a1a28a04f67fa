// SPDX-License-Identifier: GPL-2.0-or-later
/* pattern write|check DEVICE SEED [OFFSET_KIB KIB]: contents that tell their own place. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK	4096
#define BATCH	256		/* blocks a write */
#define WORDS	(BLOCK / 8)

/* Half noise, half a count: compresses to about a half, as much real data does. */
static void make_block(uint64_t *words, uint64_t seed, uint64_t block)
{
	uint64_t x = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (block + 1) * 0xbf58476d1ce4e5b9ull;
	size_t i;

	words[0] = seed;
	words[1] = block;
	for (i = 2; i < WORDS; i++) {
		if (i % 2) {
			words[i] = i;
			continue;
		}
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		words[i] = x;
	}
}

static int die(const char *what)
{
	fprintf(stderr, "pattern: %s: %s\n", what, strerror(errno));
	return 1;
}

static int usage(void)
{
	fprintf(stderr, "Usage: pattern write|check DEVICE SEED [OFFSET_KIB KIB]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static uint64_t want[BATCH * WORDS] __attribute__((aligned(BLOCK)));
	static uint64_t have[BATCH * WORDS] __attribute__((aligned(BLOCK)));
	uint64_t seed, block, end, i, n;
	int fd, write_it;
	off_t size;

	if (argc != 4 && argc != 6)
		return usage();
	write_it = !strcmp(argv[1], "write");
	if (!write_it && strcmp(argv[1], "check"))
		return usage();
	fd = open(argv[2], write_it ? O_RDWR : O_RDONLY);
	if (fd < 0)
		return die(argv[2]);
	size = lseek(fd, 0, SEEK_END);
	if (size < 0)
		return die(argv[2]);
	seed = strtoull(argv[3], NULL, 10);
	block = argc == 6 ? strtoull(argv[4], NULL, 10) / 4 : 0;
	end = argc == 6 ? block + strtoull(argv[5], NULL, 10) / 4 : (uint64_t)size / BLOCK;

	for (; block < end; block += n) {
		n = end - block < BATCH ? end - block : BATCH;
		for (i = 0; i < n; i++)
			make_block(want + i * WORDS, seed, block + i);
		if (write_it) {
			if (pwrite(fd, want, n * BLOCK, block * BLOCK) != (ssize_t)(n * BLOCK))
				return die(argv[2]);
			continue;
		}
		if (pread(fd, have, n * BLOCK, block * BLOCK) != (ssize_t)(n * BLOCK))
			return die(argv[2]);
		for (i = 0; i < n; i++)
			if (memcmp(want + i * WORDS, have + i * WORDS, BLOCK)) {
				fprintf(stderr, "pattern: %s: at %" PRIu64 " KiB: seed %" PRIu64
					" block %" PRIu64 ", not seed %" PRIu64 " block %" PRIu64
					"\n", argv[2], (block + i) * 4, have[i * WORDS],
					have[i * WORDS + 1], seed, block + i);
				return 1;
			}
	}
	if (write_it && fsync(fd))
		return die(argv[2]);
	return 0;
}
