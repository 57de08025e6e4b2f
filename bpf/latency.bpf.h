/* SPDX-License-Identifier: GPL-2.0 */
/* Latencies, and which bucket of a log2 histogram they belong to. */
#ifndef MEMTRACE_LATENCY_BPF_H
#define MEMTRACE_LATENCY_BPF_H

#define NOT_TIMED (~0ull)

static __always_inline __u32 latency_bucket(__u64 ns)
{
	__u32 bucket = 0;

	for (int shift = 32; shift; shift >>= 1) {
		if (ns >> shift) {
			ns >>= shift;
			bucket += shift;
		}
	}
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

#endif
