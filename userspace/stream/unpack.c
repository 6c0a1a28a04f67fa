// SPDX-License-Identifier: GPL-2.0-or-later
/* Unpacking: a frame's memory, its checksum compared, its payload decoded. */
#include "stream/unpack.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "stream/codec.h"
#include "stream/frame.h"

#define PAGE_BYTES	4096u

/* Table and data, the data aligned, and a NUL behind the longest catalog. */
#define RAW_ROOM	(TE_FRAME_MAX_RAW + 2 * PAGE_BYTES)

int te_slot_init(struct te_slot *slot)
{
	memset(slot, 0, sizeof(*slot));
	slot->raw = aligned_alloc(PAGE_BYTES, RAW_ROOM);
	slot->stored = aligned_alloc(PAGE_BYTES, TE_FRAME_MAX_RAW);
	return slot->raw && slot->stored ? 0 : -ENOMEM;
}

void te_slot_exit(struct te_slot *slot)
{
	free(slot->raw);
	free(slot->stored);
}

bool te_slot_is_skipped(const struct te_slot *slot)
{
	return !te_frame_kind_name(le16_to_cpu(slot->header.kind));
}

static bool is_encoded(const struct te_slot *slot)
{
	return !te_slot_is_skipped(slot) && slot->header.codec != TE_CODEC_NONE;
}

/* The table ends where the data starts, and that is at a page. */
u8 *te_slot_raw(const struct te_slot *slot)
{
	size_t table_bytes = le32_to_cpu(slot->header.table_bytes);

	return slot->raw + round_up(table_bytes, (size_t)PAGE_BYTES) - table_bytes;
}

u8 *te_slot_stored(const struct te_slot *slot)
{
	return is_encoded(slot) || te_slot_is_skipped(slot) ? slot->stored : te_slot_raw(slot);
}

size_t te_slot_bytes(const struct te_slot *slot)
{
	size_t raw_bytes = le32_to_cpu(slot->header.raw_bytes);
	size_t stored_bytes = le32_to_cpu(slot->header.stored_bytes);

	if (te_slot_is_skipped(slot))
		return stored_bytes;
	return is_encoded(slot) ? raw_bytes + stored_bytes : raw_bytes;
}

/* Gives back what lies behind TE_SLOT_STAYS. */
static void shorten(u8 *memory, size_t room, size_t used)
{
	if (used > TE_SLOT_STAYS)
		madvise(memory + TE_SLOT_STAYS, room - TE_SLOT_STAYS, MADV_DONTNEED);
}

void te_slot_clear(struct te_slot *slot)
{
	shorten(slot->raw, RAW_ROOM, le32_to_cpu(slot->header.raw_bytes) + 2 * PAGE_BYTES);
	shorten(slot->stored, TE_FRAME_MAX_RAW, le32_to_cpu(slot->header.stored_bytes));
}

int te_slot_refuse(const struct te_slot *slot, const char *name, int err, const char *format, ...)
{
	char why[320];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	te_error("%s: frame %llu (byte %llu) %s", name, (unsigned long long)slot->sequence,
		 (unsigned long long)slot->offset, why);
	return err;
}

void te_decoders_exit(struct te_decoders *decoders)
{
	unsigned int id;

	for (id = 0; id < ARRAY_SIZE(decoders->of); id++)
		if (decoders->of[id])
			te_codec_find(id)->decoder_destroy(decoders->of[id]);
}

static int decode(const struct te_slot *slot, const char *name, struct te_decoders *decoders)
{
	unsigned int id = slot->header.codec;
	const struct te_codec *codec = te_codec_find(id);

	if (!decoders->of[id])
		decoders->of[id] = codec->decoder_create();
	if (!decoders->of[id])
		return te_slot_refuse(slot, name, -ENOMEM,
				      "cannot be decoded: not enough memory");
	if (codec->decode(decoders->of[id], slot->stored, le32_to_cpu(slot->header.stored_bytes),
			  te_slot_raw(slot), le32_to_cpu(slot->header.raw_bytes)))
		return 0;
	return te_slot_refuse(slot, name, -EBADMSG, "does not decode by %s to the %u bytes it says",
			      codec->name, le32_to_cpu(slot->header.raw_bytes));
}

int te_slot_unpack(struct te_slot *slot, const char *name, u32 csum, struct te_decoders *decoders)
{
	u32 wanted = le32_to_cpu(slot->header.payload_csum);

	if (csum != wanted)
		return te_slot_refuse(slot, name, -EBADMSG,
				      "has a damaged payload (checksum 0x%08x, wanted 0x%08x)",
				      csum, wanted);
	return is_encoded(slot) ? decode(slot, name, decoders) : 0;
}
