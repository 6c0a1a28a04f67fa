/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The seam: the one place where the core meets the kernel or libc.
 *
 * The core is written in the kernel's spelling.  In the module these are the
 * kernel's own; in userspace the same names are made here from libc.  Nothing
 * else in the core may ask which of the two it is in.
 */
#ifndef TE_SEAM_H
#define TE_SEAM_H

#ifdef __KERNEL__

#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/crc32c.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/types.h>
#include <linux/vmalloc.h>
#include <asm/byteorder.h>

/* Zeroed memory of any size; te_free takes NULL. */
static inline void *te_alloc(size_t bytes)
{
	return kvzalloc(bytes, GFP_KERNEL);
}

static inline void te_free(void *p)
{
	kvfree(p);
}

#else

#include <endian.h>
#include <errno.h>
#include <isa-l/crc.h>
#include <limits.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#ifdef __CHECKER__
#define __force __attribute__((force))
#else
#define __force
#endif

#define le16_to_cpu(x)	le16toh((__force u16)(__le16)(x))
#define le32_to_cpu(x)	le32toh((__force u32)(__le32)(x))
#define le64_to_cpu(x)	le64toh((__force u64)(__le64)(x))
#define cpu_to_le16(x)	((__force __le16)htole16(x))
#define cpu_to_le32(x)	((__force __le32)htole32(x))
#define cpu_to_le64(x)	((__force __le64)htole64(x))

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#define hweight64(x)	((unsigned int)__builtin_popcountll(x))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define DIV_ROUND_UP(n, d)	(((n) + (d) - 1) / (d))
#define round_up(x, a)	((((x) - 1) | ((__typeof__(x))(a) - 1)) + 1)
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))

static inline u32 crc32c(u32 crc, const void *p, size_t bytes)
{
	return crc32_iscsi((unsigned char *)p, (int)bytes, crc);
}

static inline void cond_resched(void)
{
}

static inline u64 div64_u64(u64 dividend, u64 divisor)
{
	return dividend / divisor;
}

static inline u64 div64_u64_rem(u64 dividend, u64 divisor, u64 *remainder)
{
	*remainder = dividend % divisor;
	return dividend / divisor;
}

static inline void *te_alloc(size_t bytes)
{
	return calloc(1, bytes ? bytes : 1);
}

static inline void te_free(void *p)
{
	free(p);
}

#endif

#endif
