/* SPDX-License-Identifier: GPL-2.0 */
/* The records and map values of reclaim.bpf.c. Times in ns, memory in pages. */
#ifndef MEMTRACE_RECLAIM_H
#define MEMTRACE_RECLAIM_H

#include "abi.h"
#include "faults.h"
#include "stack.h"

enum reclaim_work {
	WORK_DIRECT,	 /* for an allocation that the machine, or a node, has no page for */
	WORK_MEMCG,	 /* of a memory cgroup at its limit, or by request */
	WORK_NODE,	 /* of one node before another is asked (vm.zone_reclaim_mode) */
	WORK_COMPACTION, /* pages are moved to make a large block; a zone at a time */
	WORK_KSWAPD,	 /* from when it wakes to when it sleeps */
	WORK_WAKEUP,	 /* kswapd is asked for: takes no time of its own */
	WORK_SWAPOUT,	 /* pages of this process went to swap, whoever did it; takes no time of its own */
	WORKS,
};

/* enum vmscan_throttle_state (5.17, commit 8cd7c588decf), and what was there before. */
enum reclaim_throttle {
	THROTTLE_WRITEBACK,
	THROTTLE_ISOLATED,
	THROTTLE_NO_PROGRESS,
	THROTTLE_CONGESTED,
	THROTTLES
};

enum reclaim_lru { LRU_ANON, LRU_FILE, LRUS };

/* What the work went over, and what became of it. */
struct reclaim_tally {
	__u64 scanned[LRUS];   /* pages of the inactive lists that were looked at */
	__u64 reclaimed[LRUS]; /* of them, freed */
	__u64 writes;	       /* of pages or folios, to swap or a file */
	__u64 throttled_ns[THROTTLES];
	__u32 throttled[THROTTLES];
};

struct reclaim_key {
	struct process_key process;
	__u64 cgroup; /* kernfs id of the memory cgroup whose limit it is, where the kernel tells (7.2), else
			 of the task's own; 0: not known */
	__u32 work;   /* enum reclaim_work */
	__u32 pad;
};

/* Since user space last took it. */
struct reclaim_stats {
	char comm[COMM_SIZE]; /* of the process */
	__u64 count;
	__u64 ns, max_ns;
	__u64 wanted; /* what the allocations asked for */
	__u64 got;    /* what the reclaim says that it freed, slab and all; compaction: blocks; WORK_SWAPOUT:
			 pages    swapped out */
	__u64 failed; /* times when it was nothing */
	struct reclaim_tally tally;
	__u32 max_order;
	__u32 gfp; /* of the last one */
	__u32 buckets[LATENCY_BUCKETS];
};

/* Work that has begun and not ended, by thread. */
struct reclaim_under_way {
	struct reclaim_key key;
	__u64 began_ns; /* CLOCK_MONOTONIC */
	__u64 start_ns; /* of the thread: a number is used again */
	char comm[COMM_SIZE];
	__u32 order;
	__u32 gfp;
	struct reclaim_tally tally;
};

/* One that has ended, when --events or --stacks asks for it; its call stack has come before. */
struct reclaim_record {
	struct record_header header; /* RECORD_RECLAIM */
	__u64 ended_ns;		     /* CLOCK_MONOTONIC */
	__u64 ns;
	__u64 got;
	__u32 tid;
	__u32 weight; /* how many it stands for; 0: its stack was not taken */
	struct reclaim_under_way work;
};

/* A cgroup seen for the first time: the names of its path, innermost first, each with its NUL. */
#define RECLAIM_PATH_MAX  512
#define RECLAIM_COMPONENT 256
#define RECLAIM_LEVELS	  16

struct reclaim_cgroup {
	__u32 size;
	__u32 is_cut; /* there are more */
	char path[RECLAIM_PATH_MAX + RECLAIM_COMPONENT];
};

struct reclaim_config {
	struct target_config target;
	__u64 min_latency_ns; /* --events: drop faster ones */
	__u32 ring_wake_bytes;
	__u32 stack_bytes;
	__u8 direct_reads;
	__u8 task_registers;
	__u8 has_memcg; /* begin is (gfp, order, memcg), and not (order, gfp): 7.2 */
	__u8 events;
	__u8 stacks; /* enum stack_method */
	__u8 every_stack;
	__u8 kernel_stacks;
	__u8 pad;
};

_Static_assert(sizeof(struct reclaim_key) == 32, "ABI");
_Static_assert(sizeof(struct reclaim_tally) == 88, "ABI");
_Static_assert(sizeof(struct reclaim_stats) % 8 == 0, "ABI");
_Static_assert(sizeof(struct reclaim_under_way) % 8 == 0, "ABI");

#endif
