// SPDX-License-Identifier: GPL-2.0-or-later
/* A receive's place, kept in its target. */
#include "receive/checkpoint.h"

#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include <thinexport/thin_disk.h>
#include "stream/frame.h"
#include "base/say.h"
#include "base/write_at.h"

#define BLOCK		THIN_METADATA_BLOCK_BYTES
#define MAGIC		0x54504b4345544d44ULL	/* "DMTECKPT" */
#define VERSION		1u

/* More than any catalog and any state need. */
#define MOST_BYTES	(64u << 20)

/* Block 0.  `not_a_pool` is where a superblock has its magic. */
struct head {
	__le64 magic;			/*   0 */
	__le32 version;			/*   8 */
	__le32 csum;			/*  12 crc32c of the struct, this field 0 */
	__le64 first;			/*  16 */
	__le64 nonce;			/*  24 */
	__le64 not_a_pool;		/*  32 zero */
	__le64 beginning_blocks;	/*  40 */
	__le64 slot_blocks;		/*  48 */
	__le64 nr_blocks;		/*  56 of the device */
};					/*  64 */

/* Before the beginning and before each slot's contents. */
struct record_head {
	__le64 digest;			/*   0 crc-64 of the rest, and the contents */
	__le64 nonce;			/*   8 */
	__le64 counter;			/*  16 0: the beginning */
	__le64 bytes;			/*  24 */
};					/*  32 */

static u64 blocks_of(size_t bytes)
{
	return DIV_ROUND_UP(bytes + sizeof(struct record_head), BLOCK);
}

void te_checkpoint_plan(struct te_checkpoint *checkpoint, int fd, const char *name, u64 nr_blocks,
			u64 least, size_t beginning_bytes, size_t slot_bytes)
{
	u64 blocks;

	*checkpoint = (struct te_checkpoint) {
		.fd = fd,
		.name = name,
		.beginning_blocks = blocks_of(beginning_bytes),
		.slot_blocks = blocks_of(slot_bytes),
	};
	blocks = checkpoint->beginning_blocks + 2 * checkpoint->slot_blocks;
	if (beginning_bytes > MOST_BYTES || slot_bytes > MOST_BYTES || blocks >= nr_blocks ||
	    nr_blocks - blocks <= least)
		return;
	checkpoint->first = nr_blocks - blocks;
}

static u64 slot_block(const struct te_checkpoint *checkpoint, u64 counter)
{
	return checkpoint->first + checkpoint->beginning_blocks +
	       counter % 2 * checkpoint->slot_blocks;
}

static int write_blocks(const struct te_checkpoint *checkpoint, const u8 *from, size_t bytes,
			u64 block)
{
	return te_write_named(checkpoint->fd, checkpoint->name, from, bytes, block * BLOCK);
}

static u64 digest_of(const struct record_head *head, const void *contents, size_t bytes)
{
	u64 digest = te_frame_digest_bytes(0, &head->nonce, sizeof(*head) - sizeof(head->digest));

	return te_frame_digest_bytes(digest, contents, bytes);
}

static int write_record(const struct te_checkpoint *checkpoint, const struct te_pack *pack,
			u64 counter, u64 block)
{
	struct record_head head = {
		.nonce = cpu_to_le64(checkpoint->nonce),
		.counter = cpu_to_le64(counter),
		.bytes = cpu_to_le64(pack->used),
	};
	size_t bytes = blocks_of(pack->used) * BLOCK;
	u8 *blocks = te_alloc(bytes);
	int err;

	if (!blocks) {
		te_error("no memory to keep the place");
		return -ENOMEM;
	}
	head.digest = cpu_to_le64(digest_of(&head, pack->bytes, pack->used));
	memcpy(blocks, &head, sizeof(head));
	memcpy(blocks + sizeof(head), pack->bytes, pack->used);
	err = write_blocks(checkpoint, blocks, bytes, block);
	te_free(blocks);
	return err;
}

static u32 head_csum(const struct head *head)
{
	struct head copy = *head;

	copy.csum = cpu_to_le32(0);
	return te_frame_csum(&copy, sizeof(copy));
}

static u64 nr_blocks_of(const struct te_checkpoint *checkpoint)
{
	return checkpoint->first + checkpoint->beginning_blocks + 2 * checkpoint->slot_blocks;
}

static int write_head(const struct te_checkpoint *checkpoint)
{
	u8 block[BLOCK] = { 0 };
	struct head head = {
		.magic = cpu_to_le64(MAGIC),
		.version = cpu_to_le32(VERSION),
		.first = cpu_to_le64(checkpoint->first),
		.nonce = cpu_to_le64(checkpoint->nonce),
		.beginning_blocks = cpu_to_le64(checkpoint->beginning_blocks),
		.slot_blocks = cpu_to_le64(checkpoint->slot_blocks),
		.nr_blocks = cpu_to_le64(nr_blocks_of(checkpoint)),
	};
	int err;

	head.csum = cpu_to_le32(head_csum(&head));
	memcpy(block, &head, sizeof(head));
	err = write_blocks(checkpoint, block, sizeof(block), THIN_SUPERBLOCK_LOCATION);
	return err ? err : te_flush_named(checkpoint->fd, checkpoint->name);
}

int te_checkpoint_write(struct te_checkpoint *checkpoint, const struct te_pack *beginning,
			const struct te_pack *slot)
{
	u64 counter = checkpoint->counter + 1;
	int err = 0;

	if (beginning->failed || slot->failed) {
		te_error("%s: the place does not fit what was kept free for it", checkpoint->name);
		return -EOVERFLOW;
	}
	if (!checkpoint->counter) {
		if (getrandom(&checkpoint->nonce, sizeof(checkpoint->nonce), 0) !=
		    sizeof(checkpoint->nonce)) {
			te_error("cannot get random bytes: %s", strerror(errno));
			return -EIO;
		}
		err = write_record(checkpoint, beginning, 0, checkpoint->first);
	}
	if (!err)
		err = write_record(checkpoint, slot, counter, slot_block(checkpoint, counter));
	if (!err)
		err = te_flush_named(checkpoint->fd, checkpoint->name);
	if (!err && !checkpoint->counter)
		err = write_head(checkpoint);
	if (!err)
		checkpoint->counter = counter;
	return err;
}

static bool is_head(const struct head *head)
{
	return le64_to_cpu(head->magic) == MAGIC && le32_to_cpu(head->csum) == head_csum(head);
}

bool te_checkpoint_is_there(int fd)
{
	struct head head;

	return pread(fd, &head, sizeof(head), 0) == (ssize_t)sizeof(head) && is_head(&head);
}

static int read_head(struct te_checkpoint *checkpoint, u64 nr_blocks)
{
	struct head head;

	if (pread(checkpoint->fd, &head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    !is_head(&head)) {
		te_error("%s holds no interrupted receive", checkpoint->name);
		return -ENOENT;
	}
	if (le32_to_cpu(head.version) != VERSION) {
		te_error("%s: its receive was interrupted by another version of thinexport (%u, this is %u): go on with that",
			 checkpoint->name, le32_to_cpu(head.version), VERSION);
		return -EOPNOTSUPP;
	}
	checkpoint->first = le64_to_cpu(head.first);
	checkpoint->nonce = le64_to_cpu(head.nonce);
	checkpoint->beginning_blocks = le64_to_cpu(head.beginning_blocks);
	checkpoint->slot_blocks = le64_to_cpu(head.slot_blocks);
	if (le64_to_cpu(head.nr_blocks) == nr_blocks && checkpoint->first &&
	    checkpoint->first < nr_blocks &&
	    checkpoint->beginning_blocks && checkpoint->slot_blocks &&
	    checkpoint->beginning_blocks <= blocks_of(MOST_BYTES) &&
	    checkpoint->slot_blocks <= blocks_of(MOST_BYTES) &&
	    nr_blocks_of(checkpoint) == nr_blocks)
		return 0;
	te_error("%s: it is of another size than when its receive was interrupted, or damaged: receive anew, with --force",
		 checkpoint->name);
	return -EBADMSG;
}

/* Quiet when the record is not a good one: -EBADMSG. */
static int read_record(const struct te_checkpoint *checkpoint, u64 block, u64 nr_blocks,
		       struct te_pack *pack, u64 *counter)
{
	size_t bytes = nr_blocks * BLOCK, most = bytes - sizeof(struct record_head);
	struct record_head head;
	u8 *blocks = te_alloc(bytes);

	if (!blocks) {
		te_error("no memory to read the place that is kept on %s", checkpoint->name);
		return -ENOMEM;
	}
	if (pread(checkpoint->fd, blocks, bytes, (off_t)(block * BLOCK)) != (ssize_t)bytes)
		goto bad;
	memcpy(&head, blocks, sizeof(head));
	if (le64_to_cpu(head.nonce) != checkpoint->nonce || le64_to_cpu(head.bytes) > most ||
	    le64_to_cpu(head.digest) !=
		    digest_of(&head, blocks + sizeof(head), le64_to_cpu(head.bytes)))
		goto bad;
	memmove(blocks, blocks + sizeof(head), le64_to_cpu(head.bytes));
	*pack = (struct te_pack) { .bytes = blocks, .room = le64_to_cpu(head.bytes) };
	*counter = le64_to_cpu(head.counter);
	return 0;

bad:
	te_free(blocks);
	return -EBADMSG;
}

/* The newer of the slots that are good. */
static int read_newest(struct te_checkpoint *checkpoint, struct te_pack *slot)
{
	u64 turn, counter;
	int err;

	for (turn = 0; turn < 2; turn++) {
		struct te_pack pack;

		err = read_record(checkpoint, slot_block(checkpoint, turn), checkpoint->slot_blocks,
				  &pack, &counter);
		if (err == -ENOMEM)
			return err;
		if (err || counter % 2 != turn || counter <= checkpoint->counter) {
			if (!err)
				te_free(pack.bytes);
			continue;
		}
		te_free(slot->bytes);
		*slot = pack;
		checkpoint->counter = counter;
	}
	return checkpoint->counter ? 0 : -EBADMSG;
}

int te_checkpoint_read(struct te_checkpoint *checkpoint, int fd, const char *name, u64 nr_blocks,
		       struct te_pack *beginning, struct te_pack *slot)
{
	u64 counter;
	int err;

	*checkpoint = (struct te_checkpoint) { .fd = fd, .name = name };
	*beginning = *slot = (struct te_pack) { .bytes = NULL };
	err = read_head(checkpoint, nr_blocks);
	if (err)
		return err;
	err = read_record(checkpoint, checkpoint->first, checkpoint->beginning_blocks, beginning,
			  &counter);
	if (!err)
		err = read_newest(checkpoint, slot);
	if (err == -EBADMSG)
		te_error("%s: the place that its interrupted receive has kept is damaged: receive anew, with --force",
			 name);
	return err;
}

void te_checkpoint_wipe(const struct te_checkpoint *checkpoint)
{
	static const u8 zeros[BLOCK];
	u64 block;

	for (block = checkpoint->first; checkpoint->first && block < nr_blocks_of(checkpoint); block++)
		if (pwrite(checkpoint->fd, zeros, sizeof(zeros), (off_t)(block * BLOCK)) < 0)
			break;
}
