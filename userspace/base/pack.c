// SPDX-License-Identifier: GPL-2.0-or-later
/* Numbers and bytes packed one behind the other. */
#include "base/pack.h"

void te_pack_bytes(struct te_pack *pack, const void *p, size_t bytes)
{
	if (pack->failed || bytes > pack->room - pack->used) {
		pack->failed = true;
		return;
	}
	if (bytes)
		memcpy(pack->bytes + pack->used, p, bytes);
	pack->used += bytes;
}

void te_pack_u64(struct te_pack *pack, u64 number)
{
	__le64 value = cpu_to_le64(number);

	te_pack_bytes(pack, &value, sizeof(value));
}

const void *te_unpack_bytes(struct te_pack *pack, size_t bytes)
{
	const u8 *at = pack->bytes + pack->used;

	if (pack->failed || bytes > pack->room - pack->used) {
		pack->failed = true;
		return NULL;
	}
	pack->used += bytes;
	return at;
}

void te_unpack_to(struct te_pack *pack, void *p, size_t bytes)
{
	const void *from = te_unpack_bytes(pack, bytes);

	if (from)
		memcpy(p, from, bytes);
	else
		memset(p, 0, bytes);
}

u64 te_unpack_u64(struct te_pack *pack, u64 most)
{
	__le64 value;

	te_unpack_to(pack, &value, sizeof(value));
	if (le64_to_cpu(value) <= most)
		return le64_to_cpu(value);
	pack->failed = true;
	return 0;
}
