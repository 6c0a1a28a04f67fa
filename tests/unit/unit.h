/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test program: functions of one sentence each, reported as KTAP.
 *
 *	static void rank_of_an_empty_map_is_zero(void) { ...; CHECK_EQ(x, 0); }
 *	UNIT_MAIN(UNIT(rank_of_an_empty_map_is_zero), ...)
 *
 * A CHECK that fails says where and what, ends its test and goes on with the next.
 */
#ifndef TE_UNIT_H
#define TE_UNIT_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	void (*run)(void);
};

static jmp_buf unit_escape;

#define UNIT(function)	{ #function, function }

#define UNIT_FAIL(...) do {							\
	printf("# %s:%d: ", __FILE__, __LINE__);				\
	printf(__VA_ARGS__);							\
	printf("\n");								\
	longjmp(unit_escape, 1);						\
} while (0)

#define CHECK(condition) do {							\
	if (!(condition))							\
		UNIT_FAIL("not so: %s", #condition);				\
} while (0)

#define CHECK_EQ(a, b) do {							\
	long long unit_a = (long long)(a), unit_b = (long long)(b);		\
										\
	if (unit_a != unit_b)							\
		UNIT_FAIL("%s is %lld, %s is %lld", #a, unit_a, #b, unit_b);	\
} while (0)

#define CHECK_STR(a, b) do {							\
	const char *unit_a = (a), *unit_b = (b);				\
										\
	if (strcmp(unit_a, unit_b))						\
		UNIT_FAIL("%s is \"%s\", not \"%s\"", #a, unit_a, unit_b);	\
} while (0)

static int unit_main(const struct unit *units, size_t nr)
{
	volatile size_t i, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("KTAP version 1\n1..%zu\n", nr);
	for (i = 0; i < nr; i++) {
		int bad = setjmp(unit_escape);

		if (!bad)
			units[i].run();
		failed += bad != 0;
		printf("%sok %zu %s\n", bad ? "not " : "", i + 1, units[i].name);
	}
	return failed != 0;
}

#define UNIT_MAIN(...)								\
int main(void)									\
{										\
	static const struct unit units[] = { __VA_ARGS__ };			\
										\
	return unit_main(units, sizeof(units) / sizeof(units[0]));		\
}

#endif
