// SPDX-License-Identifier: GPL-2.0-or-later
/* LVM: what it calls a pool and its volumes, and what only it knows of them. */
#include "lvm/lvm.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lvm/lvm_ask.h"
#include "lvm/lvm_lock.h"
#include "base/say.h"

/* "VG/NAME": where the name starts, or NULL. */
static const char *split(const char *what)
{
	const char *slash = strchr(what, '/');

	if (!slash || !te_lvm_is_name(what, (size_t)(slash - what)) ||
	    !te_lvm_is_name(slash + 1, strlen(slash + 1)))
		return NULL;
	return slash + 1;
}

bool te_lvm_is_path(const char *what)
{
	const char *name = split(what);
	char folder[TE_LVM_NAME_BYTES];
	struct stat st;

	if (!name || !stat(what, &st))
		return false;
	/* A mistyped file of a folder that is there is no volume. */
	snprintf(folder, sizeof(folder), "%.*s", (int)(name - 1 - what), what);
	return stat(folder, &st) || !S_ISDIR(st.st_mode);
}

static const struct te_lvm_lv *find_lv(const struct te_lvm_group *group, const char *name)
{
	const struct te_lvm_lv *lv = te_lvm_group_find(group, name);

	if (lv)
		return lv;
	te_error("volume group %s has no volume %s; `lvs %s` lists those it has", group->name,
		 name, group->name);
	return NULL;
}

static const struct te_lvm_lv *find_pool_of(const struct te_lvm_group *group,
					    const struct te_lvm_lv *lv)
{
	size_t i;

	for (i = 0; i < group->nr_lvs; i++)
		if (group->lvs[i].kind == TE_LVM_POOL &&
		    !strcmp(group->lvs[i].uuid, lv->pool_uuid))
			return &group->lvs[i];
	te_error("%s/%s: LVM does not tell of its pool", group->name, lv->name);
	return NULL;
}

/* One of the names: the pool, or one more volume of it. */
static int take_name(struct te_lvm *lvm, const char *path)
{
	const struct te_lvm_lv *lv = find_lv(&lvm->group, split(path)), *pool = lv;

	if (!lv)
		return -ENOENT;
	if (lv->kind == TE_LVM_OTHER) {
		te_error("%s is no thin pool and no thin volume: it is of type %s, so there is nothing that it shares or leaves out, and dd copies it",
			 path, lv->segtype ? lv->segtype : "unknown");
		return -EINVAL;
	}
	if (lv->kind == TE_LVM_THIN)
		pool = find_pool_of(&lvm->group, lv);
	if (!pool)
		return -EINVAL;
	if (lvm->nr_names > 1 && lv->kind == TE_LVM_POOL) {
		te_error("%s is a pool: name it alone, or name volumes of it", path);
		return -EINVAL;
	}
	if (lvm->pool && lvm->pool != pool) {
		te_error("%s is a volume of the pool %s, %s one of the pool %s: send them one after another",
			 lvm->names[0], lvm->pool->name, path, pool->name);
		return -EINVAL;
	}
	lvm->pool = pool;
	if (lv->kind == TE_LVM_THIN)
		lvm->chosen[lvm->nr_chosen++] = lv;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	u32 x = (*(const struct te_lvm_lv *const *)a)->dev_id;
	u32 y = (*(const struct te_lvm_lv *const *)b)->dev_id;

	return x < y ? -1 : x > y;
}

static int collect_volumes(struct te_lvm *lvm)
{
	struct te_lvm_group *group = &lvm->group;
	size_t i;

	for (i = 0; i < group->nr_lvs; i++)
		if (group->lvs[i].kind == TE_LVM_THIN &&
		    !strcmp(group->lvs[i].pool_uuid, lvm->pool->uuid))
			lvm->volumes[lvm->nr_volumes++] = &group->lvs[i];
	if (lvm->nr_volumes)
		qsort(lvm->volumes, lvm->nr_volumes, sizeof(*lvm->volumes), by_id);
	for (i = 1; i < lvm->nr_volumes; i++)
		if (lvm->volumes[i]->dev_id == lvm->volumes[i - 1]->dev_id) {
			te_error("%s: LVM has two volumes of device id %u, %s and %s", lvm->path,
				 lvm->volumes[i]->dev_id, lvm->volumes[i - 1]->name,
				 lvm->volumes[i]->name);
			return -EINVAL;
		}
	return 0;
}

static void forget(struct te_lvm *lvm)
{
	te_free(lvm->volumes);
	te_free(lvm->chosen);
	lvm->volumes = lvm->chosen = NULL;
	lvm->nr_volumes = lvm->nr_chosen = 0;
	lvm->pool = NULL;
}

int te_lvm_resolve(struct te_lvm *lvm)
{
	size_t i;
	int err;

	forget(lvm);
	lvm->volumes = te_alloc(lvm->group.nr_lvs * sizeof(*lvm->volumes));
	lvm->chosen = te_alloc(lvm->nr_names * sizeof(*lvm->chosen));
	if (!lvm->volumes || !lvm->chosen) {
		te_error("not enough memory");
		return -ENOMEM;
	}
	for (i = 0; i < lvm->nr_names; i++) {
		err = take_name(lvm, lvm->names[i]);
		if (err)
			return err;
	}
	snprintf(lvm->path, sizeof(lvm->path), "%s/%s", lvm->group.name, lvm->pool->name);
	return collect_volumes(lvm);
}

/* All in one group, of which the name goes to `group`. */
static int check_names(const struct te_lvm *lvm, char group[TE_LVM_NAME_BYTES])
{
	size_t length = (size_t)(split(lvm->names[0]) - lvm->names[0]), i;

	for (i = 1; i < lvm->nr_names; i++) {
		if (split(lvm->names[i]) && !strncmp(lvm->names[i], lvm->names[0], length))
			continue;
		te_error("%s is not of the same volume group as %s: only volumes of one pool can be sent together",
			 lvm->names[i], lvm->names[0]);
		return -EINVAL;
	}
	snprintf(group, TE_LVM_NAME_BYTES, "%.*s", (int)length - 1, lvm->names[0]);
	return 0;
}

int te_lvm_check_group(const struct te_lvm_group *group)
{
	if (group->exported) {
		te_error("volume group %s is exported: it is meant for another host; `vgimport %s` takes it back",
			 group->name, group->name);
		return -EPERM;
	}
	if (group->clustered || group->lock_type) {
		te_error("volume group %s is shared with other hosts (%s), where its pools may be in use: LVM does not tell, so it is not touched; name an active pool by its device-mapper name if you know better",
			 group->name, group->lock_type ? group->lock_type : "clustered");
		return -EPERM;
	}
	return 0;
}

static int ask_locked(struct te_lvm *lvm, const char *group)
{
	int lock = te_lvm_lock_shared(group, lvm->names[0]), err;

	if (lock < 0 && lock != -ENOENT)
		return lock;
	err = te_lvm_ask_group(&lvm->group, group, lvm->names[0]);
	if (!err)
		err = te_lvm_check_group(&lvm->group);
	if (!err)
		err = te_lvm_ask_lvs(&lvm->group);
	if (lock >= 0)
		close(lock);
	if (!err && lvm->group.partial)
		te_warn("volume group %s: devices of it are missing", group);
	return err;
}

struct te_lvm *te_lvm_open(const char *name, char *const *more, size_t nr_more)
{
	struct te_lvm *lvm = te_alloc(sizeof(*lvm));
	char group[TE_LVM_NAME_BYTES];
	int err;

	if (lvm)
		lvm->names = te_alloc((1 + nr_more) * sizeof(*lvm->names));
	if (!lvm || !lvm->names) {
		te_error("not enough memory");
		te_free(lvm);
		return NULL;
	}
	lvm->names[0] = name;
	for (lvm->nr_names = 1; lvm->nr_names <= nr_more; lvm->nr_names++)
		lvm->names[lvm->nr_names] = more[lvm->nr_names - 1];
	err = check_names(lvm, group);
	if (!err)
		err = ask_locked(lvm, group);
	if (!err)
		err = te_lvm_resolve(lvm);
	if (!err)
		return lvm;
	te_lvm_close(lvm);
	return NULL;
}

void te_lvm_close(struct te_lvm *lvm)
{
	if (!lvm)
		return;
	forget(lvm);
	te_lvm_group_exit(&lvm->group);
	te_free(lvm->names);
	te_free(lvm);
}

int te_lvm_again(struct te_lvm *lvm)
{
	char uuid[TE_LVM_UUID_BYTES];
	int err;

	memcpy(uuid, lvm->pool->uuid, sizeof(uuid));
	forget(lvm);
	err = te_lvm_ask_lvs(&lvm->group);
	if (!err)
		err = te_lvm_resolve(lvm);
	if (!err && strcmp(lvm->pool->uuid, uuid)) {
		te_error("%s: LVM has just given this name to something else; try again",
			 lvm->names[0]);
		err = -EAGAIN;
	}
	return err;
}

const struct te_lvm_lv *te_lvm_find_id(const struct te_lvm *lvm, u32 dev_id)
{
	struct te_lvm_lv key = { .dev_id = dev_id }, *wanted = &key;
	const struct te_lvm_lv **found;

	if (!lvm->nr_volumes)
		return NULL;
	found = bsearch(&wanted, lvm->volumes, lvm->nr_volumes, sizeof(*lvm->volumes), by_id);
	return found ? *found : NULL;
}

const struct te_lvm_lv *te_lvm_find_name(const struct te_lvm *lvm, const char *name)
{
	size_t i;

	for (i = 0; i < lvm->nr_volumes; i++)
		if (!strcmp(lvm->volumes[i]->name, name))
			return lvm->volumes[i];
	return NULL;
}

bool te_lvm_has_external_origin(const struct te_lvm *lvm, const struct te_lvm_lv *lv)
{
	if (!lv->origin || te_lvm_find_name(lvm, lv->origin))
		return false;
	/* Only one that is there: LVM forgets the names of removed ones by itself. */
	return te_lvm_group_find(&lvm->group, lv->origin) != NULL;
}

static void add_uuid(char *to, const char *uuid)
{
	to += strlen(to);
	for (; *uuid; uuid++)
		if (*uuid != '-')
			*to++ = *uuid;
	*to = '\0';
}

int te_lvm_find_active(const struct te_lvm *lvm, struct te_pool *pool)
{
	char uuid[TE_DM_UUID_BYTES] = "LVM-";
	int err;

	memset(pool, 0, sizeof(*pool));
	add_uuid(uuid, lvm->group.uuid);
	add_uuid(uuid, lvm->pool->uuid);
	strcat(uuid, "-tpool");
	err = te_dm_find_uuid(uuid, &pool->dm);
	/* A pool that never had a volume has no layer above it. */
	uuid[strlen(uuid) - strlen("-tpool")] = '\0';
	if (err == -ENXIO)
		err = te_dm_find_uuid(uuid, &pool->dm);
	if (err == -ENXIO)
		return err;
	if (err) {
		te_error("%s: its device cannot be looked up: %s", lvm->path, strerror(-err));
		return err;
	}
	return te_pool_refresh(pool);
}

int te_lvm_find_pool(const struct te_lvm *lvm, struct te_pool *pool)
{
	int err = te_lvm_find_active(lvm, pool);

	if (err == -ENXIO)
		te_error("%s is not active here: `lvchange -ay %s` activates it; or, to read it as it lies, `lvchange -ay -y %s_tmeta`, `lvchange -ay -y %s_tdata`, then --metadata /dev/%s_tmeta --data /dev/%s_tdata",
			 lvm->path, lvm->path, lvm->path, lvm->path, lvm->path, lvm->path);
	return err;
}

void te_lvm_dm_name(const char *path, char name[TE_DM_NAME_BYTES])
{
	size_t bytes = 0;

	for (; *path && bytes + sizeof("---tpool") < TE_DM_NAME_BYTES; path++) {
		if (*path == '-')
			name[bytes++] = '-';
		name[bytes++] = *path == '/' ? '-' : *path;
	}
	strcpy(name + bytes, "-tpool");
}
