// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * disk_replay flushes LOG		the numbers of the flushes before which something
 *					was written since the last, and the number behind
 *					the last entry: a line each
 * disk_replay cut LOG ENTRY SEED DISK...
 *					what is on the DISKs, which hold what they held
 *					when the LOG began, after the power fails just
 *					before that entry
 *
 * A write that its disk was flushed after is there, whole.  Any other was in the
 * disk's cache: with seed 0 all of those are lost; with seed 1 all but each disk's
 * last, which overtook them; else each part of each by chance, parts of 4 KiB with
 * even seeds, sectors with odd ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk_log.h"

#define SECTOR	512u
#define PAGE	4096u

static const char *log_name;
static FILE *disk_log;
static int disks[DISK_LOG_MAX_DISKS];
static uint32_t nr_disks;

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "disk_replay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool toss(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 40 & 1;
}

/* False behind the last whole entry: the recorder may have been in the midst of one. */
static bool next_entry(struct disk_log_entry *entry)
{
	return fread(entry, sizeof(*entry), 1, disk_log) == 1;
}

static void skip_data(const struct disk_log_entry *entry)
{
	if (fseeko(disk_log, (off_t)entry->bytes, SEEK_CUR))
		die(log_name);
}

static void list_flushes(void)
{
	struct disk_log_entry entry;
	bool written = false;
	uint64_t number;

	for (number = 0; next_entry(&entry); number++) {
		if (entry.kind == DISK_LOG_FLUSH && written)
			printf("%" PRIu64 "\n", number);
		written = entry.kind != DISK_LOG_FLUSH;
		skip_data(&entry);
	}
	printf("%" PRIu64 "\n", number);
}

/* Of each disk: entries before `flushed` are covered by a flush; the last that is not. */
struct cache {
	uint64_t flushed;
	uint64_t last;
};

static void find_caches(uint64_t cut, struct cache *caches)
{
	struct disk_log_entry entry;
	uint64_t number;

	for (number = 0; number < cut && next_entry(&entry); number++) {
		if (entry.kind == DISK_LOG_FLUSH)
			caches[entry.disk].flushed = number;
		else
			caches[entry.disk].last = number;
		skip_data(&entry);
	}
	rewind(disk_log);
}

static void put(const struct disk_log_entry *entry, const char *data, size_t at, size_t bytes)
{
	if (pwrite(disks[entry->disk], data + at, bytes, (off_t)(entry->offset + at)) !=
	    (ssize_t)bytes)
		die("write");
}

static void replay_write(const struct disk_log_entry *entry, bool whole, uint64_t seed,
			 uint64_t *state)
{
	size_t part = seed % 2 ? SECTOR : PAGE, at;
	char *data = malloc(entry->bytes);

	if (!data || fread(data, 1, entry->bytes, disk_log) != entry->bytes)
		die(log_name);
	if (whole) {
		put(entry, data, 0, entry->bytes);
	} else if (seed > 1) {
		for (at = 0; at < entry->bytes; at += part)
			if (toss(state))
				put(entry, data, at, entry->bytes - at < part ?
						     entry->bytes - at : part);
	}
	free(data);
}

static void replay(uint64_t cut, uint64_t seed)
{
	struct cache caches[DISK_LOG_MAX_DISKS] = { 0 };
	struct disk_log_entry entry;
	const struct cache *cache;
	uint64_t number, state;

	state = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (cut + 1) * 0xbf58476d1ce4e5b9ull;
	find_caches(cut, caches);
	for (number = 0; number < cut && next_entry(&entry); number++) {
		if (entry.disk >= nr_disks) {
			errno = ENODEV;
			die(log_name);
		}
		if (entry.kind == DISK_LOG_FLUSH)
			continue;
		cache = &caches[entry.disk];
		replay_write(&entry, entry.kind == DISK_LOG_WRITE_FUA ||
				     number < cache->flushed ||
				     (seed == 1 && number == cache->last), seed, &state);
	}
}

int main(int argc, char **argv)
{
	int i;

	if (!(argc == 3 && !strcmp(argv[1], "flushes")) &&
	    !(argc > 5 && argc <= 5 + DISK_LOG_MAX_DISKS && !strcmp(argv[1], "cut"))) {
		fprintf(stderr, "Usage: disk_replay flushes LOG\n"
			"       disk_replay cut LOG ENTRY SEED DISK...\n");
		return 2;
	}
	log_name = argv[2];
	disk_log = fopen(log_name, "re");
	if (!disk_log)
		die(log_name);
	if (argc == 3) {
		list_flushes();
		return 0;
	}
	for (i = 5; i < argc; i++) {
		disks[nr_disks] = open(argv[i], O_WRONLY | O_CLOEXEC);
		if (disks[nr_disks++] < 0)
			die(argv[i]);
	}
	replay(strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
	for (i = 0; i < (int)nr_disks; i++)
		if (fsync(disks[i]))
			die(argv[5 + i]);
	return 0;
}
