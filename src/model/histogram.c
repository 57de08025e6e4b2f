/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/histogram.h"

uint64_t histogram__count(const struct histogram *h)
{
	uint64_t n = 0;

	for (int i = 0; i < LATENCY_BUCKETS; i++)
		n += h->buckets[i];
	return n;
}

void histogram__add(struct histogram *to, const struct histogram *from)
{
	for (int i = 0; i < LATENCY_BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
}

void histogram__record(struct histogram *h, uint64_t ns)
{
	int bucket = ns ? 63 - __builtin_clzll(ns) : 0;

	h->buckets[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

uint64_t histogram__percentile(const struct histogram *h, double percent)
{
	double rank = histogram__count(h) * percent / 100, below = 0;

	for (int i = 0; i < LATENCY_BUCKETS; i++) {
		uint64_t upper = 2ull << i;

		below += h->buckets[i];
		if (h->buckets[i] && below >= rank)
			return upper > h->max_ns || i == LATENCY_BUCKETS - 1 ? h->max_ns : upper;
	}
	return h->max_ns;
}
