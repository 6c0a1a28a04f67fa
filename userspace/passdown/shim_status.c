// SPDX-License-Identifier: GPL-2.0-or-later
/* What there is to know of a passdown, for people and as JSON. */
#include "passdown/shim_status.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/listing.h"
#include "base/say.h"
#include "passdown/shim_file.h"
#include "passdown/stripe.h"
#include "passdown/sysfs.h"

struct known {
	char device[32];		/* below, as the kernel calls it */
	bool on_array;			/* of stripes */
	struct te_md md;
	u32 stripe_below;		/* sectors, when it is another */
	bool reshaping;
	char reshaped[32];
	bool kept;			/* for the next boot */
};

static void find_out(const struct te_shim *shim, struct known *known)
{
	memset(known, 0, sizeof(*known));
	te_sysfs_name(shim->below, known->device, sizeof(known->device));
	known->on_array = te_md_below(shim->below, &known->md);
	known->stripe_below = te_shim_stripe_below(shim);
	known->reshaping = te_md_reshaping(shim->below, known->reshaped, sizeof(known->reshaped));
	known->kept = te_shim_file_exists(shim->dm.name);
}

static void print_line(const char *what, const char *value, const char *behind)
{
	printf("  %-10s %9s   %s\n", what, value, behind);
}

static void print_device(const struct te_shim *shim, const struct known *known)
{
	char text[64];

	printf("%.40s on %s", shim->dm.name, known->device);
	if (known->on_array)
		printf(" (%s of %u disks)", known->md.level, known->md.raid_disks);
	printf("\n");
	snprintf(text, sizeof(text), "in stripes of %s, units of %s",
		 te_bytes(te_shim_stripe_bytes(shim, 1)), te_bytes(te_shim_bytes(shim, 1)));
	print_line("size", te_bytes(shim->sectors * 512), text);
}

static void print_space(const struct te_shim *shim)
{
	char text[64];

	print_line("free", te_bytes(te_shim_bytes(shim, shim->free_units)),
		   "discarded above, not yet passed down");
	print_line("due", te_bytes(te_shim_stripe_bytes(shim, shim->due_stripes)),
		   "of these stripes nothing is in use");
	print_line("trimmed", te_bytes(te_shim_bytes(shim, shim->trimmed_units)),
		   "passed down, not written since");
	snprintf(text, sizeof(text), "since it was made; %llu passes failed",
		 (unsigned long long)shim->errors);
	print_line("passed", te_bytes(te_shim_stripe_bytes(shim, shim->passed_stripes)), text);
}

static void print_way(const struct te_shim *shim, const struct known *known)
{
	const char *array = known->on_array ? known->md.name : known->device;
	const char *module = known->md.dm ? "dm_raid" : "raid456";

	if (shim->way == TE_SHIM_ZEROS)
		printf("  %s takes no discard: stripes are overwritten with zeros.\n", array);
	if (shim->way != TE_SHIM_NONE)
		return;
	printf("  Nothing goes down: %s takes no discard.  Two ways out:\n", array);
	if (known->on_array)
		printf("  - If each member returns zeros for what it was told to discard, and only\n"
		       "    then: `options %s devices_handle_discard_safely=Y` in a file of\n"
		       "    /etc/modprobe.d, and %s it again after\n"
		       "      echo Y >/sys/module/%s/parameters/devices_handle_discard_safely\n",
		       module, known->md.dm ? "deactivate the volume and activate" :
					      "stop the array and assemble", module);
	else
		printf("  - Put it on a device that does.\n");
	printf("  - Have whole stripes overwritten with zeros, which helps members that\n"
	       "    compress or find zeros: remove the passdown and create it --zero-fill.\n");
}

static void print_stripe_below(const struct te_shim *shim, const struct known *known)
{
	if (!known->stripe_below)
		return;
	printf("  Not all that goes down is taken: the array's stripes are %s now.\n",
	       te_bytes((u64)known->stripe_below * 512));
	printf("    `thinexport passdown restripe %s`, and then a trim.\n", shim->dm.name);
}

void te_shim_print(const struct te_shim *shim)
{
	struct known known;

	find_out(shim, &known);
	print_device(shim, &known);
	print_space(shim);
	printf("  Stripes go down %s.%s\n",
	       shim->auto_pass ? "as they fall due" : "when flushed, or after a trim",
	       known.kept ? "" : "  Not kept for the next boot.");
	if (shim->guarded)
		printf("  The guard is on: a trim is at work, or was killed: `thinexport cleanup` ends\n"
		       "    it, or where that knows of no run, `dmsetup message %s 0 guard_end`.\n",
		       shim->dm.name);
	print_way(shim, &known);
	print_stripe_below(shim, &known);
	if (known.reshaping && shim->auto_pass)
		printf("  %s is being reshaped, and discards hang meanwhile: do not use --auto.\n",
		       known.reshaped);
	else if (known.reshaping)
		printf("  %s is being reshaped: nothing goes down until that is done.\n",
		       known.reshaped);
}

static struct json_object *array_json(const struct te_md *md)
{
	struct json_object *array = json_object_new_object();

	te_listing_text(array, "name", md->name);
	te_listing_text(array, "level", md->level);
	te_listing_number(array, "chunk_bytes", (u64)md->chunk_sectors * 512);
	te_listing_number(array, "disks", md->raid_disks);
	te_listing_number(array, "data_disks", md->data_disks);
	return array;
}

struct json_object *te_shim_json(const struct te_shim *shim)
{
	static const char *const ways[] = {
		[TE_SHIM_DISCARD] = "discard",
		[TE_SHIM_ZEROS] = "zeros",
		[TE_SHIM_NONE] = "none",
	};
	struct json_object *object = json_object_new_object();
	struct known known;

	find_out(shim, &known);
	te_listing_text(object, "name", shim->dm.name);
	te_listing_text(object, "device", known.device);
	if (known.on_array)
		json_object_object_add(object, "array", array_json(&known.md));
	te_listing_number(object, "size_bytes", shim->sectors * 512);
	te_listing_number(object, "stripe_bytes", te_shim_stripe_bytes(shim, 1));
	if (known.on_array)
		te_listing_number(object, "array_stripe_bytes", (u64)te_md_stripe(&known.md) * 512);
	te_listing_number(object, "unit_bytes", te_shim_bytes(shim, 1));
	te_listing_number(object, "free_bytes", te_shim_bytes(shim, shim->free_units));
	te_listing_number(object, "due_bytes", te_shim_stripe_bytes(shim, shim->due_stripes));
	te_listing_number(object, "trimmed_bytes", te_shim_bytes(shim, shim->trimmed_units));
	te_listing_number(object, "passed_bytes", te_shim_stripe_bytes(shim, shim->passed_stripes));
	te_listing_number(object, "discards", shim->discards);
	te_listing_number(object, "guarded_bytes", te_shim_bytes(shim, shim->guarded_units));
	te_listing_number(object, "waited_writes", shim->waited);
	te_listing_number(object, "errors", shim->errors);
	te_listing_text(object, "mode", shim->auto_pass ? "auto" : "held");
	te_listing_text(object, "way", ways[shim->way]);
	json_object_object_add(object, "guarded", json_object_new_boolean(shim->guarded));
	json_object_object_add(object, "reshaping", json_object_new_boolean(known.reshaping));
	json_object_object_add(object, "kept", json_object_new_boolean(known.kept));
	return object;
}
