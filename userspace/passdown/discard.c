// SPDX-License-Identifier: GPL-2.0-or-later
/* Discarding free extents through the passdowns below a pool. */
#include "passdown/discard.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "base/say.h"
#include "passdown/rate.h"
#include "passdown/stripe.h"

/* Of one request; the kernel would not take much more at once. */
#define MOST_SECTORS	(1u << 19)	/* 256 MiB */

/* Between two looks at guard and array, whichever comes first. */
#define LOOK_BYTES	(1ull << 30)
#define LOOK_SECONDS	0.2

struct sending {
	const struct te_stack *stack;
	long shim;			/* that is open, or -1 */
	int fd;
	bool auto_pass;
	struct te_rate rate;
	u64 unlooked;			/* bytes sent since the last look */
	double looked;
	u64 *sent;
};

/* The guard is on and no discard would hang. */
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
	if (!shim.guarded || shim.below != sending->stack->shims[sending->shim].below) {
		te_error("%s: somebody has ended its guard or changed its table: nothing more is discarded",
			 shim.dm.name);
		return -ESTALE;
	}
	if (te_md_reshaping(shim.below, array, sizeof(array))) {
		te_error("%s: %s is being reshaped or about to be, and a discard would never end: nothing more is discarded; trim again when that is done",
			 shim.dm.name, array);
		return -EAGAIN;
	}
	return 0;
}

static int open_shim(struct sending *sending, long index)
{
	const struct te_shim *shim = &sending->stack->shims[index];
	char path[64];
	int err;

	if (sending->fd >= 0)
		close(sending->fd);
	sending->fd = -1;
	sending->shim = index;
	sending->auto_pass = shim->auto_pass;
	err = te_block_path(shim->dm.major, shim->dm.minor, path, sizeof(path));
	if (!err) {
		sending->fd = open(path, O_RDWR | O_CLOEXEC);
		err = sending->fd < 0 ? -errno : 0;
	}
	if (err) {
		te_error("%s: cannot be opened: %s", shim->dm.name, strerror(-err));
		return err;
	}
	return look(sending);
}

static int send_one(struct sending *sending, u64 start, u64 sectors)
{
	u64 range[2] = { start * 512, sectors * 512 };
	int err;

	if (ioctl(sending->fd, BLKDISCARD, range)) {
		err = -errno;
		te_error("%s: cannot discard %s at byte %llu: %s",
			 sending->stack->shims[sending->shim].dm.name, te_bytes(range[1]),
			 (unsigned long long)range[0], strerror(-err));
		return err;
	}
	*sending->sent += range[1];
	sending->unlooked += range[1];
	if (sending->auto_pass)
		te_rate_add(&sending->rate, range[1]);
	return 0;
}

static int send_extent(void *context, long shim, u64 start, u64 sectors)
{
	struct sending *sending = context;
	u64 end = start + sectors, border;
	int err = 0;

	if (shim < 0)
		return 0;
	if (shim != sending->shim)
		err = open_shim(sending, shim);
	while (!err && start < end) {
		if (sending->unlooked >= LOOK_BYTES ||
		    te_rate_seconds(&sending->rate) - sending->looked > LOOK_SECONDS)
			err = look(sending);
		if (err)
			break;
		/* Cut where units and stripes of any size up to this may be cut. */
		border = (start / MOST_SECTORS + 1) * MOST_SECTORS;
		border -= border % sending->stack->shims[shim].stripe_sectors;
		if (border <= start || border > end)
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
		.fd = -1,
		.sent = sent,
	};
	int err;

	te_rate_start(&sending.rate, most_rate);
	err = te_extents_each(extents, send_extent, &sending);
	if (sending.fd >= 0)
		close(sending.fd);
	return err;
}
