/* SPDX-License-Identifier: GPL-2.0 */
/* The records of oom.bpf.c: who was killed for whom, at which limit. Pages, bytes where the name says so, ns.
 */
#ifndef MEMTRACE_OOM_H
#define MEMTRACE_OOM_H

#include "abi.h"
#include "stack.h"
#include "vma.h"

#define OOM_LEVELS   16 /* of cgroups, from the inside */
#define OOM_VMAS     8	/* the largest of the victim */
#define OOM_PATH_MAX 1024
#define OOM_CLASSES  (CLASSES + 1) /* the last: mappings that nobody may touch (PROT_NONE) */
#define OOM_RESERVED CLASSES

#define OOM_NO_LIMIT (1ull << 50) /* pages: the kernel's PAGE_COUNTER_MAX, and whatever comes near it */

struct oom_task {
	struct process_key process;
	__u32 tid;
	__u32 ns_pid; /* of the process, in its innermost pid namespace */
	__u32 uid;
	__s32 oom_score_adj;
	char comm[COMM_SIZE]; /* of the thread */
};

struct oom_memory {
	__u64 total_vm;
	__u64 file, anon, swap, shmem;
	__u64 pgtables_bytes;
	__u32 is_rough; /* the counters have parts of other CPUs or threads that are not in here */
	__u32 pad;
};

/* One memory cgroup on the way to the root. */
struct oom_level {
	__u64 memcg; /* its address: tells whether two are the same */
	__u64 usage, max;
	__u64 memsw_usage, memsw_max; /* v1: memory and swap; max 0: not known */
};

/*
 * The way from a task's memory cgroup to the root. The names of the cgroups, innermost first like the levels,
 * each ended by NUL; that of the root is empty.
 */
struct oom_cgroup {
	struct oom_level levels[OOM_LEVELS];
	__u32 level_count;
	__u32 path_size; /* bytes used in path[] */
	__u32 is_cut;	 /* there are more levels */
	__u32 pad;
	char path[OOM_PATH_MAX + NAME_COMPONENT];
};

enum reclaim_kind {
	RECLAIM_NONE, /* none was seen in this thread */
	RECLAIM_DIRECT,
	RECLAIM_MEMCG,
};

/* The last time that a thread began to reclaim memory: what for is what it then failed to get. */
struct oom_reclaim {
	__u64 time_ns;
	__u64 first_ns; /* since when it has reclaimed again and again, for want of success */
	__u64 end_ns;	/* of the last one that has ended */
	__u64 start_ns; /* of the thread: a tid is used again */
	__u64 memcg;	/* whose memory is reclaimed (7.2 and later); 0: not told, or the machine's */
	__u32 kind;	/* enum reclaim_kind */
	__s32 order;
	__u32 gfp;
	__u32 pad;
};

/*
 * What the kernel itself went by when it chose (struct oom_control), where oom_kill_process() can be hooked.
 * order -1: sysrq-f.
 */
struct oom_decision {
	__u64 time_ns;	/* 0: not known */
	__u64 start_ns; /* of the thread that asked */
	__u64 memcg;	/* whose limit it is; 0: the machine's */
	__u64 total;	/* pages that there are to share */
	__u64 nodes;	/* the first 64 that may be used, where the constraint is one of nodes */
	__s64 points;	/* of the victim */
	__s32 order;
	__u32 gfp;
	__u32 constraint; /* include/linux/oom.h: none, cpuset, memory policy, memcg */
	__u32 pad;
};

struct oom_class {
	__u64 bytes, count;
};

/* A RECORD_VMA with the key of the victim precedes it for each of the victim's largest VMAs. */
struct oom_kill_record {
	struct record_header header;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	struct oom_task victim, trigger;
	struct oom_memory memory; /* of the victim */
	struct oom_reclaim reclaim;
	struct oom_decision decision;
	struct oom_class classes[OOM_CLASSES]; /* address space of the victim */
	__u32 vmas;			       /* of the victim, as far as they were counted */
	__u32 vmas_cut;			       /* there are more */
	__u32 has_exited;		       /* the victim was dying already */
	__u32 was_dying; /* nobody was killed: it had SIGKILL before, and gets the last reserves */
	__u32 pad;
	__u32 trigger_is_kernel; /* a kernel thread */
	struct oom_cgroup victim_cgroup, trigger_cgroup;
};

enum oom_step {
	OOM_EXITED,    /* the last thread of the victim exits */
	OOM_FREED,     /* its address space is gone */
	OOM_QUEUED,    /* handed to the reaper, who waits 2 s */
	OOM_REAPED,    /* the reaper has taken its memory */
	OOM_NOT_TAKEN, /* the reaper passed it over: it was exiting by itself */
};

struct oom_step_record {
	struct record_header header;
	__u64 time_ns;
	__u32 step; /* enum oom_step */
	__u32 pid;  /* of the victim: process, or thread where the reaper is told of one */
};

/* What the task iterator writes for each process. */
struct oom_process {
	struct process_key process;
	__u64 file, anon, swap, shmem; /* pages */
	__u64 pgtables_bytes;
	__u32 uid;
	__s32 oom_score_adj;
	char comm[COMM_SIZE];
};

struct oom_config {
	struct target_config target;
	__u32 cpus;		/* that there can be */
	__u8 direct_reads;	/* bpf_rdonly_cast() is there (6.2 and later) */
	__u8 reclaim_has_memcg; /* reclaim events have the arguments of 7.2: gfp, order, memcg */
	__u8 memsw;		/* cgroup v1: mem_cgroup.memsw is memory and swap */
	__u8 stacks;		/* enum stack_method, of where processes grow */
	__u8 task_registers;	/* bpf_task_pt_regs() is there (5.15 and later) */
	__u8 every_stack, kernel_stacks;
	__u8 pad;
	__u32 stack_bytes;     /* of user stack to copy, at most */
	__u32 ring_wake_bytes; /* of stacks: wake user space when so much waits */
};

_Static_assert(sizeof(struct oom_task) == 48, "ABI");
_Static_assert(sizeof(struct oom_memory) == 56, "ABI");
_Static_assert(sizeof(struct oom_level) == 40, "ABI");
_Static_assert(sizeof(struct oom_cgroup) % 8 == 0, "ABI");
_Static_assert(sizeof(struct oom_reclaim) == 56, "ABI");
_Static_assert(sizeof(struct oom_decision) == 64, "ABI");
_Static_assert(sizeof(struct oom_kill_record) % 8 == 0, "ABI");
_Static_assert(sizeof(struct oom_step_record) == 24, "ABI");
_Static_assert(sizeof(struct oom_process) == 80, "ABI");
_Static_assert(sizeof(struct oom_config) == 64, "ABI");

#endif
