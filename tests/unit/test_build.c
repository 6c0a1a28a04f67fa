// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The metadata builder: random pools are built, and judged by thin_check and by
 * what thin_dump says of them.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build/build.h"
#include "core/seam.h"
#include "rebuild.h"
#include "unit.h"

#define NOT_MAPPED	UINT64_MAX
#define POOL_TIME	7

/* A piece as the builder gets it. */
struct piece {
	enum { MAP, COPY, SKIP } kind;
	u64 at;
	u64 count;
	u64 pool_block;
	u32 from;			/* COPY */
};

/* A volume as it should come out. */
struct model_volume {
	u32 dev_id;
	u64 *blocks;			/* pool block of each virtual one */
	struct piece *pieces;
	size_t nr_pieces;
	size_t room;
};

struct model {
	u64 size;			/* virtual blocks a volume can have */
	u64 next_pool;
	u32 *users;			/* volumes that map each pool block */
	struct model_volume *volumes;
	u32 nr_volumes;
};

static char image[64];
static char dump[80];

static u64 random_below(u64 bound)
{
	static u64 state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state % bound;
}

static void add_piece(struct model *model, struct model_volume *volume, struct piece piece)
{
	u64 i;

	if (volume->nr_pieces == volume->room) {
		volume->room = volume->room * 2 + 16;
		volume->pieces = realloc(volume->pieces, volume->room * sizeof(piece));
	}
	if (piece.kind == MAP) {
		piece.pool_block = model->next_pool;
		model->next_pool += piece.count;
		model->users = realloc(model->users, (model->next_pool + 1) * sizeof(u32));
		memset(model->users + piece.pool_block, 0, piece.count * sizeof(u32));
	}
	volume->pieces[volume->nr_pieces++] = piece;
	for (i = 0; i < piece.count; i++) {
		u64 *block = &volume->blocks[piece.at + i];

		*block = piece.kind == MAP ? piece.pool_block + i :
			 piece.kind == COPY ? model->volumes[piece.from].blocks[piece.at + i] :
			 NOT_MAPPED;
	}
}

static struct model_volume *add_volume(struct model *model, u32 dev_id)
{
	struct model_volume *volume;
	u64 i;

	model->volumes = realloc(model->volumes, (model->nr_volumes + 1) * sizeof(*volume));
	volume = &model->volumes[model->nr_volumes++];
	*volume = (struct model_volume) { .dev_id = dev_id };
	volume->blocks = malloc(model->size * sizeof(u64));
	for (i = 0; i < model->size; i++)
		volume->blocks[i] = NOT_MAPPED;
	return volume;
}

static void count_users(struct model *model)
{
	u32 v;
	u64 i;

	for (v = 0; v < model->nr_volumes; v++)
		for (i = 0; i < model->size; i++)
			if (model->volumes[v].blocks[i] != NOT_MAPPED)
				model->users[model->volumes[v].blocks[i]]++;
}

static void free_model(struct model *model)
{
	u32 v;

	for (v = 0; v < model->nr_volumes; v++) {
		free(model->volumes[v].blocks);
		free(model->volumes[v].pieces);
	}
	free(model->volumes);
	free(model->users);
	*model = (struct model) { .size = 0 };
}

/* Random lengths of all magnitudes up to `most`. */
static u64 random_length(u64 most)
{
	u64 bound = 1ULL << random_below(64 - (u32)__builtin_clzll(most) + 1);

	bound = bound < most ? bound : most;
	return 1 + random_below(bound);
}

static void fill_volume(struct model *model, u32 v, u32 changes)
{
	struct model_volume *volume = &model->volumes[v];
	u64 at = 0;

	while (at < model->size) {
		struct piece piece = { .at = at, .kind = SKIP };
		u64 what = random_below(100);

		piece.count = random_length(model->size - at);
		if (v && what >= changes) {
			piece.kind = COPY;
			piece.from = what % 3 ? v - 1 : (u32)random_below(v);
			piece.count = random_below(4) ? piece.count : model->size - at;
		} else if (what % 3) {
			piece.kind = MAP;
			piece.count = random_below(2) ? piece.count : random_length(8);
			if (piece.count > model->size - at)
				piece.count = model->size - at;
		}
		add_piece(model, volume, piece);
		at += piece.count;
	}
}

/* Builds; the file is left at `image`.  Returns the metadata blocks used. */
static u64 build_model(struct model *model, u64 nr_metadata_blocks)
{
	struct te_build_pool pool = {
		.block_sectors = 128,
		.nr_data_blocks = model->next_pool + 17,
		.nr_metadata_blocks = nr_metadata_blocks,
		.transaction_id = 42,
		.time = POOL_TIME,
	};
	struct te_build *build;
	u64 mapped, expected, i;
	u64 used;
	size_t p;
	u32 v;
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, (off_t)(nr_metadata_blocks * 4096)), 0);
	build = te_build_create(fd, "image", &pool);
	CHECK(build);
	for (v = 0; v < model->nr_volumes; v++) {
		struct model_volume *volume = &model->volumes[v];
		struct te_build_volume begin = {
			.dev_id = volume->dev_id,
			.transaction_id = v,
			.creation_time = v % POOL_TIME,
		};

		CHECK_EQ(te_build_volume_begin(build, &begin), 0);
		for (p = 0; p < volume->nr_pieces; p++) {
			const struct piece *piece = &volume->pieces[p];

			if (piece->kind == COPY) {
				CHECK_EQ(te_build_copy(build, piece->from, piece->at,
						       piece->count), 0);
				continue;
			}
			/* Runs are cut where the mark changes. */
			for (i = 0; piece->kind == MAP && i < piece->count;) {
				bool shared = model->users[piece->pool_block + i] > 1;
				u64 n = 1;

				while (i + n < piece->count &&
				       (model->users[piece->pool_block + i + n] > 1) == shared)
					n++;
				CHECK_EQ(te_build_map(build, piece->at + i, piece->pool_block + i,
						      n, shared), 0);
				i += n;
			}
		}
		for (i = 0, expected = 0; i < model->size; i++)
			expected += volume->blocks[i] != NOT_MAPPED;
		CHECK_EQ(te_build_volume_end(build, &mapped), 0);
		CHECK_EQ(mapped, expected);
	}
	CHECK_EQ(te_build_finish(build), 0);
	CHECK_EQ(te_build_commit(build), 0);
	used = te_build_used_blocks(build);
	te_build_destroy(build);
	close(fd);
	return used;
}

static int check_image(void)
{
	char command[256];

	snprintf(command, sizeof(command), "thin_check -q %s", image);
	return system(command);
}

static int dump_image(void)
{
	char command[256];

	snprintf(command, sizeof(command), "thin_dump %s >%s", image, dump);
	return system(command);
}

static void check_mapping(const struct model *model, const struct model_volume *volume, u64 at,
			  u64 block, u32 time)
{
	CHECK(volume);
	CHECK(at < model->size);
	CHECK_EQ(volume->blocks[at], block);
	CHECK_EQ(time, model->users[block] > 1 ? 0 : POOL_TIME);
}

/* What thin_dump says is what the model has, and all of it. */
static void compare_dump(const struct model *model)
{
	const struct model_volume *volume = NULL;
	unsigned long long a, b, c, d;
	u64 found = 0, expected = 0, i;
	char line[512];
	FILE *file;
	u32 v, e;

	CHECK_EQ(dump_image(), 0);
	file = fopen(dump, "r");
	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, " <device dev_id=\"%llu\"", &a) == 1) {
			for (v = 0; v < model->nr_volumes; v++)
				if (model->volumes[v].dev_id == a)
					break;
			CHECK(v < model->nr_volumes);
			volume = &model->volumes[v];
		} else if (sscanf(line, " <single_mapping origin_block=\"%llu\" data_block=\"%llu\" time=\"%u\"",
				  &a, &b, &e) == 3) {
			check_mapping(model, volume, a, b, e);
			found++;
		} else if (sscanf(line, " <range_mapping origin_begin=\"%llu\" data_begin=\"%llu\" length=\"%llu\" time=\"%llu\"",
				  &a, &b, &c, &d) == 4) {
			for (i = 0; i < c; i++)
				check_mapping(model, volume, a + i, b + i, (u32)d);
			found += c;
		}
	}
	fclose(file);
	for (v = 0; v < model->nr_volumes; v++)
		for (i = 0; i < model->size; i++)
			expected += model->volumes[v].blocks[i] != NOT_MAPPED;
	CHECK_EQ(found, expected);
}

static void judge(const struct model *model)
{
	CHECK_EQ(check_image(), 0);
	compare_dump(model);
	CHECK(te_data_counts_are_true(image));
}

static void an_empty_pool_is_a_pool(void)
{
	struct model model = { .size = 1 };

	model.users = calloc(1, sizeof(u32));
	build_model(&model, 64);
	judge(&model);
	free_model(&model);
}

static void a_volume_of_each_small_size_is_valid(void)
{
	u64 sizes[] = { 0, 1, 2, 83, 84, 85, 251, 252, 253, 335, 336, 337, 504, 505, 21167,
			21168, 63504, 63505, 63588, 84672, 127008, 127009 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct model model = { .size = sizes[i] + 1 };

		model.users = calloc(1, sizeof(u32));
		add_volume(&model, 5);
		if (sizes[i])
			add_piece(&model, &model.volumes[0],
				  (struct piece) { .kind = MAP, .count = sizes[i] });
		count_users(&model);
		build_model(&model, 2048);
		judge(&model);
		free_model(&model);
	}
}

static void random_pools_check_clean_and_dump_as_built(void)
{
	u32 round, v;

	for (round = 0; round < 60; round++) {
		static const u64 sizes[] = { 50, 300, 1000, 5000, 40000, 100000 };
		struct model model = { .size = sizes[round % ARRAY_SIZE(sizes)] };
		u32 nr = 2 + (u32)random_below(model.size > 10000 ? 6 : 25);
		u32 changes = (u32)random_below(100);

		model.users = calloc(1, sizeof(u32));
		for (v = 0; v < nr; v++) {
			/* Ids in no order. */
			add_volume(&model, (v * 7 + 3) % 31);
			fill_volume(&model, v, changes);
		}
		count_users(&model);
		build_model(&model, 32768);
		judge(&model);
		free_model(&model);
	}
}

/* A builder on a fresh image of so many metadata blocks, for 1,000,000 data blocks. */
static struct te_build *fresh_build(int *fd, u64 nr_metadata_blocks)
{
	struct te_build_pool pool = {
		.block_sectors = 128,
		.nr_data_blocks = 1000000,
		.nr_metadata_blocks = nr_metadata_blocks,
		.time = POOL_TIME,
	};
	struct te_build *build;

	*fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(*fd >= 0);
	CHECK_EQ(ftruncate(*fd, (off_t)(nr_metadata_blocks * 4096)), 0);
	build = te_build_create(*fd, "image", &pool);
	CHECK(build);
	return build;
}

static void begin_volume(struct te_build *build, u32 dev_id)
{
	struct te_build_volume volume = { .dev_id = dev_id };

	CHECK_EQ(te_build_volume_begin(build, &volume), 0);
}

static void end_build(struct te_build *build, int fd)
{
	te_build_destroy(build);
	close(fd);
}

static void blocks_not_marked_shared_are_not_taken_over(void)
{
	u64 mapped, at;
	int fd;
	u32 round;

	/* A whole tree, a whole leaf, a part of a leaf; one block of each unmarked. */
	for (round = 0; round < 3; round++) {
		static const u64 froms[] = { 0, 10 * 252, 10 * 252 + 3 };
		static const u64 counts[] = { UINT64_MAX, 252, 100 };
		struct te_build *build = fresh_build(&fd, 4096);

		begin_volume(build, 1);
		for (at = 0; at < 100000; at++)
			CHECK_EQ(te_build_map(build, at, at, 1, at != 10 * 252 + 50), 0);
		CHECK_EQ(te_build_volume_end(build, &mapped), 0);
		begin_volume(build, 2);
		CHECK_EQ(te_build_copy(build, 0, froms[round], counts[round]), -EBADMSG);
		end_build(build, fd);
	}
}

static void nonsense_is_refused(void)
{
	u64 mapped;
	int fd;
	struct te_build *build = fresh_build(&fd, 4096);
	struct te_build_volume wide = { .dev_id = 1u << 24 }, twice = { .dev_id = 1 };

	CHECK_EQ(te_build_volume_begin(build, &wide), -EINVAL);
	begin_volume(build, 1);
	CHECK_EQ(te_build_map(build, 10, 0, 5, true), 0);
	CHECK_EQ(te_build_map(build, 14, 5, 1, true), -EINVAL);		/* virtual again */
	CHECK_EQ(te_build_map(build, 20, 4, 1, true), -EINVAL);		/* pool block again */
	CHECK_EQ(te_build_map(build, 30, 999999, 2, true), -EINVAL);	/* beyond the device */
	CHECK_EQ(te_build_copy(build, 0, 40, 1), -EINVAL);		/* of itself */
	CHECK_EQ(te_build_copy(build, 1, 50, 1), -EINVAL);		/* of nothing */
	CHECK_EQ(te_build_volume_end(build, &mapped), 0);
	CHECK_EQ(te_build_volume_begin(build, &twice), -EINVAL);
	end_build(build, fd);
}

static void a_metadata_device_too_small_is_an_error_not_a_pool(void)
{
	u64 blocks;

	for (blocks = 1; blocks < 24; blocks++) {
		struct te_build *build;
		struct stat st;
		u64 mapped;
		int fd, err;

		build = fresh_build(&fd, blocks);
		begin_volume(build, 1);
		err = te_build_map(build, 0, 0, 1100, true);
		if (!err)
			err = te_build_volume_end(build, &mapped);
		if (!err)
			err = te_build_finish(build);
		/* 1100 mappings take 6 nodes; and 62 bitmaps there are anyway. */
		CHECK_EQ(err, -ENOSPC);
		end_build(build, fd);
		CHECK_EQ(stat(image, &st), 0);
		CHECK_EQ(st.st_size, (off_t)(blocks * 4096));
		CHECK(check_image() != 0);
	}
}

static void until_commit_there_is_no_pool(void)
{
	u64 mapped;
	int fd;
	struct te_build *build;

	/* On a device that held one, too. */
	build = fresh_build(&fd, 4096);
	CHECK_EQ(te_build_finish(build), 0);
	CHECK_EQ(te_build_commit(build), 0);
	CHECK_EQ(check_image(), 0);
	end_build(build, fd);

	fd = open(image, O_RDWR);
	build = te_build_create(fd, "image", &(struct te_build_pool) {
		.block_sectors = 128, .nr_data_blocks = 1000, .nr_metadata_blocks = 4096,
		.time = POOL_TIME });
	CHECK(build);
	CHECK(check_image() != 0);
	begin_volume(build, 1);
	CHECK_EQ(te_build_map(build, 0, 0, 1000, false), 0);
	CHECK_EQ(te_build_volume_end(build, &mapped), 0);
	CHECK(check_image() != 0);
	CHECK_EQ(te_build_finish(build), 0);
	CHECK(check_image() != 0);
	CHECK_EQ(te_build_commit(build), 0);
	CHECK_EQ(check_image(), 0);
	end_build(build, fd);
}

static void add_copies_of_all(struct model *model, u32 nr)
{
	u32 v;

	for (v = 1; v <= nr; v++) {
		add_volume(model, v);
		add_piece(model, &model->volumes[v],
			  (struct piece) { .kind = COPY, .count = model->size, .from = v - 1 });
	}
}

static void an_unchanged_snapshot_costs_nothing(void)
{
	static const u64 sizes[] = { 0, 1, 60, 252, 300, 100000 };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 alone, together;
		struct model model = { .size = sizes[i] + 1 };

		model.users = calloc(1, sizeof(u32));
		add_volume(&model, 0);
		if (sizes[i])
			add_piece(&model, &model.volumes[0],
				  (struct piece) { .kind = MAP, .count = sizes[i] });
		count_users(&model);
		alone = build_model(&model, 4096);
		memset(model.users, 0, (model.next_pool + 1) * sizeof(u32));
		add_copies_of_all(&model, 50);
		count_users(&model);
		together = build_model(&model, 4096);
		judge(&model);
		/* But for the tree that holds the roots' counts. */
		CHECK(together <= alone + 1);
		free_model(&model);
	}
}

/*
 * Told in halves from two volumes that have the same leaf there, a volume uses
 * that leaf: no second one with the same entries.
 */
static void a_leaf_told_in_pieces_is_found_again(void)
{
	struct model model = { .size = 252 * 100 };
	u64 before, after, at;

	model.users = calloc(1, sizeof(u32));
	add_volume(&model, 0);
	add_piece(&model, &model.volumes[0], (struct piece) { .kind = MAP, .count = model.size });
	add_copies_of_all(&model, 2);
	count_users(&model);
	before = build_model(&model, 4096);
	memset(model.users, 0, (model.next_pool + 1) * sizeof(u32));
	add_volume(&model, 9);
	for (at = 0; at < model.size; at += 84)
		add_piece(&model, &model.volumes[3], (struct piece) { .kind = COPY, .at = at,
			  .count = 84, .from = (u32)(at / 84 % 3) });
	count_users(&model);
	after = build_model(&model, 4096);
	judge(&model);
	CHECK_EQ(after, before);
	free_model(&model);
}

/* A change of one block costs a leaf and the nodes above it. */
static void a_small_change_costs_one_path(void)
{
	struct model model = { .size = 200000 };
	u64 alone, together;
	u32 v;

	model.users = calloc(1, sizeof(u32));
	add_volume(&model, 0);
	add_piece(&model, &model.volumes[0], (struct piece) { .kind = MAP, .count = model.size });
	count_users(&model);
	alone = build_model(&model, 8192);
	memset(model.users, 0, (model.next_pool + 1) * sizeof(u32));
	for (v = 1; v <= 100; v++) {
		u64 at = random_below(model.size - 2) + 1;

		add_volume(&model, v);
		add_piece(&model, &model.volumes[v],
			  (struct piece) { .kind = COPY, .count = at, .from = v - 1 });
		add_piece(&model, &model.volumes[v],
			  (struct piece) { .kind = MAP, .at = at, .count = 1 });
		add_piece(&model, &model.volumes[v], (struct piece) { .kind = COPY, .at = at + 1,
			  .count = model.size - at - 1, .from = v - 1 });
	}
	count_users(&model);
	together = build_model(&model, 8192);
	judge(&model);
	printf("# %llu blocks alone, %llu with 100 snapshots\n", (unsigned long long)alone,
	       (unsigned long long)together);
	CHECK(together - alone <= 100 * 3 + 60);
	free_model(&model);
}

static void __attribute__((constructor)) name_files(void)
{
	snprintf(image, sizeof(image), "/tmp/test_build.%d", (int)getpid());
	snprintf(dump, sizeof(dump), "%s.xml", image);
}

static void __attribute__((destructor)) remove_files(void)
{
	unlink(image);
	unlink(dump);
}

UNIT_MAIN(UNIT(an_empty_pool_is_a_pool),
	  UNIT(a_volume_of_each_small_size_is_valid),
	  UNIT(random_pools_check_clean_and_dump_as_built),
	  UNIT(blocks_not_marked_shared_are_not_taken_over),
	  UNIT(nonsense_is_refused),
	  UNIT(a_metadata_device_too_small_is_an_error_not_a_pool),
	  UNIT(until_commit_there_is_no_pool),
	  UNIT(an_unchanged_snapshot_costs_nothing),
	  UNIT(a_leaf_told_in_pieces_is_found_again),
	  UNIT(a_small_change_costs_one_path))
