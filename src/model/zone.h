/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A zone of physical memory: what is free in it, in blocks of which size, and when reclaim begins. */
#ifndef MEMTRACE_ZONE_H
#define MEMTRACE_ZONE_H

#include <stdint.h>

#define ZONE_ORDERS 20 /* more than any kernel is built with: arm64 with pages of 64 KiB has 14 */

/* Numbers of pages. */
struct zone {
	unsigned node;
	char name[16];
	uint64_t free;
	uint64_t min, low, high;      /* watermarks, with the boost */
	uint64_t boost;		      /* by which they are raised for now, because of fragmentation (5.0) */
	uint64_t managed;	      /* that the page allocator has */
	uint64_t in_cpu_lists;	      /* free pages that CPUs keep at hand; not in `free` */
	unsigned orders;	      /* 0: blocks are not known */
	uint64_t blocks[ZONE_ORDERS]; /* free ones of 2^order pages */
};

/* How it is with a zone, by its watermarks (mm/page_alloc.c: __zone_watermark_ok(), for order 0). */
enum zone_state {
	ZONE_EMPTY,	 /* it has no memory */
	ZONE_AT_EASE,	 /* free above high: kswapd sleeps */
	ZONE_BELOW_HIGH, /* kswapd, once it runs, goes on until high is reached */
	ZONE_BELOW_LOW,	 /* kswapd is woken */
	ZONE_BELOW_MIN,	 /* who allocates has to reclaim first */
};
enum zone_state zone__state(const struct zone *zone);

/*
 * The unusable free space index of an order, 0 to 1: the share of the free memory that lies in blocks too
 * small for an allocation of that order (Gorman and Whitcroft, "The What, The Why and the Where To of
 * Anti-Fragmentation", 2006; the kernel's extfrag/unusable_index). Below 0: nothing is free, or the blocks
 * are not known.
 */
double zone__unusable(const struct zone *zone, unsigned order);

#endif
