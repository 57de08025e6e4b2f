/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the memory of the machine is: the numbers of /proc/meminfo as parts that do not overlap. */
#ifndef MEMTRACE_MACHINE_MEMORY_H
#define MEMTRACE_MACHINE_MEMORY_H

#include <stdint.h>

#define MACHINE_UNKNOWN UINT64_MAX /* this kernel does not tell */

/* Bytes. All but the last two are fields of /proc/meminfo: proc/memory_files.c has their names. */
struct machine_memory {
	uint64_t total, free, available;
	uint64_t buffers, cached, swap_cached;
	uint64_t active, inactive, unevictable, mlocked; /* LRU lists, anonymous and file pages together */
	uint64_t swap_total, swap_free, zswap, zswapped;
	uint64_t dirty, writeback;
	uint64_t anon, mapped, shmem;
	uint64_t reclaimable, slab_reclaimable, slab_unreclaimable; /* the first holds the second */
	uint64_t kernel_stack, page_tables, sec_page_tables, vmalloc, percpu;
	uint64_t anon_huge, shmem_huge, file_huge, hugetlb;
	uint64_t commit_limit, committed;
	uint64_t zspages;      /* compressed pages of zram and zswap (nr_zspages of /proc/vmstat) */
	uint64_t in_cpu_lists; /* free pages that CPUs keep at hand (/proc/zoneinfo) */
};

/* One part. Together they are MemTotal. */
struct memory_part {
	const char *name;
	int64_t bytes; /* below 0: only what is unaccounted, since counters are not read at one moment */
	const char *words;
};

/*
 * Fill in the parts that this kernel tells, the rest of MemTotal last; there are MACHINE_PARTS at most. Their
 * number.
 */
#define MACHINE_PARTS 18
unsigned machine_memory__parts(const struct machine_memory *m, struct memory_part parts[MACHINE_PARTS]);

/* The sum that free(1) prints: total = used + buffers + cache + free. The kernel's caches count as cache. */
struct memory_sum {
	uint64_t used, buffers, cache, free;
};
struct memory_sum machine_memory__sum(const struct machine_memory *m);

#endif
