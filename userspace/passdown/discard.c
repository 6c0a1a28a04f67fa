// SPDX-License-Identifier: GPL-2.0-or-later
/* Discarding free extents through the passdowns below a pool. */
#include "passdown/discard.h"

#include <stdio.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "live/dm_table.h"
#include "passdown/rate.h"
#include "passdown/stripe.h"

/* Of one message, or one stripe; the target would not take much more at once. */
#define MOST_SECTORS	(1u << 19)	/* 256 MiB */

/* Between two looks at guard and array, whichever comes first. */
#define LOOK_BYTES	(1ull << 30)
#define LOOK_SECONDS	0.2

struct sending {
	const struct te_stack *stack;
	long shim;			/* that they go to now, or -1 */
	bool auto_pass;
	u64 most_sectors;		/* of one message */
	struct te_rate rate;
	u64 unlooked;			/* bytes sent since the last look */
	double looked;
	u64 *sent;
};

static int lost_guard(const struct te_shim *shim)
{
	te_error("%s: somebody has ended its guard or changed its table: nothing more is discarded",
		 shim->dm.name);
	return -ESTALE;
}

/* No discard would hang, and the table is the one that was looked at. */
static int look(struct sending *sending)
{
	struct te_shim shim = sending->stack->shims[sending->shim];
	char array[32];
	int err;

	sending->unlooked = 0;
	sending->looked = te_rate_seconds(&sending->rate);
	if (te_interrupted())
		return -EINTR;
	err = te_shim_refresh(&shim);
	if (err)
		return err;
	if (!shim.guarded || shim.below != sending->stack->shims[sending->shim].below)
		return lost_guard(&shim);
	if (te_md_reshaping(shim.below, array, sizeof(array))) {
		te_error("%s: %s is being reshaped or about to be, and a discard would never end: nothing more is discarded; trim again when that is done",
			 shim.dm.name, array);
		return -EAGAIN;
	}
	return 0;
}

/* Whole stripes; with a rate, of those that go down at once, what may in a second. */
static u64 most_sectors(const struct te_shim *shim, u64 most_rate)
{
	u64 most = MOST_SECTORS;

	if (shim->auto_pass && most_rate && most_rate / 512 < most)
		most = most_rate / 512;
	return most > shim->stripe_sectors ? most - most % shim->stripe_sectors :
					     shim->stripe_sectors;
}

static int turn_to(struct sending *sending, long shim)
{
	sending->shim = shim;
	sending->auto_pass = sending->stack->shims[shim].auto_pass;
	sending->most_sectors = most_sectors(&sending->stack->shims[shim], sending->rate.most);
	return look(sending);
}

static int send_one(struct sending *sending, u64 start, u64 sectors)
{
	const struct te_shim *shim = &sending->stack->shims[sending->shim];
	char message[64], answer[8];
	u64 bytes = sectors * 512;
	int err;

	snprintf(message, sizeof(message), "%s %llu %llu", TE_MESSAGE_DISCARD,
		 (unsigned long long)start, (unsigned long long)sectors);
	err = te_dm_message(&shim->dm, message, answer, sizeof(answer));
	if (err == -ENOENT)
		return lost_guard(shim);
	if (err) {
		te_error("%s: cannot discard %s at byte %llu: %s", shim->dm.name, te_bytes(bytes),
			 (unsigned long long)start * 512, strerror(-err));
		return err;
	}
	*sending->sent += bytes;
	sending->unlooked += bytes;
	if (sending->auto_pass)
		te_rate_add(&sending->rate, bytes);
	return 0;
}

static int send_extent(void *context, long shim, u64 start, u64 sectors)
{
	struct sending *sending = context;
	u64 end = start + sectors, border, before;
	int err = 0;

	if (shim < 0)
		return 0;
	if (shim != sending->shim)
		err = turn_to(sending, shim);
	before = sending->stack->shims[shim].start;
	while (!err && start < end) {
		if (sending->unlooked >= LOOK_BYTES ||
		    te_rate_seconds(&sending->rate) - sending->looked > LOOK_SECONDS)
			err = look(sending);
		if (err)
			break;
		border = start + sending->most_sectors - (before + start) % sending->most_sectors;
		if (border > end)
			border = end;
		err = send_one(sending, start, border - start);
		start = border;
	}
	return err;
}

int te_discard_extents(const struct te_extents *extents, u64 most_rate, u64 *sent)
{
	struct sending sending = {
		.stack = extents->stack,
		.shim = -1,
		.sent = sent,
	};

	te_rate_start(&sending.rate, most_rate);
	return te_extents_each(extents, send_extent, &sending);
}
