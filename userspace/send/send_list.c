// SPDX-License-Identifier: GPL-2.0-or-later
/* What `send -n` prints: what would be sent, volume by volume. */
#include "send/send_list.h"

#include <json-c/json.h>
#include <stdio.h>

#include "base/listing.h"
#include "base/say.h"
#include "base/utf8.h"

#define NAME_COLUMNS	17u

static u64 block_bytes(const struct te_plan *plan)
{
	return (u64)plan->source->block_sectors * 512;
}

/* "~" marks a length that is only the end of the last mapping. */
static void print_volume(const struct te_plan *plan, const struct te_plan_volume *planned)
{
	const struct te_volume *volume = planned->volume;
	char *name = te_utf8_printable(volume->name ? volume->name : "-", NAME_COLUMNS);
	u64 block = block_bytes(plan);

	printf("%8u %c%-9s %11s %9s %9s %9s  %s\n", volume->details.dev_id,
	       volume->size_from == TE_SIZE_FROM_MAPPINGS ? '~' : ' ',
	       te_bytes(volume->virtual_sectors * 512), te_bytes(planned->mapped_blocks * block),
	       te_bytes(planned->shared_blocks * block),
	       te_bytes((planned->mapped_blocks - planned->shared_blocks) * block),
	       te_bytes(planned->sent_blocks * block), name ? name : "?");
	te_free(name);
}

void te_send_list(const struct te_plan *plan)
{
	u64 block = block_bytes(plan);
	bool guessed = false;
	size_t i;

	printf("%8s  %-9s %11s %9s %9s %9s  %s\n", "ID", "SIZE", "PROVISIONED", "SHARED",
	       "EXCLUSIVE", "TO SEND", "NAME");
	for (i = 0; i < plan->nr_volumes; i++) {
		print_volume(plan, &plan->volumes[i]);
		guessed |= plan->volumes[i].volume->size_from == TE_SIZE_FROM_MAPPINGS;
	}
	printf("%8s  %-9s %11s %9s %9s %9s\n", "all", "", te_bytes(plan->provisioned_blocks * block),
	       te_bytes(plan->shared_blocks * block),
	       te_bytes((plan->provisioned_blocks - plan->shared_blocks) * block),
	       te_bytes(plan->sent_blocks * block));
	if (guessed)
		printf("\n~ at least: the end of the last provisioned block; --size ID=SECTORS tells\n");
}

static struct json_object *volume_json(const struct te_plan *plan,
				       const struct te_plan_volume *planned)
{
	static const char *const from[] = {
		[TE_SIZE_FROM_TABLE] = "table",
		[TE_SIZE_FROM_OPTION] = "option",
		[TE_SIZE_FROM_MAPPINGS] = "mappings",
	};
	struct json_object *object = json_object_new_object();
	const struct te_volume *volume = planned->volume;
	u64 block = block_bytes(plan);

	te_listing_number(object, "id", volume->details.dev_id);
	te_listing_text(object, "name", volume->name);
	te_listing_number(object, "size_bytes", volume->virtual_sectors * 512);
	te_listing_text(object, "size_from", from[volume->size_from]);
	te_listing_number(object, "provisioned_bytes", planned->mapped_blocks * block);
	te_listing_number(object, "shared_bytes", planned->shared_blocks * block);
	te_listing_number(object, "exclusive_bytes",
			  (planned->mapped_blocks - planned->shared_blocks) * block);
	te_listing_number(object, "to_send_bytes", planned->sent_blocks * block);
	if (planned->parent >= 0)
		te_listing_number(object, "parent",
				  plan->volumes[planned->parent].volume->details.dev_id);
	return object;
}

void te_send_list_json(const struct te_plan *plan)
{
	struct json_object *object = json_object_new_object(), *volumes = json_object_new_array();
	u64 block = block_bytes(plan);
	size_t i;

	for (i = 0; i < plan->nr_volumes; i++)
		json_object_array_add(volumes, volume_json(plan, &plan->volumes[i]));
	te_listing_text(object, "pool", plan->source->pool_name);
	te_listing_number(object, "block_bytes", block);
	te_listing_number(object, "provisioned_bytes", plan->provisioned_blocks * block);
	te_listing_number(object, "shared_bytes", plan->shared_blocks * block);
	te_listing_number(object, "exclusive_bytes",
			  (plan->provisioned_blocks - plan->shared_blocks) * block);
	te_listing_number(object, "to_send_bytes", plan->sent_blocks * block);
	json_object_object_add(object, "volumes", volumes);
	te_listing_json(object);
}
