/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the generator share. */
#ifndef TE_GENERATE_PRIVATE_H
#define TE_GENERATE_PRIVATE_H

#include "generate.h"

void te_gen_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void *te_gen_memory(size_t bytes);		/* zeroed, page by page as it is used */

static inline void *te_gen_block(struct te_gen *gen, u64 block)
{
	return gen->image + block * THIN_METADATA_BLOCK_BYTES;
}

/* A block with one reference, its content undefined. */
u64 te_gen_new_block(struct te_gen *gen);
void te_gen_free_block(struct te_gen *gen, u64 block);

u64 te_gen_new_node(struct te_gen *gen, bool leaf, u32 value_bytes);

/* Entries of a tree that is written in one go, in order of their keys. */
struct te_gen_entries {
	u64 nr;
	u32 value_bytes;
	void (*next)(struct te_gen_entries *entries, u64 *key, void *value);
	struct te_gen *gen;
	u64 position;
};

u64 te_gen_write_tree(struct te_gen *gen, struct te_gen_entries *entries);

#endif
