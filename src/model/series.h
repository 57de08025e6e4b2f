/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One value, sampled over time, in bounded memory. When there is no more room two points become one, and from
 * then on as many samples share a point: the points go on to be about equally far apart.
 */
#ifndef MEMTRACE_SERIES_H
#define MEMTRACE_SERIES_H

#include <stddef.h>
#include <stdint.h>

#define SERIES_POINTS 256

struct series_point {
	uint64_t ns;   /* of the last sample in it */
	int64_t value; /* that sample */
	int64_t least; /* of all of its samples */
};

struct series {
	uint64_t samples; /* that were ever added */
	uint64_t step_ns; /* that a point takes; 0: one sample each */
	uint64_t open_ns; /* when the last point began */
	size_t count;
	struct series_point points[SERIES_POINTS];
};

/* Times do not go back. */
void series__add(struct series *s, uint64_t ns, int64_t value);

/* From the first point to the last. */
uint64_t series__span_ns(const struct series *s);

#endif
