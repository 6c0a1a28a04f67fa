// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzing the catalog.
 *
 * The input is its text, handed over in memory of just that size, as it comes out of
 * a frame.  JSON is all structure: with the words of catalog.dict the mutations
 * reach every member and every refusal by themselves.  What is taken must be as
 * catalog.h bounds it, fit the BEGIN and the VOLUMEs that say the same and no others,
 * and come out the same when it is written and read again.
 */
#include "stream/catalog.h"
#include "target.h"
#include "base/utf8.h"

#define MAX_SECTORS	(1ULL << 54)

static struct te_catalog *parse(const char *text, size_t bytes)
{
	char why[160] = "";
	char *copy = malloc(bytes + 1);
	struct te_catalog *catalog;

	keeps(copy != NULL);
	memcpy(copy, text, bytes);
	copy[bytes] = '\0';
	catalog = te_catalog_parse(copy, bytes, why, sizeof(why));
	keeps(catalog || why[0]);
	free(copy);
	return catalog;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void keeps_bounds(const struct te_catalog *catalog)
{
	size_t i;

	keeps(catalog->nr_data_blocks <= MAX_SECTORS);
	for (i = 0; i < catalog->nr_volumes; i++) {
		const struct te_catalog_volume *volume = &catalog->volumes[i];

		keeps(volume->dev_id <= THIN_DEV_ID_MAX && volume->sectors <= MAX_SECTORS &&
		      volume->mapped_blocks <= MAX_SECTORS);
		keeps(!volume->name || te_utf8_valid(volume->name, strlen(volume->name)));
	}
}

/* BEGIN and VOLUMEs that say just what the catalog says; each altered word is seen. */
static void fits(const struct te_catalog *catalog)
{
	struct te_begin begin = {
		.data_block_sectors = cpu_to_le32(catalog->block_sectors),
		.nr_data_blocks = cpu_to_le64(catalog->nr_data_blocks),
		.transaction_id = cpu_to_le64(catalog->transaction_id),
		.nr_volumes = cpu_to_le32((u32)catalog->nr_volumes),
	};
	char why[160];
	u32 i;

	keeps(te_catalog_fits_begin(catalog, &begin, why, sizeof(why)));
	begin.transaction_id = cpu_to_le64(catalog->transaction_id ^ 1);
	keeps(!te_catalog_fits_begin(catalog, &begin, why, sizeof(why)));
	for (i = 0; i < catalog->nr_volumes; i++) {
		const struct te_catalog_volume *entry = &catalog->volumes[i];
		bool known = entry->size_from != TE_SIZE_FROM_MAPPINGS;
		struct te_volume_begin volume = {
			.dev_id = cpu_to_le32(entry->dev_id),
			.flags = cpu_to_le32(known ? TE_VOLUME_SIZE_KNOWN : 0),
			.virtual_sectors = cpu_to_le64(entry->sectors),
		};

		keeps(te_catalog_fits_volume(catalog, i, &volume, why, sizeof(why)));
		volume.virtual_sectors = cpu_to_le64(entry->sectors + 1);
		keeps(!te_catalog_fits_volume(catalog, i, &volume, why, sizeof(why)));
	}
}

static void same(const struct te_catalog *a, const struct te_catalog *b)
{
	size_t i;

	keeps(same_text(a->pool_name, b->pool_name) && a->block_sectors == b->block_sectors &&
	      a->nr_data_blocks == b->nr_data_blocks && a->transaction_id == b->transaction_id &&
	      a->nr_volumes == b->nr_volumes);
	for (i = 0; i < a->nr_volumes; i++) {
		const struct te_catalog_volume *x = &a->volumes[i], *y = &b->volumes[i];

		keeps(same_text(x->name, y->name) && x->dev_id == y->dev_id &&
		      x->sectors == y->sectors && x->size_from == y->size_from &&
		      x->mapped_blocks == y->mapped_blocks);
	}
}

int LLVMFuzzerTestOneInput(const u8 *input, size_t bytes)
{
	struct te_catalog *catalog = parse((const char *)input, bytes), *again;
	char *text;

	if (!catalog)
		return 0;
	keeps_bounds(catalog);
	fits(catalog);
	text = te_catalog_write(catalog);
	keeps(text != NULL);
	again = parse(text, strlen(text));
	keeps(again != NULL);
	same(catalog, again);
	te_catalog_destroy(again);
	te_catalog_destroy(catalog);
	free(text);
	return 0;
}
