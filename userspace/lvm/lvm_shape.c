// SPDX-License-Identifier: GPL-2.0-or-later
/* What a new pool of a volume group is to be. */
#include "lvm/lvm_shape.h"

#include <stdio.h>

#include <thinexport/thin_disk.h>
#include "base/say.h"
#include "build/build.h"
#include "live/dm.h"

#define SECTOR_BYTES		512u
#define LEAST_METADATA_BYTES	(2u << 20)	/* LVM's */
#define TEXT_OF_PARTS_BYTES	8192u		/* of the plain volumes, in some segments */
#define MOST_VOLUMES		16384u		/* more than a group's text has room for */
#define MOST_EXTENTS		UINT32_MAX
#define NO_VOLUME		SIZE_MAX

static int no_memory(void)
{
	te_error("not enough memory");
	return -ENOMEM;
}

/* Names that LVM keeps for parts of volumes. */
static bool is_reserved(const char *name)
{
	static const char *const parts[] = {
		"_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_imeta", "_iorig", "_mimage",
		"_mlog", "_pmspare", "_rimage", "_rmeta", "_tdata", "_tmeta", "_vdata",
		"_vorigin", "_wcorig",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++)
		if (strstr(name, parts[i]))
			return true;
	return !strncmp(name, "snapshot", 8) || !strncmp(name, "pvmove", 6);
}

/* Its device's name has the group's, and each dash twice. */
static bool is_too_long(const struct te_lvm_shape *shape, const char *name, const char *suffix)
{
	size_t bytes = strlen(shape->group->name) + strlen("-") + strlen(name) + strlen(suffix);
	const char *p;

	for (p = shape->group->name; *p; p++)
		bytes += *p == '-';
	for (p = name; *p; p++)
		bytes += *p == '-';
	return bytes >= TE_DM_NAME_BYTES;
}

static int check_name(const struct te_lvm_shape *shape, const char *name)
{
	if (!te_lvm_is_name(name, strlen(name)) || is_reserved(name) ||
	    is_too_long(shape, name, "")) {
		te_error("%s: '%s' cannot be the name of a volume of LVM; --rename gives it another",
			 shape->options->path, name);
		return -EINVAL;
	}
	if (te_lvm_group_find(shape->group, name) || !strcmp(name, shape->name)) {
		te_error("%s: there is a volume %s already; --rename gives this one another name",
			 shape->options->path, name);
		return -EEXIST;
	}
	return 0;
}

int te_lvm_shape_begin(struct te_lvm_shape *shape, const struct te_lvm_new_options *options,
		       const struct te_lvm_group *group)
{
	static const char *const words[] = { "data", "metadata", "spare" };
	size_t i;

	shape->options = options;
	shape->group = group;
	shape->name = strchr(options->path, '/') + 1;
	if (is_reserved(shape->name) ||
	    is_too_long(shape, shape->name, TE_LVM_NEW_MARK "metadata")) {
		te_error("%s: LVM takes no such name for a pool, or it is too long", options->path);
		return -EINVAL;
	}
	for (i = 0; i < TE_LVM_NR_PARTS; i++) {
		snprintf(shape->parts[i], sizeof(shape->parts[i]), "%s" TE_LVM_NEW_MARK "%s",
			 shape->name, words[i]);
		if (!te_lvm_group_find(group, shape->parts[i]))
			continue;
		te_error("%s: an interrupted receive has left %s/%s: `thinexport cleanup %s` removes it",
			 options->path, group->name, shape->parts[i], options->path);
		return -EEXIST;
	}
	if (!te_lvm_group_find(group, shape->name))
		return 0;
	te_error("%s is there already: a new pool needs a new name", options->path);
	return -EEXIST;
}

int te_lvm_shape_begin_into(struct te_lvm_shape *shape, const struct te_lvm_new_options *options,
			    const struct te_lvm_group *group)
{
	shape->options = options;
	shape->group = group;
	shape->name = strchr(options->path, '/') + 1;
	if (!is_too_long(shape, shape->name, TE_LVM_NEW_MARK "16777215"))
		return 0;
	te_error("%s: its name is too long for those of volumes that are received on the way",
		 options->path);
	return -EINVAL;
}

static u64 extents_of(const struct te_lvm_shape *shape, u64 sectors)
{
	return DIV_ROUND_UP(sectors, shape->group->extent_sectors);
}

static u64 larger(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* LVM's own measure, 64 bytes a chunk; but no less than the source had, or than is needed. */
static u64 metadata_bytes(const struct te_lvm_shape *shape, const struct te_begin *begin,
			  const struct te_catalog *catalog, const struct te_choice *choice)
{
	u64 chunks = shape->pool.sectors / catalog->block_sectors;
	u64 most = THIN_METADATA_MAX_BLOCKS * THIN_METADATA_BLOCK_BYTES, bytes;
	u64 blocks = DIV_ROUND_UP(le64_to_cpu(begin->provisioned_sectors),
				  catalog->block_sectors);

	if (shape->options->metadata_bytes)
		return shape->options->metadata_bytes;
	bytes = larger(64 * chunks, LEAST_METADATA_BYTES);
	bytes = larger(bytes, 2 * THIN_METADATA_BLOCK_BYTES *
		       te_build_estimate(chunks, THIN_METADATA_MAX_BLOCKS, choice->nr_wanted,
					 blocks));
	if (catalog->lvm)
		bytes = larger(bytes, catalog->lvm->lv.metadata_sectors * SECTOR_BYTES);
	return bytes < most ? bytes : most;
}

/* The spare that all pools of the group have together. */
static const struct te_lvm_lv *find_spare(const struct te_lvm_group *group)
{
	size_t i;

	for (i = 0; i < group->nr_lvs; i++)
		if (strstr(group->lvs[i].name, "_pmspare"))
			return &group->lvs[i];
	return NULL;
}

static int check_chunk(const struct te_lvm_shape *shape, const struct te_catalog *catalog)
{
	u64 chunk_bytes = (u64)catalog->block_sectors * SECTOR_BYTES;

	if (!shape->options->chunk_bytes || shape->options->chunk_bytes == chunk_bytes)
		return 0;
	te_error("%s: the stream's pool has chunks of %s; they cannot be made into others, so --chunk-size must be that or be left out",
		 shape->options->path, te_bytes(chunk_bytes));
	return -EINVAL;
}

static int measure(struct te_lvm_shape *shape, const struct te_begin *begin,
		   const struct te_catalog *catalog, const struct te_choice *choice)
{
	const struct te_lvm_new_options *options = shape->options;
	const struct te_lvm_lv *spare = find_spare(shape->group);
	int err = check_chunk(shape, catalog);

	if (err)
		return err;
	shape->pool.sectors = options->bytes ? DIV_ROUND_UP(options->bytes, SECTOR_BYTES) :
			      catalog->nr_data_blocks * catalog->block_sectors;
	shape->pool.metadata_sectors = DIV_ROUND_UP(metadata_bytes(shape, begin, catalog, choice),
						    SECTOR_BYTES);
	shape->extents[TE_LVM_DATA] = extents_of(shape, shape->pool.sectors);
	shape->extents[TE_LVM_METADATA] = extents_of(shape, shape->pool.metadata_sectors);
	if (!spare || extents_of(shape, spare->sectors) < shape->extents[TE_LVM_METADATA]) {
		shape->extents[TE_LVM_SPARE] = shape->extents[TE_LVM_METADATA];
		shape->old_spare = spare;
	}
	return 0;
}

struct te_lvm_text_pool te_lvm_shape_text(const struct te_lvm_shape *shape)
{
	return (struct te_lvm_text_pool) {
		.data = shape->parts[TE_LVM_DATA],
		.metadata = shape->parts[TE_LVM_METADATA],
		.spare = shape->extents[TE_LVM_SPARE] ? shape->parts[TE_LVM_SPARE] : NULL,
		.old_spare = shape->old_spare ? shape->old_spare->name : NULL,
		.lv = &shape->pool,
		.volumes = shape->volumes,
		.nr_volumes = shape->nr_volumes,
		.extent_sectors = shape->group->extent_sectors,
	};
}

/* LVM keeps each group's text in an area of fixed size. */
static int check_text(const struct te_lvm_shape *shape)
{
	const struct te_lvm_text_pool pool = te_lvm_shape_text(shape);
	u64 bytes = te_lvm_text_bytes(&pool), room = shape->group->free_text_sectors * SECTOR_BYTES;

	if (bytes && bytes + TEXT_OF_PARTS_BYTES <= room)
		return 0;
	te_error("%s: what LVM notes of its %zu volumes needs %s, and the volume group has %s left for it; one made by vgcreate --metadatasize has more",
		 shape->options->path, shape->nr_volumes, te_bytes(bytes + TEXT_OF_PARTS_BYTES),
		 te_bytes(room));
	return -ENOSPC;
}

int te_lvm_shape_check_room(const struct te_lvm_shape *shape)
{
	u64 extent_bytes = shape->group->extent_sectors * SECTOR_BYTES;
	u64 metadata = shape->extents[TE_LVM_METADATA] + shape->extents[TE_LVM_SPARE];
	u64 wanted = shape->extents[TE_LVM_DATA] + metadata, free_extents = shape->group->free_extents;

	if (wanted <= free_extents)
		return check_text(shape);
	te_error("%s: %s of data and %s of metadata (with its spare) need %s more than the %s that are free in the volume group",
		 shape->options->path, te_bytes(shape->extents[TE_LVM_DATA] * extent_bytes),
		 te_bytes(metadata * extent_bytes),
		 te_bytes((wanted - free_extents) * extent_bytes),
		 te_bytes(free_extents * extent_bytes));
	return -ENOSPC;
}

/* Our tag in a stream is of a pool that was sent while it was being received. */
static void drop_our_tag(struct te_lvm_strings *tags)
{
	size_t kept = 0, i;

	for (i = 0; i < tags->nr; i++)
		if (strcmp(tags->strings[i], TE_LVM_NEW_TAG) &&
		    strcmp(tags->strings[i], TE_LVM_ARRIVED_TAG))
			tags->strings[kept++] = tags->strings[i];
		else
			free(tags->strings[i]);
	tags->nr = kept;
}

static int copy_lv(struct te_lvm_lv *to, const struct te_lvm_lv *from)
{
	if (from && !te_lvm_lv_copy(to, from))
		return no_memory();
	free(to->name);
	free(to->origin);
	to->name = to->origin = NULL;
	drop_our_tag(&to->tags);
	if (!te_lvm_text_uuid(to->uuid))
		return 0;
	te_error("there are no random numbers for a uuid: %s", strerror(errno));
	return -EIO;
}

/* What LVM's text cannot hold, or LVM could not read again. */
static int check_lv(const struct te_lvm_shape *shape, const struct te_lvm_lv *lv)
{
	size_t i;

	for (i = 0; i < lv->tags.nr; i++)
		if (!te_lvm_is_tag(lv->tags.strings[i])) {
			te_error("%s: %s has the tag '%s' in the stream, which LVM does not take",
				 shape->options->path, lv->name, lv->tags.strings[i]);
			return -EINVAL;
		}
	if (lv->host && !te_lvm_is_plain(lv->host)) {
		te_error("%s: %s was made on a host called '%s' in the stream, which LVM does not take",
			 shape->options->path, lv->name, lv->host);
		return -EINVAL;
	}
	if (lv->transaction_id > INT64_MAX) {
		te_error("%s: %s has the transaction id %llu in the stream, which LVM does not take",
			 shape->options->path, lv->name, (unsigned long long)lv->transaction_id);
		return -EINVAL;
	}
	if (extents_of(shape, lv->sectors) <= MOST_EXTENTS)
		return 0;
	te_error("%s: %s would have more extents than LVM counts; a volume group with larger ones is needed",
		 shape->options->path, lv->name);
	return -EFBIG;
}

static int describe_pool(struct te_lvm_shape *shape, const struct te_begin *begin,
			 const struct te_catalog *catalog)
{
	struct te_lvm_lv *pool = &shape->pool;
	u64 sectors = pool->sectors, metadata_sectors = pool->metadata_sectors;
	int err = copy_lv(pool, catalog->lvm ? &catalog->lvm->lv : NULL);
	char **tags = realloc(pool->tags.strings, (pool->tags.nr + 1) * sizeof(*tags));

	if (err || !tags)
		return err ? err : no_memory();
	pool->tags.strings = tags;
	tags[pool->tags.nr] = strdup(TE_LVM_NEW_TAG);
	pool->name = strdup(shape->name);
	if (!tags[pool->tags.nr++] || !pool->name)
		return no_memory();
	pool->sectors = sectors;
	pool->metadata_sectors = metadata_sectors;
	pool->chunk_sectors = catalog->block_sectors;
	pool->transaction_id = le64_to_cpu(begin->transaction_id);
	if (pool->transaction_id < TE_LVM_LEAST_TRANSACTION)
		pool->transaction_id = TE_LVM_LEAST_TRANSACTION;
	pool->read_only = false;
	if (!catalog->lvm)
		pool->zero = true;
	if (pool->discards && strcmp(pool->discards, "passdown") &&
	    strcmp(pool->discards, "nopassdown") && strcmp(pool->discards, "ignore")) {
		te_error("%s: the stream's pool deals with discards by '%s', which LVM does not know",
			 shape->options->path, pool->discards);
		return -EINVAL;
	}
	/* It is the name of a file, and not to lead elsewhere. */
	if (pool->profile && !te_lvm_is_name(pool->profile, strlen(pool->profile))) {
		te_error("%s: the stream's pool has the profile '%s', which is no name of one",
			 shape->options->path, pool->profile);
		return -EINVAL;
	}
	return check_lv(shape, pool);
}

static int describe_volume(struct te_lvm_shape *shape, const struct te_catalog_volume *from,
			   const struct te_choice_volume *chosen)
{
	struct te_lvm_lv *lv = &shape->volumes[shape->nr_volumes++];
	int err = copy_lv(lv, from->lvm);
	char name[32];

	if (err)
		return err;
	snprintf(name, sizeof(name), "thin%u", chosen->dev_id);
	lv->name = strdup(chosen->name ? chosen->name : name);
	if (!lv->name)
		return no_memory();
	lv->dev_id = chosen->dev_id;
	lv->sectors = chosen->sectors ? chosen->sectors : 1;
	if (lv->transaction_id > shape->pool.transaction_id)
		lv->transaction_id = shape->pool.transaction_id;
	err = check_lv(shape, lv);
	return err ? err : check_name(shape, lv->name);
}

static int check_twins(const struct te_lvm_shape *shape)
{
	size_t i, j;

	for (i = 0; i < shape->nr_volumes; i++)
		for (j = 0; j < i; j++)
			if (!strcmp(shape->volumes[i].name, shape->volumes[j].name)) {
				te_error("%s: volumes %u and %u would both be called %s: --rename gives one another name",
					 shape->options->path, shape->volumes[j].dev_id,
					 shape->volumes[i].dev_id, shape->volumes[i].name);
				return -EEXIST;
			}
	return 0;
}

/* The volume of the stream that was called so, if it is received; or NO_VOLUME. */
static size_t find_origin(const struct te_catalog *catalog, const struct te_choice *choice,
			  const char *origin)
{
	size_t i;

	for (i = 0; i < choice->nr_volumes; i++)
		if (choice->settled[i].use == TE_CHOICE_WANTED && catalog->volumes[i].name &&
		    !strcmp(catalog->volumes[i].name, origin))
			return i;
	return NO_VOLUME;
}

/* No volume comes, over others, of itself: LVM would follow them without end. */
static bool has_loop(const size_t *origins, size_t nr)
{
	size_t i, at, steps;

	for (i = 0; i < nr; i++)
		for (at = i, steps = 0; at != NO_VOLUME; at = origins[at])
			if (steps++ > nr)
				return true;
	return false;
}

/* By the names that they have here. */
static int name_origins(struct te_lvm_shape *shape, const struct te_catalog *catalog,
			const struct te_choice *choice, size_t *origins)
{
	struct te_lvm_lv *lv = shape->volumes;
	size_t i;

	for (i = 0; i < choice->nr_volumes; i++) {
		const struct te_lvm_lv *from = catalog->volumes[i].lvm;

		origins[i] = NO_VOLUME;
		if (choice->settled[i].use != TE_CHOICE_WANTED)
			continue;
		if (from && from->origin)
			origins[i] = find_origin(catalog, choice, from->origin);
		if (origins[i] != NO_VOLUME)
			lv->origin = strdup(choice->settled[origins[i]].name);
		if (origins[i] != NO_VOLUME && !lv->origin)
			return no_memory();
		lv++;
	}
	if (!has_loop(origins, choice->nr_volumes))
		return 0;
	te_error("%s: the stream has volumes that are origins of each other", shape->options->path);
	return -EINVAL;
}

static int describe_volumes(struct te_lvm_shape *shape, const struct te_catalog *catalog,
			    const struct te_choice *choice)
{
	size_t *origins;
	size_t i;
	int err = 0;

	if (choice->nr_volumes > MOST_VOLUMES) {
		te_error("%s: the stream has %zu volumes, more than a volume group takes",
			 shape->options->path, choice->nr_volumes);
		return -EFBIG;
	}
	origins = te_alloc(choice->nr_volumes * sizeof(*origins));
	shape->volumes = te_alloc(choice->nr_volumes * sizeof(*shape->volumes));
	if (!origins || !shape->volumes)
		err = no_memory();
	for (i = 0; !err && i < choice->nr_volumes; i++)
		if (choice->settled[i].use == TE_CHOICE_WANTED)
			err = describe_volume(shape, &catalog->volumes[i], &choice->settled[i]);
	if (!err)
		err = check_twins(shape);
	if (!err)
		err = name_origins(shape, catalog, choice, origins);
	te_free(origins);
	return err;
}

int te_lvm_shape_fill(struct te_lvm_shape *shape, const struct te_begin *begin,
		      const struct te_catalog *catalog, const struct te_choice *choice)
{
	int err = measure(shape, begin, catalog, choice);

	if (!err)
		err = describe_pool(shape, begin, catalog);
	return err ? err : describe_volumes(shape, catalog, choice);
}

int te_lvm_shape_fill_into(struct te_lvm_shape *shape, const struct te_catalog *catalog,
			   const struct te_choice *choice)
{
	int err = check_chunk(shape, catalog);

	shape->pool.name = strdup(shape->name);
	if (!shape->pool.name)
		return no_memory();
	if (!err)
		err = describe_volumes(shape, catalog, choice);
	return err ? err : check_text(shape);
}

void te_lvm_shape_exit(struct te_lvm_shape *shape)
{
	size_t i;

	for (i = 0; i < shape->nr_volumes; i++)
		te_lvm_lv_exit(&shape->volumes[i]);
	te_free(shape->volumes);
	te_lvm_lv_exit(&shape->pool);
	*shape = (struct te_lvm_shape) { .volumes = NULL };
}
