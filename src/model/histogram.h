/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log2 histograms of latencies in ns, as the kernel side counts them: bucket i holds [2^i, 2^(i+1)), 0 also
 * holds 0. */
#ifndef MEMTRACE_HISTOGRAM_H
#define MEMTRACE_HISTOGRAM_H

#include <linux/types.h>
#include <stddef.h>
#include <stdint.h>

#include "faults.h"

struct histogram {
	uint64_t buckets[LATENCY_BUCKETS];
	uint64_t max_ns;
};

uint64_t histogram__count(const struct histogram *h);
void histogram__add(struct histogram *to, const struct histogram *from);

/* Count one latency. */
void histogram__record(struct histogram *h, uint64_t ns);

/*
 * A latency that `percent` of the samples do not exceed, in ns: the upper end of the bucket that holds it (so
 * at most twice too much), or max_ns if that is less. 0 if there are no samples.
 */
uint64_t histogram__percentile(const struct histogram *h, double percent);

#endif
