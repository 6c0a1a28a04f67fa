// SPDX-License-Identifier: GPL-2.0-or-later
/* What LVM reports: read as it is, and refused when it is not what LVM says. */
#include "lvm/lvm.h"
#include "lvm/lvm_room.h"
#include "base/say.h"
#include "unit.h"

/* As vgs and lvs 2.03.16 printed them, but for volumes of a second pool. */
static const char group_json[] =
"  {\n"
"      \"report\": [\n"
"          {\n"
"              \"vg\": [\n"
"                  {\"vg_name\":\"v-g\", \"vg_uuid\":\"vBhckc-nGdw-dxhI-1j0O-svAh-CcJT-eK5m98\", \"vg_exported\":\"0\", \"vg_partial\":\"0\", \"vg_clustered\":\"0\", \"vg_lock_type\":\"\", \"vg_seqno\":\"7\", \"vg_extent_size\":\"8192\", \"vg_free_count\":\"30\", \"vg_mda_free\":\"1015\"}\n"
"              ]\n"
"          }\n"
"      ]\n"
"  }\n";

#define PLAIN	"\"lv_metadata_size\":\"\", \"chunk_size\":\"0\", \"discards\":\"\", \"zero\":\"-1\", \"lv_when_full\":\"\", \"lv_profile\":\"\"}"
#define THIN	"\"lv_metadata_size\":\"\", \"chunk_size\":\"0\", \"discards\":\"passdown\", \"zero\":\"1\", \"lv_when_full\":\"\", \"lv_profile\":\"\"}"

static const char lvs_json[] =
"  {\n      \"report\": [\n          {\n              \"lv\": [\n"
"{\"lv_name\":\"db-1\", \"lv_uuid\":\"6a9zlH-3nxr-gYYl-IWox-R3FY-HYVq-sbZ3nh\", \"segtype\":\"thin\", \"lv_size\":\"32768\", \"lv_permissions\":\"unknown\", \"lv_skip_activation\":\"0\", \"lv_merging\":\"0\", \"lv_time\":\"1795257680\", \"lv_host\":\"(none)\", \"lv_tags\":\"\", \"origin\":\"\", \"pool_lv_uuid\":\"trJCzj-cXJA-g9Ff-eZtu-eRw2-fCur-Oi1ujn\", \"thin_id\":\"2\", \"transaction_id\":\"1\", " THIN ",\n"
"{\"lv_name\":\"lvol0_pmspare\", \"lv_uuid\":\"Bn60na-1JaR-pj0h-ZMvm-EkKa-Eh1Q-tqC2fg\", \"segtype\":\"linear\", \"lv_size\":\"8192\", \"lv_permissions\":\"unknown\", \"lv_skip_activation\":\"0\", \"lv_merging\":\"0\", \"lv_time\":\"1795257675\", \"lv_host\":\"(none)\", \"lv_tags\":\"\", \"origin\":\"\", \"pool_lv_uuid\":\"\", \"thin_id\":\"\", \"transaction_id\":\"\", " PLAIN ",\n"
"{\"lv_name\":\"my-pool\", \"lv_uuid\":\"trJCzj-cXJA-g9Ff-eZtu-eRw2-fCur-Oi1ujn\", \"segtype\":\"thin-pool\", \"lv_size\":\"131072\", \"lv_permissions\":\"read-only-override\", \"lv_skip_activation\":\"0\", \"lv_merging\":\"0\", \"lv_time\":\"1795257675\", \"lv_host\":\"here\", \"lv_tags\":\"pt\", \"origin\":\"\", \"pool_lv_uuid\":\"\", \"thin_id\":\"\", \"transaction_id\":\"3\", \"lv_metadata_size\":\"8192\", \"chunk_size\":\"128\", \"discards\":\"passdown\", \"zero\":\"1\", \"lv_when_full\":\"error\", \"lv_profile\":\"\"},\n"
"{\"lv_name\":\"thick\", \"lv_uuid\":\"gAYyrQ-MBEG-ZVHZ-YKD9-NKCs-fhls-6LeIid\", \"segtype\":\"linear\", \"lv_size\":\"16384\", \"lv_permissions\":\"writeable\", \"lv_skip_activation\":\"0\", \"lv_merging\":\"0\", \"lv_time\":\"1795257684\", \"lv_host\":\"(none)\", \"lv_tags\":\"\", \"origin\":\"\", \"pool_lv_uuid\":\"\", \"thin_id\":\"\", \"transaction_id\":\"\", " PLAIN ",\n"
"{\"lv_name\":\"web\", \"lv_uuid\":\"tu9rnj-Ucob-dwNd-j5kN-mKOS-opd9-tTh7mo\", \"segtype\":\"thin\", \"lv_size\":\"65536\", \"lv_permissions\":\"writeable\", \"lv_skip_activation\":\"0\", \"lv_merging\":\"0\", \"lv_time\":\"1795257678\", \"lv_host\":\"(none)\", \"lv_tags\":\"a,b=c/d\", \"origin\":\"\", \"pool_lv_uuid\":\"trJCzj-cXJA-g9Ff-eZtu-eRw2-fCur-Oi1ujn\", \"thin_id\":\"1\", \"transaction_id\":\"0\", " THIN ",\n"
"{\"lv_name\":\"web-snap\", \"lv_uuid\":\"Clv1TW-Xroy-wP29-rnmu-ZEPc-WDqh-Z0Pav0\", \"segtype\":\"thin\", \"lv_size\":\"65536\", \"lv_permissions\":\"read-only\", \"lv_skip_activation\":\"1\", \"lv_merging\":\"1\", \"lv_time\":\"1795257681\", \"lv_host\":\"(none)\", \"lv_tags\":\"\", \"origin\":\"web\", \"pool_lv_uuid\":\"trJCzj-cXJA-g9Ff-eZtu-eRw2-fCur-Oi1ujn\", \"thin_id\":\"3\", \"transaction_id\":\"2\", " THIN ",\n"
"{\"lv_name\":\"other\", \"lv_uuid\":\"aaaaaa-cXJA-g9Ff-eZtu-eRw2-fCur-Oi1ujn\", \"segtype\":\"thin-pool\", \"lv_size\":\"131072\", \"lv_permissions\":\"writeable\", \"lv_skip_activation\":\"0\", \"lv_merging\":\"0\", \"lv_time\":\"\", \"lv_host\":\"\", \"lv_tags\":\"\", \"origin\":\"\", \"pool_lv_uuid\":\"\", \"thin_id\":\"\", \"transaction_id\":\"1\", \"lv_metadata_size\":\"8192\", \"chunk_size\":\"256\", \"discards\":\"ignore\", \"zero\":\"0\", \"lv_when_full\":\"queue\", \"lv_profile\":\"slow\"},\n"
"{\"lv_name\":\"on-thick\", \"lv_uuid\":\"bbbbbb-Ucob-dwNd-j5kN-mKOS-opd9-tTh7mo\", \"segtype\":\"thin\", \"lv_size\":\"8\", \"lv_permissions\":\"writeable\", \"lv_skip_activation\":\"0\", \"lv_merging\":\"0\", \"lv_time\":\"1\", \"lv_host\":\"h\", \"lv_tags\":\"\", \"origin\":\"thick\", \"pool_lv_uuid\":\"aaaaaa-cXJA-g9Ff-eZtu-eRw2-fCur-Oi1ujn\", \"thin_id\":\"1\", \"transaction_id\":\"0\", " THIN "\n"
"              ]\n          }\n      ]\n  }\n";

static struct te_lvm_group read_all(void)
{
	struct te_lvm_group group;
	char why[200] = "";

	CHECK_EQ(te_lvm_read_group(&group, group_json, strlen(group_json), why, sizeof(why)), 0);
	CHECK_EQ(te_lvm_read_lvs(&group, lvs_json, strlen(lvs_json), why, sizeof(why)), 0);
	return group;
}

static void a_group_is_what_vgs_says(void)
{
	struct te_lvm_group group = read_all();

	CHECK_STR(group.name, "v-g");
	CHECK_STR(group.uuid, "vBhckc-nGdw-dxhI-1j0O-svAh-CcJT-eK5m98");
	CHECK(!group.exported && !group.partial && !group.clustered && !group.lock_type);
	CHECK_EQ(group.seqno, 7);
	CHECK_EQ(group.extent_sectors, 8192);
	CHECK_EQ(group.free_extents, 30);
	CHECK_EQ(group.free_text_sectors, 1015);
	CHECK_EQ(group.nr_lvs, 8);
	te_lvm_group_exit(&group);
}

static void volumes_are_what_lvs_says(void)
{
	struct te_lvm_group group = read_all();
	const struct te_lvm_lv *lv = &group.lvs[2];

	CHECK_EQ(lv->kind, TE_LVM_POOL);
	CHECK_STR(lv->name, "my-pool");
	CHECK_EQ(lv->sectors, 131072);
	CHECK_EQ(lv->metadata_sectors, 8192);
	CHECK_EQ(lv->chunk_sectors, 128);
	CHECK_EQ(lv->transaction_id, 3);
	CHECK(lv->error_when_full && lv->zero && !lv->read_only);
	CHECK_STR(lv->discards, "passdown");
	CHECK_STR(lv->host, "here");
	CHECK(!lv->profile);
	CHECK_EQ(lv->tags.nr, 1);
	CHECK_STR(lv->tags.strings[0], "pt");
	lv = &group.lvs[4];
	CHECK_EQ(lv->kind, TE_LVM_THIN);
	CHECK_EQ(lv->dev_id, 1);
	CHECK_EQ(lv->tags.nr, 2);
	CHECK_STR(lv->tags.strings[0], "a");
	CHECK_STR(lv->tags.strings[1], "b=c/d");
	CHECK(!lv->read_only && !lv->skip_activation && !lv->merging && !lv->origin);
	lv = &group.lvs[5];
	CHECK(lv->read_only && lv->skip_activation && lv->merging);
	CHECK_STR(lv->origin, "web");
	CHECK_EQ(lv->created, 1795257681);
	CHECK_EQ(group.lvs[3].kind, TE_LVM_OTHER);
	CHECK_EQ(group.lvs[0].tags.nr, 0);
	CHECK(!group.lvs[0].read_only);
	CHECK_STR(group.lvs[6].profile, "slow");
	CHECK(!group.lvs[6].zero && !group.lvs[6].error_when_full);
	te_lvm_group_exit(&group);
}

/* The text with one part of it replaced, to be freed. */
static char *replaced(const char *text, const char *part, const char *by)
{
	const char *at = strstr(text, part);
	char *copy;

	if (!at)
		UNIT_FAIL("\"%s\" is not in the text", part);
	copy = te_alloc(strlen(text) + strlen(by) + 1);
	sprintf(copy, "%.*s%s%s", (int)(at - text), text, by, at + strlen(part));
	return copy;
}

static void lvs_refused(const char *part, const char *by, const char *words)
{
	char *json = replaced(lvs_json, part, by), why[200] = "";
	struct te_lvm_group group = { .name = "v-g" };
	int err = te_lvm_read_lvs(&group, json, strlen(json), why, sizeof(why));

	te_lvm_group_exit(&group);
	te_free(json);
	CHECK_EQ(err, -EINVAL);
	if (!strstr(why, words))
		UNIT_FAIL("%s: \"%s\" does not say \"%s\"", by, why, words);
}

static void group_refused(const char *part, const char *by, const char *words)
{
	char *json = replaced(group_json, part, by), why[200] = "";
	struct te_lvm_group group;
	int err = te_lvm_read_group(&group, json, strlen(json), why, sizeof(why));

	te_free(json);
	CHECK_EQ(err, -EINVAL);
	if (!strstr(why, words))
		UNIT_FAIL("%s: \"%s\" does not say \"%s\"", by, why, words);
}

static void what_is_no_report_is_refused(void)
{
	lvs_refused("\"db-1\"", "\"db-1", "not JSON");
	lvs_refused("\"report\"", "\"rapport\"", "no report");
	lvs_refused("\"lv\": [", "\"pv\": [", "no report");
	lvs_refused("\"lv\": [", "\"lv\": [7,", "no object");
	lvs_refused("db-1", "\xff", "not JSON");
	group_refused("\"vg\": [", "\"vg\": [{},", "just one");
	group_refused("\"vg_name\":\"v-g\", ", "", "vg_name is missing");
	group_refused("\"8192\"", "\"0\"", "vg_extent_size of v-g is missing");
	group_refused("v-g", "..", "vg_name is no name");
	group_refused("v-g", "a/b", "vg_name is no name");
	group_refused("\"vg_exported\":\"0\"", "\"vg_exported\":\"yes\"", "neither 0 nor 1");
	group_refused("vBhckc-nGdw", "vBhckcnGdw", "vg_uuid of v-g is no uuid");
	group_refused("vBhckc-nGdw-dxhI-1j0O-svAh-CcJT-eK5m98", "", "vg_uuid of v-g is missing");
}

static void impossible_volumes_are_refused(void)
{
	lvs_refused("\"lv_name\":\"db-1\", ", "", "lv_name is missing");
	lvs_refused("db-1", "-1", "lv_name is no name");
	lvs_refused("db-1", "a\\nb", "lv_name is no name");
	lvs_refused("db-1", "a\\u0000b", "lv_name is no");
	lvs_refused("6a9zlH-3nxr", "6a9zlH+3nxr", "lv_uuid of db-1 is no uuid");
	lvs_refused("6a9zlH-3nxr-gYYl-IWox-R3FY-HYVq-sbZ3nh", "", "lv_uuid of db-1 is missing");
	lvs_refused("\"thin_id\":\"2\"", "\"thin_id\":\"\"", "thin_id of db-1 is missing");
	lvs_refused("\"thin_id\":\"2\"", "\"thin_id\":\"16777216\"", "thin_id of db-1 is no number");
	lvs_refused("\"thin_id\":\"2\"", "\"thin_id\":\"-2\"", "thin_id of db-1 is no number");
	lvs_refused("\"thin_id\":\"2\"", "\"thin_id\":2", "thin_id of db-1 is missing");
	lvs_refused("\"32768\"", "\"16.00m\"", "lv_size of db-1 is no number");
	lvs_refused("\"32768\"", "\"99999999999999999999\"", "lv_size of db-1 is no number");
	lvs_refused("\"lv_permissions\":\"unknown\"", "\"lv_permissions\":\"all\"",
		    "lv_permissions of db-1 is none that is known");
	lvs_refused("trJCzj-cXJA-g9Ff-eZtu-eRw2-fCur-Oi1ujn", "", "pool_lv_uuid of db-1 is missing");
	lvs_refused("\"lv_profile\":\"\"", "\"more\":\"\"", "lv_profile of db-1 is missing");
}

/* Names against the group; said is the sentence when they do not resolve. */
static int resolve(struct te_lvm *lvm, const char **names, size_t nr, char said[TE_SAID_BYTES])
{
	int err;

	*lvm = (struct te_lvm){ .names = names, .nr_names = nr, .group = read_all() };
	te_say_keep(said);
	err = te_lvm_resolve(lvm);
	te_say_keep(NULL);
	return err;
}

static void drop(struct te_lvm *lvm)
{
	te_lvm_group_exit(&lvm->group);
	te_free(lvm->volumes);
	te_free(lvm->chosen);
}

static void a_pool_is_all_its_volumes(void)
{
	const char *names[] = { "v-g/my-pool" };
	char said[TE_SAID_BYTES];
	struct te_lvm lvm;

	CHECK_EQ(resolve(&lvm, names, 1, said), 0);
	CHECK_STR(lvm.path, "v-g/my-pool");
	CHECK_EQ(lvm.nr_chosen, 0);
	CHECK_EQ(lvm.nr_volumes, 3);
	CHECK_STR(lvm.volumes[0]->name, "web");
	CHECK_STR(lvm.volumes[1]->name, "db-1");
	CHECK_STR(lvm.volumes[2]->name, "web-snap");
	CHECK(te_lvm_find_id(&lvm, 3) == lvm.volumes[2]);
	CHECK(!te_lvm_find_id(&lvm, 4));
	CHECK(te_lvm_find_name(&lvm, "db-1") == lvm.volumes[1]);
	CHECK(!te_lvm_find_name(&lvm, "thick"));
	CHECK(!te_lvm_find_name(&lvm, "on-thick"));
	drop(&lvm);
}

static void volumes_lead_to_their_pool(void)
{
	const char *names[] = { "v-g/web-snap", "v-g/web" };
	char said[TE_SAID_BYTES];
	struct te_lvm lvm;

	CHECK_EQ(resolve(&lvm, names, 2, said), 0);
	CHECK_STR(lvm.path, "v-g/my-pool");
	CHECK_EQ(lvm.nr_chosen, 2);
	CHECK_STR(lvm.chosen[0]->name, "web-snap");
	CHECK_STR(lvm.chosen[1]->name, "web");
	drop(&lvm);
}

static void not_resolved(const char *first, const char *second, const char *words)
{
	const char *names[] = { first, second };
	char said[TE_SAID_BYTES];
	struct te_lvm lvm;
	int err = resolve(&lvm, names, second ? 2 : 1, said);

	drop(&lvm);
	CHECK(err);
	if (!strstr(said, words))
		UNIT_FAIL("\"%s\" does not say \"%s\"", said, words);
}

static void names_that_do_not_go_together_are_refused(void)
{
	not_resolved("v-g/nope", NULL, "has no volume nope");
	not_resolved("v-g/thick", NULL, "v-g/thick is no thin pool and no thin volume: it is of type linear");
	not_resolved("v-g/my-pool", "v-g/web", "v-g/my-pool is a pool: name it alone");
	not_resolved("v-g/web", "v-g/my-pool", "v-g/my-pool is a pool: name it alone");
	not_resolved("v-g/web", "v-g/on-thick", "one of the pool other");
}

/* The group, but for one of the things that vgs tells of it: looked at, and what is said. */
static int check_group_with(const char *from, const char *to, char *said)
{
	char *json = replaced(group_json, from, to);
	struct te_lvm_group group;
	char why[200];
	int err;

	CHECK_EQ(te_lvm_read_group(&group, json, strlen(json), why, sizeof(why)), 0);
	te_say_keep(said);
	err = te_lvm_check_group(&group);
	te_say_keep(NULL);
	te_lvm_group_exit(&group);
	te_free(json);
	return err;
}

static void group_not_touched(const char *from, const char *to, const char *words)
{
	char said[TE_SAID_BYTES];

	CHECK_EQ(check_group_with(from, to, said), -EPERM);
	if (!strstr(said, words))
		UNIT_FAIL("\"%s\" does not say \"%s\"", said, words);
}

/* As vgs tells of it, here and on the other host. */
static void a_group_of_other_hosts_is_not_touched(void)
{
	char said[TE_SAID_BYTES];

	group_not_touched("\"vg_lock_type\":\"\"", "\"vg_lock_type\":\"sanlock\"",
			  "volume group v-g is shared with other hosts (sanlock)");
	group_not_touched("\"vg_clustered\":\"0\"", "\"vg_clustered\":\"1\"",
			  "volume group v-g is shared with other hosts (clustered)");
	group_not_touched("\"vg_exported\":\"0\"", "\"vg_exported\":\"1\"",
			  "`vgimport v-g` takes it back");
	CHECK_EQ(check_group_with("\"vg_lock_type\":\"\"", "\"vg_lock_type\":\"none\"", said), 0);
}

static void an_origin_outside_the_pool_is_seen(void)
{
	const char *names[] = { "v-g/other" };
	char said[TE_SAID_BYTES];
	struct te_lvm lvm;

	CHECK_EQ(resolve(&lvm, names, 1, said), 0);
	CHECK_EQ(lvm.nr_volumes, 1);
	CHECK(te_lvm_has_external_origin(&lvm, lvm.volumes[0]));
	drop(&lvm);
	names[0] = "v-g/my-pool";
	CHECK_EQ(resolve(&lvm, names, 1, said), 0);
	CHECK(!te_lvm_has_external_origin(&lvm, lvm.volumes[0]));
	CHECK(!te_lvm_has_external_origin(&lvm, lvm.volumes[2]));
	drop(&lvm);
}

static void two_volumes_of_one_device_id_are_refused(void)
{
	char *json = replaced(lvs_json, "\"thin_id\":\"2\"", "\"thin_id\":\"3\"");
	const char *names[] = { "v-g/my-pool" };
	struct te_lvm lvm = { .names = names, .nr_names = 1 };
	char said[TE_SAID_BYTES], why[200];
	int err;

	snprintf(lvm.group.name, sizeof(lvm.group.name), "v-g");
	CHECK_EQ(te_lvm_read_lvs(&lvm.group, json, strlen(json), why, sizeof(why)), 0);
	te_say_keep(said);
	err = te_lvm_resolve(&lvm);
	te_say_keep(NULL);
	drop(&lvm);
	te_free(json);
	CHECK_EQ(err, -EINVAL);
	CHECK(strstr(said, "two volumes of device id 3"));
}

static void a_path_is_a_group_and_a_name(void)
{
	CHECK(te_lvm_is_path("vms/pool"));
	CHECK(te_lvm_is_path("v-g/my-pool"));
	CHECK(te_lvm_is_path("v.g/_a+b"));
	CHECK(!te_lvm_is_path("pool"));
	CHECK(!te_lvm_is_path("/dev/vms"));
	CHECK(!te_lvm_is_path("/vms"));
	CHECK(!te_lvm_is_path("vms/"));
	CHECK(!te_lvm_is_path("vms/a/b"));
	CHECK(!te_lvm_is_path("./pool.thin"));
	CHECK(!te_lvm_is_path("../pool.thin"));
	CHECK(!te_lvm_is_path("-vms/pool"));
	CHECK(!te_lvm_is_path("vms/po ol"));
	/* Files, there or mistyped. */
	CHECK(!te_lvm_is_path("tests/unit"));
	CHECK(!te_lvm_is_path("tests/nope.thin"));
}

static void a_device_s_name_doubles_dashes(void)
{
	char name[TE_DM_NAME_BYTES], path[300];

	te_lvm_dm_name("vms/pool", name);
	CHECK_STR(name, "vms-pool-tpool");
	te_lvm_dm_name("v-g/my--pool", name);
	CHECK_STR(name, "v--g-my----pool-tpool");
	memset(path, '-', sizeof(path) - 1);
	path[sizeof(path) - 1] = 0;
	te_lvm_dm_name(path, name);
	CHECK(strlen(name) < sizeof(name));
}

static void a_copy_has_all_and_stands_alone(void)
{
	struct te_lvm_group group = read_all();
	struct te_lvm_lv copy;

	CHECK(te_lvm_lv_copy(&copy, &group.lvs[4]));
	te_lvm_group_exit(&group);
	CHECK_STR(copy.name, "web");
	CHECK_STR(copy.tags.strings[1], "b=c/d");
	CHECK_EQ(copy.dev_id, 1);
	te_lvm_lv_exit(&copy);
}

/* Of a look, however often it is asked; and of one that is long ago, nothing any more. */
static void no_more_is_written_than_was_found_free(void)
{
	struct te_lvm_room room = { .budget = 100 };

	CHECK_EQ(te_lvm_room_spend(&room, 60), 60);
	room.spent = false;
	CHECK_EQ(te_lvm_room_spend(&room, 60), 40);
	room.spent = false;
	CHECK_EQ(te_lvm_room_spend(&room, 1), 0);
	room = (struct te_lvm_room) { .budget = 100, .spent = true };
	CHECK_EQ(te_lvm_room_spend(&room, 60), 0);
}

UNIT_MAIN(UNIT(a_group_is_what_vgs_says),
	  UNIT(volumes_are_what_lvs_says),
	  UNIT(what_is_no_report_is_refused),
	  UNIT(impossible_volumes_are_refused),
	  UNIT(a_pool_is_all_its_volumes),
	  UNIT(volumes_lead_to_their_pool),
	  UNIT(names_that_do_not_go_together_are_refused),
	  UNIT(a_group_of_other_hosts_is_not_touched),
	  UNIT(an_origin_outside_the_pool_is_seen),
	  UNIT(two_volumes_of_one_device_id_are_refused),
	  UNIT(a_path_is_a_group_and_a_name),
	  UNIT(a_device_s_name_doubles_dashes),
	  UNIT(a_copy_has_all_and_stands_alone),
	  UNIT(no_more_is_written_than_was_found_free))
