// SPDX-License-Identifier: GPL-2.0-or-later
/* The catalog: what is written comes back, and what is no catalog is refused. */
#include "stream/catalog.h"
#include "unit.h"
#include "base/utf8.h"

static struct te_catalog *parse(const char *json, char *why)
{
	*why = 0;
	return te_catalog_parse(json, strlen(json), why, 200);
}

static void refused(const char *json, const char *words)
{
	char why[200];

	CHECK(!parse(json, why));
	if (!strstr(why, words))
		UNIT_FAIL("%s: \"%s\" does not say \"%s\"", json, why, words);
}

static void a_catalog_is_this_text(void)
{
	struct te_catalog *catalog = te_catalog_create(2);
	char *text;

	catalog->pool_name = strdup("vg/pool \"a\"");
	catalog->block_sectors = 128;
	catalog->nr_data_blocks = 77;
	catalog->transaction_id = ~0ULL;
	catalog->volumes[0] = (struct te_catalog_volume){ 16777215, strdup("x"), 1ULL << 54,
							  TE_SIZE_FROM_OPTION, 3, NULL };
	text = te_catalog_write(catalog);
	CHECK_STR(text, "{\"pool\":{\"name\":\"vg/pool \\\"a\\\"\",\"block_sectors\":128,"
			"\"data_blocks\":77,\"transaction_id\":18446744073709551615},"
			"\"volumes\":[{\"id\":16777215,\"name\":\"x\",\"sectors\":18014398509481984,"
			"\"size_from\":\"known\",\"mapped_blocks\":3},"
			"{\"id\":0,\"sectors\":0,\"size_from\":\"known\",\"mapped_blocks\":0}]}");
	free(text);
	te_catalog_destroy(catalog);
}

static void what_was_written_is_read(void)
{
	struct te_catalog *catalog = te_catalog_create(1), *again;
	char *text, why[200];

	catalog->transaction_id = ~0ULL;
	catalog->nr_data_blocks = 5;
	catalog->block_sectors = 256;
	catalog->volumes[0] = (struct te_catalog_volume){ 9, strdup("naïve \x01 €"), 12,
							  TE_SIZE_FROM_MAPPINGS, 3, NULL };
	text = te_catalog_write(catalog);
	again = parse(text, why);
	CHECK(again != NULL);
	CHECK(!again->pool_name);
	CHECK(again->transaction_id == ~0ULL);
	CHECK_EQ(again->nr_data_blocks, 5);
	CHECK_EQ(again->block_sectors, 256);
	CHECK_EQ(again->nr_volumes, 1);
	CHECK_EQ(again->volumes[0].dev_id, 9);
	CHECK_EQ(again->volumes[0].sectors, 12);
	CHECK_EQ(again->volumes[0].size_from, TE_SIZE_FROM_MAPPINGS);
	CHECK_EQ(again->volumes[0].mapped_blocks, 3);
	CHECK_STR(again->volumes[0].name, catalog->volumes[0].name);
	free(text);
	te_catalog_destroy(catalog);
	te_catalog_destroy(again);
}

static void a_name_that_is_not_utf8_is_mangled(void)
{
	struct te_catalog *catalog = te_catalog_create(0), *again;
	char *text, why[200];

	catalog->pool_name = strdup("a\xff" "b\xc3");
	text = te_catalog_write(catalog);
	again = parse(text, why);
	CHECK(again != NULL);
	CHECK_STR(again->pool_name, "a\\xffb\\xc3");
	free(text);
	te_catalog_destroy(catalog);
	te_catalog_destroy(again);
}

#define POOL	"\"pool\":{\"block_sectors\":128,\"data_blocks\":5,\"transaction_id\":0}"
#define VOLUME	"\"id\":1,\"sectors\":8,\"size_from\":\"known\",\"mapped_blocks\":0"

static void members_that_are_not_known_are_passed_by(void)
{
	struct te_catalog *catalog;
	char why[200];

	catalog = parse("{\"more\":[1,{}]," POOL ",\"volumes\":[{" VOLUME ",\"tags\":[\"a\"]}]}",
			why);
	CHECK_STR(why, "");
	CHECK(catalog != NULL);
	te_catalog_destroy(catalog);
}

static void what_is_no_catalog_is_refused(void)
{
	refused("", "not JSON");
	refused("nonsense", "not JSON");
	refused("{" POOL ",\"volumes\":[]", "not JSON");
	refused("{" POOL ",\"volumes\":[]}}", "not JSON");
	refused("{" POOL ",\"volumes\":[]} 1", "not JSON");
	refused("[]", "no \"volumes\" array");
	refused("7", "no \"volumes\" array");
	refused("null", "not JSON");
	refused("{" POOL "}", "no \"volumes\" array");
	refused("{" POOL ",\"volumes\":{}}", "no \"volumes\" array");
	refused("{\"pool\":[],\"volumes\":[]}", "no \"pool\" object");
	refused("{" POOL ",\"volumes\":[null]}", "that is no object");
	refused("{" POOL ",\"volumes\":[{}]}", "\"id\" is not a number");
	refused("{" POOL ",\"volumes\":[{\"id\":-1}]}", "\"id\" is not a number");
	refused("{" POOL ",\"volumes\":[{\"id\":16777216}]}", "0 to 16777215");
	refused("{" POOL ",\"volumes\":[{\"id\":\"1\"}]}", "\"id\" is not a number");
	refused("{" POOL ",\"volumes\":[{\"name\":1," VOLUME "}]}", "\"name\" is not a string");
	refused("{" POOL ",\"volumes\":[{\"name\":\"a\\u0000b\"," VOLUME "}]}", "\"name\" is not");
	refused("{\"pool\":{\"block_sectors\":4294967296},\"volumes\":[]}", "0 to 4294967295");
	refused("{\"a\":\"\xc0\x80\"}", "not UTF-8");
}

/* A pool and a volume with all that LVM may know of them. */
static struct te_catalog *catalog_of_lvm(void)
{
	struct te_catalog *catalog = te_catalog_create(2);
	struct te_lvm_lv *lv = te_alloc(sizeof(*lv));

	catalog->volumes[0] = (struct te_catalog_volume){ 1, strdup("web"), 8,
							  TE_SIZE_FROM_TABLE, 0, lv };
	strcpy(lv->uuid, "tu9rnj-Ucob-dwNd-j5kN-mKOS-opd9-tTh7mo");
	lv->origin = strdup("base");
	lv->host = strdup("h");
	lv->created = 1795257678;
	lv->transaction_id = 5;
	lv->read_only = true;
	lv->skip_activation = true;
	lv->tags.strings = te_alloc(2 * sizeof(char *));
	lv->tags.strings[lv->tags.nr++] = strdup("a");
	lv->tags.strings[lv->tags.nr++] = strdup("b=c/d");
	catalog->lvm = te_alloc(sizeof(*catalog->lvm));
	catalog->lvm->group = strdup("vms");
	catalog->lvm->group_uuid = strdup("g");
	lv = &catalog->lvm->lv;
	strcpy(lv->uuid, "p");
	lv->metadata_sectors = 8192;
	lv->discards = strdup("passdown");
	lv->profile = strdup("slow");
	lv->zero = true;
	lv->error_when_full = true;
	lv->transaction_id = 7;
	return catalog;
}

static void what_lvm_knew_is_this_text(void)
{
	struct te_catalog *catalog = catalog_of_lvm();
	char *text = te_catalog_write(catalog);

	CHECK(strstr(text, "\"transaction_id\":0,\"lvm\":{\"group\":\"vms\",\"group_uuid\":\"g\","
			   "\"uuid\":\"p\",\"tags\":[],\"metadata_sectors\":8192,\"zero\":true,"
			   "\"discards\":\"passdown\",\"error_when_full\":true,"
			   "\"profile\":\"slow\",\"transaction_id\":7}}"));
	CHECK(strstr(text, "\"mapped_blocks\":0,\"lvm\":{\"uuid\":"
			   "\"tu9rnj-Ucob-dwNd-j5kN-mKOS-opd9-tTh7mo\",\"origin\":\"base\","
			   "\"tags\":[\"a\",\"b=c/d\"],\"read_only\":true,"
			   "\"skip_activation\":true,\"transaction_id\":5,"
			   "\"created\":1795257678,\"host\":\"h\"}}"));
	free(text);
	te_catalog_destroy(catalog);
}

static void what_lvm_knew_is_read(void)
{
	struct te_catalog *catalog = catalog_of_lvm(), *again;
	char *text = te_catalog_write(catalog), why[200];
	const struct te_lvm_lv *lv;

	again = parse(text, why);
	CHECK_STR(why, "");
	lv = again->volumes[0].lvm;
	CHECK_STR(lv->uuid, "tu9rnj-Ucob-dwNd-j5kN-mKOS-opd9-tTh7mo");
	CHECK_STR(lv->origin, "base");
	CHECK_STR(lv->host, "h");
	CHECK_EQ(lv->tags.nr, 2);
	CHECK_STR(lv->tags.strings[1], "b=c/d");
	CHECK_EQ(lv->created, 1795257678);
	CHECK_EQ(lv->transaction_id, 5);
	CHECK(lv->read_only && lv->skip_activation);
	CHECK(!again->volumes[1].lvm);
	CHECK_STR(again->lvm->group, "vms");
	lv = &again->lvm->lv;
	CHECK_STR(lv->discards, "passdown");
	CHECK_STR(lv->profile, "slow");
	CHECK_EQ(lv->metadata_sectors, 8192);
	CHECK(lv->zero && lv->error_when_full);
	free(text);
	te_catalog_destroy(catalog);
	te_catalog_destroy(again);
}

static void lvm_s_part_is_checked_too(void)
{
#define LVM(text)	"{" POOL ",\"volumes\":[{" VOLUME ",\"lvm\":" text "}]}"
#define POOL_LVM(text)	"{\"pool\":{\"block_sectors\":128,\"data_blocks\":5,\"transaction_id\":0,"	\
			"\"lvm\":" text "},\"volumes\":[]}"
	struct te_catalog *catalog;
	char why[200];

	catalog = parse(LVM("{\"later\":[]}"), why);
	CHECK(catalog && catalog->volumes[0].lvm);
	te_catalog_destroy(catalog);
	refused(LVM("null"), "\"lvm\" is not an object");
	refused(LVM("[]"), "\"lvm\" is not an object");
	refused(LVM("{\"uuid\":7}"), "\"uuid\" is not a string");
	refused(LVM("{\"uuid\":\"012345678901234567890123456789012345678\"}"), "longer than 38");
	refused(LVM("{\"origin\":true}"), "\"origin\" is not a string");
	refused(LVM("{\"tags\":\"a\"}"), "\"tags\" is not an array");
	refused(LVM("{\"tags\":[\"a\",null]}"), "\"tags\" is not a string");
	refused(LVM("{\"tags\":[\"a\\u0000\"]}"), "\"tags\" is not a string");
	refused(LVM("{\"read_only\":1}"), "\"read_only\" is not true or false");
	refused(LVM("{\"created\":-1}"), "\"created\" is not a number");
	refused(POOL_LVM("7"), "\"lvm\" is not an object");
	refused(POOL_LVM("{\"group\":[]}"), "\"group\" is not a string");
	refused(POOL_LVM("{\"zero\":\"yes\"}"), "\"zero\" is not true or false");
	refused(POOL_LVM("{\"metadata_sectors\":18014398509481985}"), "\"metadata_sectors\" is not");
}

static void nesting_is_bounded(void)
{
	char json[20000], why[200];

	memset(json, '[', sizeof(json) - 1);
	json[sizeof(json) - 1] = 0;
	CHECK(!parse(json, why));
	CHECK(strstr(why, "not JSON"));
}

static void a_long_name_is_refused(void)
{
	char json[4000], name[2000];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	snprintf(json, sizeof(json), "{" POOL ",\"volumes\":[{\"name\":\"%s\"," VOLUME "}]}", name);
	refused(json, "at most 1024 bytes");
}

static void what_would_take_much_memory_is_refused(void)
{
	static const char *const parts[] = { "{},", "0,", "[],", "{\"\":0}," };
	char why[200], *json;
	size_t i, at;

	json = te_alloc(4 << 20);
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		at = (size_t)sprintf(json, "{" POOL ",\"volumes\":[],\"more\":[");
		while (at < (4 << 20) - 100)
			at += (size_t)sprintf(json + at, "%s", parts[i]);
		at += (size_t)sprintf(json + at, "0]}");
		CHECK(!te_catalog_parse(json, at, why, sizeof(why)));
		CHECK_STR(why, "it has more members than a catalog may have");
	}
	te_free(json);
}

static void utf8_is_what_the_standard_says(void)
{
	CHECK(te_utf8_valid("a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80"
			    "\x80\xf4\x8f\xbf\xbf", 23));
	CHECK(te_utf8_valid("", 0));
	CHECK(!te_utf8_valid("a\0b", 3));
	CHECK(!te_utf8_valid("\x80", 1));
	CHECK(!te_utf8_valid("\xc1\xbf", 2));		/* overlong */
	CHECK(!te_utf8_valid("\xe0\x9f\xbf", 3));
	CHECK(!te_utf8_valid("\xf0\x8f\xbf\xbf", 4));
	CHECK(!te_utf8_valid("\xed\xa0\x80", 3));	/* surrogate */
	CHECK(!te_utf8_valid("\xf4\x90\x80\x80", 4));	/* beyond */
	CHECK(!te_utf8_valid("\xf8\x88\x80\x80\x80", 5));
	CHECK(!te_utf8_valid("\xe2\x82", 2));		/* cut */
	CHECK(!te_utf8_valid("\xe2\x28\xa1", 3));
}

static void printed(const char *text, size_t columns, const char *wanted)
{
	char *copy = te_utf8_printable(text, columns);

	CHECK_STR(copy, wanted);
	te_free(copy);
}

static void what_is_printed_holds_no_commands_and_fits(void)
{
	printed("plain", 10, "plain");
	printed("plain", 5, "plain");
	printed("plainer", 5, "pl...");
	printed("a\x1b[2J\x7f\n", 20, "a?[2J??");
	printed("a\xc2\x9b" "2J", 20, "a?2J");
	printed("a\xff\xfe", 20, "a??");
	printed("äöüäöü", 6, "äöüäöü");
	printed("äöüäöüx", 6, "äöü...");
	printed("", 5, "");
	printed("abcd", 2, "");
}

UNIT_MAIN(UNIT(a_catalog_is_this_text),
	  UNIT(what_was_written_is_read),
	  UNIT(a_name_that_is_not_utf8_is_mangled),
	  UNIT(members_that_are_not_known_are_passed_by),
	  UNIT(what_is_no_catalog_is_refused),
	  UNIT(what_lvm_knew_is_this_text),
	  UNIT(what_lvm_knew_is_read),
	  UNIT(lvm_s_part_is_checked_too),
	  UNIT(nesting_is_bounded),
	  UNIT(a_long_name_is_refused),
	  UNIT(what_would_take_much_memory_is_refused),
	  UNIT(utf8_is_what_the_standard_says),
	  UNIT(what_is_printed_holds_no_commands_and_fits))
