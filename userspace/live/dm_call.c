// SPDX-License-Identifier: GPL-2.0-or-later
/* A device-mapper request made ready beforehand, and issued as one ioctl. */
#include "live/dm_call.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

int te_dm_control_open(void)
{
	int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* A device number as dm-ioctl has it: the kernel's huge_encode_dev(). */
static u64 encode_device(dev_t device)
{
	u64 low = minor(device);

	return (low & 0xff) | ((u64)major(device) << 8) | ((low & ~0xffULL) << 12);
}

static void prepare(struct te_dm_call *call, unsigned long request, dev_t device)
{
	memset(call, 0, sizeof(*call));
	call->request = request;
	/* 4.0.0: any kernel since 2.6 takes it, and all that is asked is as old. */
	call->head.version[0] = DM_VERSION_MAJOR;
	call->head.data_size = sizeof(call->head);
	call->head.data_start = sizeof(call->head);
	call->head.dev = encode_device(device);
}

void te_dm_call_suspend(struct te_dm_call *call, dev_t device, enum te_dm_freeze freeze)
{
	prepare(call, DM_DEV_SUSPEND, device);
	call->head.flags = DM_SUSPEND_FLAG | (freeze == TE_DM_FREEZE ? 0 : DM_SKIP_LOCKFS_FLAG);
}

void te_dm_call_resume(struct te_dm_call *call, dev_t device)
{
	prepare(call, DM_DEV_SUSPEND, device);
}

void te_dm_call_message(struct te_dm_call *call, dev_t device, const char *message)
{
	struct dm_target_msg *text = (void *)(call->bytes + sizeof(call->head));

	prepare(call, DM_TARGET_MSG, device);
	call->head.data_size = sizeof(call->bytes);
	snprintf(text->message, sizeof(call->bytes) - sizeof(call->head) - sizeof(*text), "%s",
		 message);
}

int te_dm_call_run(int control, const struct te_dm_call *call)
{
	struct te_dm_call scratch = *call;	/* the kernel writes its answer into it */

	return ioctl(control, scratch.request, &scratch.head) ? -errno : 0;
}
