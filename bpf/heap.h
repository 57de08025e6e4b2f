/* SPDX-License-Identifier: GPL-2.0 */
/* The map values of heap.bpf.c: blocks that an allocator has handed out and that were not freed. Bytes, ns.
 */
#ifndef MEMTRACE_HEAP_H
#define MEMTRACE_HEAP_H

#include "abi.h"
#include "stack.h"
#include "unwind_step.h"

/* What the arguments of a probed function mean. */
enum heap_function {
	HEAP_MALLOC,	     /* f(size), whatever follows: operator new too */
	HEAP_CALLOC,	     /* f(count, size) */
	HEAP_REALLOC,	     /* f(block, size) */
	HEAP_REALLOCARRAY,   /* f(block, count, size) */
	HEAP_MEMALIGN,	     /* f(alignment, size) */
	HEAP_POSIX_MEMALIGN, /* f(&block, alignment, size), returns an error number */
	HEAP_FREE,	     /* f(block): operator delete too */
	HEAP_FUNCTIONS,
};

/* A process image, in short: as struct process_key, without the time at which it began. */
struct heap_process {
	__u32 tgid;
	__u32 image;
};

struct heap_block_key {
	__u64 address;
	struct heap_process process;
};

/*
 * Of a site: which stack it is, a hash of its addresses, or, if user space has yet to unwind it, a number
 * drawn at random. A RECORD_STACK tells its frames: key.anchor is this number. 0: no stack.
 */
struct heap_block {
	__u64 size; /* as it was asked for */
	__u64 time_ns;
	__u64 stack;
};

struct heap_site_key {
	__u64 stack;
	struct heap_process process;
};

/* All that was counted at a site, of blocks that have an entry of their own. */
struct heap_site {
	__u64 allocations, allocated_bytes;
	__u64 frees, freed_bytes;
	__u64 is_told; /* its stack has been sent */
};

/* By the return address. */
struct heap_step_key {
	__u64 ip;
	struct heap_process process;
};

enum heap_count {
	HEAP_ALLOCATIONS,     /* that succeeded, sampled or not */
	HEAP_ALLOCATED_BYTES, /* by them */
	HEAP_FAILED,	      /* allocations that returned nothing */
	HEAP_FREES,	      /* of a block, whether it is known or not */
	HEAP_FREES_UNKNOWN,   /* of a block that has no entry: it was allocated before tracing, or not sampled
			       */
	HEAP_NO_ROOM,	      /* blocks that found no room */
	HEAP_NO_ROOM_BYTES,   /* of them */
	HEAP_SEEN_TWICE,      /* blocks that were handed out again although no free of them was seen */
	HEAP_COPIES,	      /* stacks that were sent for user space to unwind */
	HEAP_COUNTS,
};

struct heap_config {
	struct target_config target;
	__u32 ring_wake_bytes; /* wake user space when this much waits in the ring */
	__u32 stack_bytes;     /* of user stack to copy, at most */
	__u64 min_size, max_size;
	__u64 sample_scale;  /* 0: every block; else 16 * ln(2) * the mean distance of samples, in bytes */
	__u8 direct_reads;   /* bpf_rdonly_cast() is there (6.2 and later) */
	__u8 task_registers; /* bpf_task_pt_regs() is there (5.15 and later) */
	__u8 stacks;	     /* enum stack_method */
	__u8 every_stack;    /* as stack.bpf.h wants it */
	__u8 kernel_stacks;  /* never */
	__u8 never;	     /* 0 */
	__u8 everywhere;     /* processes that are not traced are probed, too */
	__u8 pad;
};

/*
 * Sampling. A process of Poisson drops points on the bytes that a thread allocates, one in `mean` on average;
 * a block is sampled if a point falls on it: one of s bytes with the probability 1 - exp(-s / mean). From one
 * point to the next it is an exponentially distributed number of bytes, drawn by inversion: -ln(u) * mean.
 */
#define HEAP_LOG_ENTRIES 257
#define HEAP_LOG_BITS	 24

/*
 * How many bytes it is to the next point, at least 1; random: 32 bits. logarithms: log2(1 + i / 256) for i
 * from 0 to 256, times 2^24. Between them it is interpolated, which is wrong by 3e-6 at most.
 */
static inline __u64 heap_distance(__u32 random, const volatile __u32 *logarithms, __u64 scale)
{
	__u64 v = (__u64)random + 1, log, low, high, fraction;
	__u32 exponent = 0;

	for (int shift = 32; shift; shift >>= 1)
		if (v >> shift >> exponent)
			exponent += shift;
	fraction = v << (32 - exponent) & 0xffffffff;
	low = logarithms[fraction >> 24 & 255];
	high = logarithms[(fraction >> 24 & 255) + 1];
	log = ((__u64)exponent << HEAP_LOG_BITS) + low + ((high - low) * (fraction & 0xffffff) >> 24);
	return ((((__u64)32 << HEAP_LOG_BITS) - log) * scale >> (HEAP_LOG_BITS + 4)) + 1;
}

_Static_assert(sizeof(struct heap_block_key) == 16, "ABI");
_Static_assert(sizeof(struct heap_site_key) == 16, "ABI");
_Static_assert(sizeof(struct heap_step_key) == 16, "ABI");
_Static_assert(sizeof(struct heap_config) == 80, "ABI");

#endif
