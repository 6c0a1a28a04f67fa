// SPDX-License-Identifier: GPL-2.0-or-later
/* What `receive --status` tells of a target whose receive was interrupted. */
#include "receive/receive_status.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <unistd.h>

#include <thinexport/thin_disk.h>
#include "stream/frame.h"
#include "cmd/cmd.h"
#include "base/listing.h"
#include "receive/receive_state.h"
#include "stream/resume.h"
#include "base/say.h"

#define SECTOR_BYTES	512ULL

/* Everything that a receive would refuse is refused here too. */
static int check(const struct te_receive_kept *kept, const char *name)
{
	struct te_stream_check check;
	int err;

	if (te_stream_check_init(&check)) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	err = te_stream_check_continue(&check, &kept->before);
	if (err)
		te_error("%s: the place that its interrupted receive has kept %s: receive anew, with --force",
			 name, check.why);
	te_stream_check_exit(&check);
	return err;
}

static void tell(const struct te_receive_kept *kept, const char *name, bool json)
{
	const struct te_begin *begin = &kept->before.begin;
	const struct te_resume *place = &kept->before.resume;
	u64 received = kept->state.received_sectors * SECTOR_BYTES;
	u64 total = le64_to_cpu(begin->provisioned_sectors) * SECTOR_BYTES;
	struct json_object *object;
	char token[TE_TOKEN_BYTES], id[33];

	te_resume_to_token(place, token);
	te_frame_id_text(begin->stream_id, id);
	if (!json) {
		te_note("%s: an interrupted receive of stream %s, %s of %s, %u of %u volumes", name,
			id, te_bytes(received), te_bytes(total), le32_to_cpu(place->index),
			le32_to_cpu(begin->nr_volumes));
		te_note("go on with: thinexport send --resume TOKEN SOURCE, into the same receive; the token:");
		puts(token);
		return;
	}
	object = json_object_new_object();
	te_listing_text(object, "stream_id", id);
	te_listing_number(object, "received_bytes", received);
	te_listing_number(object, "total_bytes", total);
	te_listing_number(object, "volumes_done", le32_to_cpu(place->index));
	te_listing_number(object, "volumes", le32_to_cpu(begin->nr_volumes));
	te_listing_text(object, "token", token);
	te_listing_json(object);
}

int te_receive_status(const char *metadata, bool json)
{
	int fd = open(metadata, O_RDONLY | O_CLOEXEC), err;
	struct te_receive_kept kept = { .uses = NULL };
	off_t bytes;

	if (fd < 0) {
		te_error("cannot open %s: %s", metadata, strerror(errno));
		return -EIO;
	}
	bytes = lseek(fd, 0, SEEK_END);
	err = te_receive_load(&kept, fd, metadata,
			      bytes < 0 ? 0 : (u64)bytes / THIN_METADATA_BLOCK_BYTES);
	if (!err)
		err = check(&kept, metadata);
	if (!err)
		tell(&kept, metadata, json);
	te_receive_kept_exit(&kept);
	close(fd);
	if (!err && te_listing_end() != TE_EXIT_DONE)
		err = -EIO;
	return err;
}
