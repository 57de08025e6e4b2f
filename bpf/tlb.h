/* SPDX-License-Identifier: GPL-2.0 */
/* The map values of tlb.bpf.c: flushes of the TLB, by process and reason. */
#ifndef MEMTRACE_TLB_H
#define MEMTRACE_TLB_H

#include "abi.h"

/* Why, and who is told to have it: enum tlb_flush_reason of the kernel. */
enum tlb_reason {
	TLB_SENT,     /* REMOTE_SEND_IPI: a task makes other CPUs flush, and waits for them */
	TLB_RECEIVED, /* REMOTE_SHOOTDOWN: a task is interrupted, because one on another CPU wants a flush */
	TLB_IN_VAIN,  /* REMOTE_WRONG_CPU: the same, but the CPU had left that address space */
	TLB_LOCAL_MM, /* LOCAL_MM_SHOOTDOWN: a task flushes its own CPU, of one address space */
	TLB_LOCAL,    /* LOCAL_SHOOTDOWN: the same of several, when pages are reclaimed */
	TLB_SWITCH, /* FLUSH_ON_TASK_SWITCH: the address space of a task is loaded; 0 pages: it was up to date
		     */
	TLB_OTHER,  /* a reason that memtrace does not know */
	TLB_REASONS,
};

/* How many pages: bucket i holds [2^(i-1), 2^i), 0 holds none; the last all that are more. */
#define TLB_BUCKETS 16

struct tlb_count {
	__u64 flushes;
	__u64 nothing; /* of them: no page, what was wanted had been done already */
	__u64 full;    /* of them: all of the TLB */
	__u64 pages;   /* of the others, of 4 KiB; of a range, whatever of it is mapped */
};

/* What is kept per process image. The switches are sums of task->nvcsw and nivcsw, less what preceded. */
struct tlb_process {
	char comm[COMM_SIZE];
	__s64 voluntary;
	__s64 involuntary;
	__u32 ppid;
	__u32 flags; /* enum tlb_process_flag */
	struct tlb_count reasons[TLB_REASONS];
};

/* Of the run. */
enum tlb_phase { TLB_BEFORE, TLB_DURING, TLB_AFTER };

enum tlb_process_flag {
	TLB_COMPLETE = 1, /* the switches leave nothing out */
	TLB_EXITED = 2,
	TLB_KERNEL = 4, /* a thread of the kernel, or the idle task */
};

/* Of all processes, one per CPU and reason. */
struct tlb_total {
	struct tlb_count count;
	struct tlb_count other; /* of it: of processes that found no room */
	__u64 buckets[TLB_BUCKETS];
};

/* What iter/task tells of each thread. */
struct tlb_thread {
	struct process_key process;
	char comm[COMM_SIZE];
	__u64 voluntary;
	__u64 involuntary;
};

struct tlb_config {
	struct target_config target;
	__u8 direct_reads; /* bpf_rdonly_cast() is there (6.2 and later) */
	__u8 pad[7];
};

_Static_assert(sizeof(struct tlb_count) == 32, "ABI");
_Static_assert(sizeof(struct tlb_process) == 40 + 32 * TLB_REASONS, "ABI");
_Static_assert(sizeof(struct tlb_total) == 64 + 8 * TLB_BUCKETS, "ABI");
_Static_assert(sizeof(struct tlb_thread) == 48, "ABI");
_Static_assert(sizeof(struct tlb_config) == 48, "ABI");

#endif
