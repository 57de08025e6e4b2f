/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A few values over time, in bounded memory: points at equal steps, each with the values as they were when
 * its step ended. When there is no more room, two steps become one.
 */
#ifndef MEMTRACE_TREND_H
#define MEMTRACE_TREND_H

#include <stddef.h>
#include <stdint.h>

#define TREND_POINTS	    120		/* at most; half as many after the steps were doubled */
#define TREND_FIRST_STEP_NS 10000000ULL /* 1.2 s at the first resolution */
#define TREND_VALUES	    2

struct trend_point {
	int64_t values[TREND_VALUES];
};

struct trend {
	uint64_t start_ns; /* 0: nothing noted */
	uint64_t step_ns;
	size_t count; /* points in use; the last is of a step that goes on */
	struct trend_point points[TREND_POINTS];
};

/* The values are these from ns on. A time before the last step counts as in the last step. */
void trend__note(struct trend *t, uint64_t ns, const int64_t values[TREND_VALUES]);

/* Carry the last values on to ns: before a report, so that it shows that nothing has changed. */
void trend__extend(struct trend *t, uint64_t ns);

#endif
