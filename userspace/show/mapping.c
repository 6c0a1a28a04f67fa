// SPDX-License-Identifier: GPL-2.0-or-later
/* A volume's mappings looked up in ascending order, and two volumes' compared. */
#include "show/mapping.h"

void te_mapping_init(struct te_mapping *mapping, struct te_reader *reader, u64 root,
		     struct te_fault *fault)
{
	te_cursor_init(&mapping->cursor, reader, sizeof(__le64), fault);
	te_cursor_begin(&mapping->cursor, root, (struct te_range){ 0, UINT64_MAX });
}

void te_mapping_exit(struct te_mapping *mapping)
{
	te_cursor_exit(&mapping->cursor);
}

/* Passes by all that lies below `from`, unread where it can be.  True: an item is there. */
static bool skip_to(struct te_cursor *cursor, u64 from, struct te_cursor_item *item)
{
	while (te_cursor_item(cursor, item)) {
		if (item->range.high > from)
			return true;
		te_cursor_step(cursor);
	}
	return false;
}

static u64 entry_block(struct te_cursor *cursor, const struct te_cursor_item *item)
{
	return te_mapping_block(te_node_value64(&te_cursor_top(cursor)->node, item->index));
}

int te_mapping_next(struct te_mapping *mapping, u64 from, u64 *virtual_block, u64 *pool_block)
{
	struct te_cursor *cursor = &mapping->cursor;
	struct te_cursor_item item;

	while (skip_to(cursor, from, &item)) {
		int err;

		if (item.entry) {
			*virtual_block = item.range.low;
			*pool_block = entry_block(cursor, &item);
			return 1;
		}
		err = te_cursor_descend(cursor);
		if (err)
			return err;
	}
	return 0;
}

/* Two items of two trees, one of which at least is a node: goes on from there. */
static int approach(struct te_cursor *a, const struct te_cursor_item *item_a, bool has_a,
		    struct te_cursor *b, const struct te_cursor_item *item_b, bool has_b, u64 to)
{
	bool node_a = has_a && !item_a->entry, node_b = has_b && !item_b->entry;

	if (node_a && node_b && item_a->block == item_b->block && item_a->range.high <= to &&
	    item_b->range.high <= to) {
		te_cursor_step(a);
		te_cursor_step(b);
		return 0;
	}
	/* The one nearer to its root, so that both come to stand at the same level. */
	if (node_a && (!node_b || item_a->level <= item_b->level))
		return te_cursor_descend(a);
	return te_cursor_descend(b);
}

int te_mapping_same(struct te_mapping *a, struct te_mapping *b, u64 *from, u64 to)
{
	for (;;) {
		struct te_cursor_item item_a, item_b;
		bool has_a = skip_to(&a->cursor, *from, &item_a) && item_a.range.low < to;
		bool has_b = skip_to(&b->cursor, *from, &item_b) && item_b.range.low < to;
		u64 key_a = has_a ? item_a.range.low : to, key_b = has_b ? item_b.range.low : to;
		int err;

		if (!has_a && !has_b)
			return 1;
		if ((has_a && !item_a.entry) || (has_b && !item_b.entry)) {
			err = approach(&a->cursor, &item_a, has_a, &b->cursor, &item_b, has_b, to);
			if (err)
				return err;
			continue;
		}
		if (key_a != key_b ||
		    entry_block(&a->cursor, &item_a) != entry_block(&b->cursor, &item_b)) {
			*from = key_a < key_b ? key_a : key_b;
			return 0;
		}
		*from = key_a + 1;
	}
}
