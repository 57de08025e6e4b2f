/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much the TLB of a processor holds, by what cpuid says, and how much of a process's memory that maps. */
#ifndef MEMTRACE_TLB_SHAPE_H
#define MEMTRACE_TLB_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

/* Entries for data, of the largest level that takes pages of that size. */
struct tlb_shape {
	uint32_t small;	 /* 4 KiB pages only */
	uint32_t large;	 /* 2 MiB pages only */
	uint32_t either; /* of both */
};

struct cpuid_words {
	uint32_t eax, ebx, ecx, edx;
};

/* The cpuid instruction, or what takes its place in a test. */
typedef struct cpuid_words cpuid_fn(void *context, uint32_t leaf, uint32_t subleaf);

/*
 * Intel's leaf 0x18, else the descriptors of leaf 2 (Intel SDM, volume 2A, CPUID, tables 3-12 and 3-8); AMD's
 * leaves 0x80000005 and 0x80000006 (APM, volume 3, appendix E.4.4 and E.4.5). False: it does not say, as
 * within many virtual machines.
 */
bool tlb_shape__read(struct tlb_shape *shape, cpuid_fn *cpuid, void *context);

/* How many entries it takes to map so much, in pages of 4 KiB but for `huge` bytes of it in pages of 2 MiB.
 */
uint64_t tlb_shape__entries(uint64_t rss, uint64_t huge);

/* How many bytes of that the TLB maps at one time at best, if it holds nothing else. */
uint64_t tlb_shape__reach(const struct tlb_shape *shape, uint64_t rss, uint64_t huge);

#endif
