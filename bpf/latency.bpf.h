/* SPDX-License-Identifier: GPL-2.0 */
/* Latencies, and which bucket of a log2 histogram they belong to. */
#ifndef MEMTRACE_LATENCY_BPF_H
#define MEMTRACE_LATENCY_BPF_H

#define NOT_TIMED (~0ull)

#define TIMES_2(n)  n, n
#define TIMES_4(n)  TIMES_2(n), TIMES_2(n)
#define TIMES_8(n)  TIMES_4(n), TIMES_4(n)
#define TIMES_16(n) TIMES_8(n), TIMES_8(n)
#define TIMES_32(n) TIMES_16(n), TIMES_16(n)
#define TIMES_64(n) TIMES_32(n), TIMES_32(n)

/* floor(log2(n)), and 0 of 0. Branches on the low bits of a latency would be mispredicted. */
static const __u8 log2_of[256] = {0,	       0,	    TIMES_2(1),	 TIMES_4(2),  TIMES_8(3),
				  TIMES_16(4), TIMES_32(5), TIMES_64(6), TIMES_64(7), TIMES_64(7)};

static __always_inline __u32 latency_bucket(__u64 ns)
{
	__u32 bucket = 0;

	for (int shift = 32; shift >= 8; shift >>= 1) {
		if (ns >> shift) {
			ns >>= shift;
			bucket += shift;
		}
	}
	bucket += log2_of[ns & 0xff];
	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

#endif
