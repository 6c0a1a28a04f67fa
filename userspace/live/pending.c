// SPDX-License-Identifier: GPL-2.0-or-later
/* A pending send: a live pool's moment that outlives its sender. */
#include "live/pending.h"

#include <stdio.h>

#include "base/say.h"
#include "live/peek.h"
#include "stream/frame.h"

static int refuse_same_stream(void *context, const struct te_run *run)
{
	const char *stream = context;

	if (strcmp(run->stream, stream))
		return 0;
	te_error("--stream-id %s: a send of %s is pending under this id; go on with that (--resume), drop it (`thinexport cleanup --pending %s`), or take another id",
		 stream, run->pool_name, stream);
	return -EEXIST;
}

int te_pending_begin(struct te_run *run, const __u8 stream_id[16], const char *catalog, u64 most)
{
	char stream[sizeof(run->stream)];
	int err;

	te_frame_id_text(stream_id, stream);
	err = te_run_each(refuse_same_stream, stream);
	/* First, so that no record speaks of a catalog that is not there. */
	if (!err)
		err = te_run_save_catalog(run, catalog);
	if (err)
		return err;
	memcpy(run->stream, stream, sizeof(run->stream));
	run->most_bytes = most;
	run->phase = TE_RUN_PENDING;
	err = te_run_save(run);
	if (!err)
		return 0;
	run->stream[0] = '\0';
	run->phase = TE_RUN_OPEN;
	return err;
}

int te_pending_end(struct te_run *run)
{
	run->stream[0] = '\0';
	run->phase = TE_RUN_OPEN;
	return te_run_save(run);
}

struct search {
	const struct te_pool *pool;
	struct te_run *run;		/* found when it has an id */
	char stream[33];
	char elsewhere[TE_DM_NAME_BYTES];
};

static int look(void *context, const struct te_run *run)
{
	struct search *search = context;
	int err;

	if (strcmp(run->stream, search->stream))
		return 0;
	if (!te_run_is_of(run, search->pool)) {
		memcpy(search->elsewhere, run->pool_name, sizeof(search->elsewhere));
		return 0;
	}
	err = te_run_reload(run, search->run);
	return err == -ENOENT ? 0 : err;
}

int te_pending_find(const __u8 stream_id[16], const struct te_pool *pool, struct te_run *run)
{
	struct search search = { .pool = pool, .run = run };
	int err;

	memset(run, 0, sizeof(*run));
	te_frame_id_text(stream_id, search.stream);
	err = te_run_each(look, &search);
	if (err || run->id[0])
		return err;
	if (search.elsewhere[0])
		te_error("%s: the interrupted stream %s is of the pool %s", pool->dm.name,
			 search.stream, search.elsewhere);
	else
		te_error("%s: no send of stream %s is pending: it was dropped, or ended, or was none of a live pool with --resumable; send anew (`thinexport cleanup -n` lists what is pending; a FILE.part of it is of no use any more)",
			 pool->dm.name, search.stream);
	return -ENOENT;
}

static const struct te_catalog_volume *find(const struct te_catalog *catalog, u32 dev_id)
{
	size_t i;

	for (i = 0; i < catalog->nr_volumes; i++)
		if (catalog->volumes[i].dev_id == dev_id)
			return &catalog->volumes[i];
	return NULL;
}

static bool has_all(const struct te_catalog *catalog, const struct te_run *run)
{
	size_t i;

	for (i = 0; i < run->nr_volumes; i++)
		if (!find(catalog, run->volumes[i].dev_id))
			return false;
	return catalog->nr_volumes == run->nr_volumes;
}

static void take_lvm(struct te_pending *pending)
{
	const struct te_catalog_lvm_pool *from = pending->catalog->lvm;
	struct te_lvm_group *group = &pending->lvm.group;

	if (!from)
		return;
	snprintf(group->name, sizeof(group->name), "%s", from->group ? from->group : "");
	snprintf(group->uuid, sizeof(group->uuid), "%s",
		 from->group_uuid ? from->group_uuid : "");
	pending->lvm.pool = &from->lv;
}

int te_pending_load(struct te_pending *pending, const struct te_run *run)
{
	char *text = te_run_load_catalog(run);
	char why[160] = "it has other volumes";

	if (!text)
		return -EIO;
	pending->catalog = te_catalog_parse(text, strlen(text), why, sizeof(why));
	free(text);
	if (pending->catalog && has_all(pending->catalog, run)) {
		take_lvm(pending);
		return 0;
	}
	te_error("the catalog beside the record of stream %s cannot be used: %s; `thinexport cleanup --pending %s` drops that send",
		 run->stream, why, run->stream);
	return -EBADMSG;
}

void te_pending_exit(struct te_pending *pending)
{
	te_catalog_destroy(pending->catalog);
	memset(pending, 0, sizeof(*pending));
}

int te_pending_check(const struct te_pending *pending, const struct te_run *run,
		     const struct te_pool *pool)
{
	struct te_peek now;
	int err = te_peek_pool(pool, false, &now);
	size_t i;

	if (err)
		return err;
	for (i = 0; i < run->nr_volumes && !err; i++) {
		const struct te_run_volume *volume = &run->volumes[i];
		const struct te_details *snap = te_peek_find(&now, volume->snap_id);

		if (snap && snap->creation_time == te_run_creation_time(run, i) &&
		    snap->transaction_id == pending->catalog->transaction_id &&
		    snap->root == volume->moment.root &&
		    snap->mapped_blocks == volume->moment.mapped_blocks)
			continue;
		te_error("%s: the snapshot %u of volume %u, which the pending send of stream %s needs, is %s; send anew (`thinexport cleanup --pending %s` drops the rest of it)",
			 pool->dm.name, volume->snap_id, volume->dev_id, run->stream,
			 snap ? "not what it was" : "gone", run->stream);
		err = -ESTALE;
	}
	te_peek_free(&now);
	return err;
}

/* What the catalog knows, and the metadata does not. */
static int describe(struct te_source *source, const struct te_pending *pending)
{
	size_t i;

	source->pool_name = pending->catalog->pool_name;
	source->lvm = pending->lvm.pool ? &pending->lvm : NULL;
	for (i = 0; i < source->nr_volumes; i++) {
		struct te_volume *volume = &source->volumes[i];
		const struct te_catalog_volume *from;

		from = find(pending->catalog, volume->details.dev_id);
		volume->lvm = from->lvm;
		volume->size_from = from->size_from;
		/* One that nobody knew comes from the mappings again. */
		if (from->size_from != TE_SIZE_FROM_MAPPINGS)
			volume->virtual_sectors = from->sectors;
		volume->name = from->name ? strdup(from->name) : NULL;
		if (from->name && !volume->name) {
			te_error("not enough memory");
			return -ENOMEM;
		}
	}
	return 0;
}

struct te_source *te_pending_open(struct te_pending *pending, const struct te_run *run,
				  const struct te_pool *pool)
{
	struct te_details *volumes = calloc(run->nr_volumes, sizeof(*volumes));
	const struct te_source_given given = {
		.block_sectors = pool->block_sectors,
		.nr_data_blocks = pending->catalog->nr_data_blocks,
		.transaction_id = pending->catalog->transaction_id,
		.volumes = volumes,
		.nr_volumes = run->nr_volumes,
	};
	struct te_source *source;
	size_t i;

	if (!volumes) {
		te_error("not enough memory");
		return NULL;
	}
	for (i = 0; i < run->nr_volumes; i++)
		volumes[i] = run->volumes[i].moment;
	source = te_source_open_given(pool->metadata, pool->data, &given);
	free(volumes);
	if (source && describe(source, pending)) {
		te_source_close(source);
		source = NULL;
	}
	return source;
}
