/* SPDX-License-Identifier: GPL-2.0 */
/* The records and map values of faults.bpf.c. Sizes in bytes, times in ns, addresses as the CPU reported
 * them. */
#ifndef MEMTRACE_FAULTS_H
#define MEMTRACE_FAULTS_H

#include "abi.h"
#include "stack.h"
#include "vma.h"

/* Why a fault happened. The manual page says how each is told. */
enum fault_kind {
	KIND_ANON_READ,
	KIND_ANON_WRITE,
	KIND_COW,
	KIND_FILE_READ,
	KIND_FILE_WRITE,
	KIND_SHMEM,
	KIND_SWAPIN,
	KIND_HUGETLB,
	KIND_STACK_GROW,
	KIND_PROTECTION,
	KIND_OTHER,
	KINDS,
};

/* x86 page fault error code (arch/x86/include/asm/trap_pf.h); UNKNOWN where the hook cannot tell. */
enum fault_error {
	ERROR_PRESENT = 1 << 0,
	ERROR_WRITE = 1 << 1,
	ERROR_USER = 1 << 2,
	ERROR_EXEC = 1 << 4,
	ERROR_UNKNOWN = 1 << 30, /* not a bit of the CPU's */
};

/* log2 buckets: bucket i holds latencies in [2^i, 2^(i+1)) ns; 0 also holds 0; the last is open. */
#define LATENCY_BUCKETS 36

/*
 * Per CPU and VMA. Counters are 32 bits wide, to be small: user space takes and zeroes them every second.
 * kinds[] may go below zero on one CPU (a fault counted on another turned out to be a swap-in): add as
 * signed. Latencies are those of faults followed to their end: major ones in the summary, all with --latency.
 */
struct vma_stats {
	__u64 start, end; /* the widest extent seen */
	__u32 faults;
	__u32 major;
	__u32 kernel_mode;
	__u32 failed; /* ended in a signal */
	__s32 kinds[KINDS];
	__u32 stack_tid; /* a thread whose stack pointer was in here, 0: none */
	__u32 latency[LATENCY_BUCKETS];
	__u64 max_ns;
	__u8 class; /* enum vma_class; CLASS_UNKNOWN: not decided on this CPU */
	__u8 pad[7];
};

/*
 * The VMA in which a CPU has just counted, with what it has counted since: the next fault there needs neither
 * the walk nor the hash. It holds as long as the mm's lock sequence says that no VMA of it has changed.
 */
struct hot_vma {
	struct vma_key key; /* start == end: empty */
	__u64 mm, start, end;
	__u32 sequence;
	__u32 vm_flags;
	__u32 class;
	__u32 pad;
	struct vma_stats pending; /* not yet in the map */
};

/* Per class, minor and major apart. Never reset: a reader takes differences. */
struct class_latency {
	__u64 buckets[LATENCY_BUCKETS];
	__u64 max_ns;
	__u64 untimed; /* MINOR_SAMPLED: faults that it was not the turn of */
};

/*
 * Which minor faults that are followed are timed. Reading the clock twice is a third of what following costs:
 * MINOR_SAMPLED spares it all but every MINOR_SAMPLE-th while they come less than MINOR_SAMPLED_BELOW_NS
 * apart on a CPU, in the mean of a window of MINOR_WINDOW_NS.
 */
enum minor_timing { MINOR_UNTIMED, MINOR_SAMPLED, MINOR_TIMED };

#define MINOR_SAMPLE	       16 /* a power of two */
#define MINOR_SAMPLED_BELOW_NS 10000
#define MINOR_WINDOW_NS	       10000000

/* What is kept per process image. minor and major are sums of task->min_flt and maj_flt, less what preceded.
 */
struct process_stats {
	char comm[COMM_SIZE];
	__s64 minor;
	__s64 major;
	__u32 ppid;
	__u32 flags; /* enum process_flag */
	__u32 segv;
	__u32 sigbus;
	/* Faults that found no room in the VMA map; the same meaning as in struct vma_stats. */
	__u64 other_faults;
	__u64 other_major;
	__u64 other_kernel_mode;
	__u64 other_failed;
	__s64 other_kinds[KINDS];
};

enum process_flag {
	PROCESS_COMPLETE = 1, /* minor and major leave nothing out */
	PROCESS_EXITED = 2,
};

/* One fault, of the thread that its batch says. Counted like every other: this is for --events alone. */
struct fault_event {
	__u64 anchor, file; /* of its VMA: see struct vma_key */
	__u64 vma_size;	    /* at that moment; 0: there was no VMA */
	__u64 time_ns;	    /* CLOCK_MONOTONIC, at the exception */
	__u64 latency_ns;
	__u64 address, ip;
	__u32 error; /* enum fault_error */
	__u8 kind;
	__u8 class;
	__u8 flags; /* enum fault_event_flag */
	__u8 pad;
};

enum fault_event_flag {
	FAULT_MAJOR = 1,
	FAULT_KERNEL_MODE = 2,
	FAULT_OWN_STACK = 4,  /* the thread, not the first, had its stack pointer in that VMA */
	FAULT_GROWS_DOWN = 8, /* the VMA does: its anchor is its end */
	FAULT_TIMED = 16,     /* latency_ns is known */
};

/* Faults of one thread that are sent together: as many as one message of the ring `events` holds. */
#define EVENT_BATCH 16

struct event_batch {
	struct record_header header; /* RECORD_FAULTS; size without what is not used of events[] */
	struct process_key process;
	__u32 tid;
	__u32 count;
	char comm[COMM_SIZE];
	struct fault_event events[EVENT_BATCH];
};

/* A VMA as a signal record refers to it; its name came in an earlier RECORD_VMA. start == end: none. */
struct vma_extent {
	struct vma_key key;
	__u64 start, end;
	__u64 pgoff;
	__u64 flags;
};

struct signal_record {
	struct record_header header;
	struct process_key process;
	__u64 time_ns;
	__u64 address;
	__u64 ip;	 /* 0: not known */
	__u64 sp;	 /* 0: not known */
	__u64 file_size; /* of the file mapped at address */
	__u32 tid;
	__u32 error; /* enum fault_error */
	__s32 signal;
	__s32 code;
	__u32 handled; /* the process has a handler for it */
	__u32 pad;
	char comm[COMM_SIZE];
	struct vma_extent at, below, above; /* of address */
	struct vma_extent code_at;	    /* of ip */
};

/* What the task iterator writes for each thread that is traced. */
struct thread_counters {
	struct process_key process;
	char comm[COMM_SIZE]; /* of the process */
	__u64 minor, major;
};

/* The task iterator runs when tracing begins (BEFORE), for reports (DURING), and when it has ended (AFTER).
 */
enum phase { BEFORE, DURING, AFTER };

struct faults_config {
	struct target_config target;
	__u64 min_latency_ns; /* --events: drop faster ones */
	__u8 complete;	      /* follow each fault to its completion: latency, exact kinds */
	__u8 time_minor;      /* enum minor_timing */
	__u8 exact_kinds;     /* compare the RSS counters before and after */
	__u8 events;
	__u8 major_only;       /* --events: drop minor ones */
	__u8 direct_reads;     /* bpf_rdonly_cast() is there (6.2 and later) */
	__u8 task_registers;   /* bpf_task_pt_regs() is there (5.15 and later) */
	__u8 stacks;	       /* enum stack_method */
	__u32 ring_wake_bytes; /* wake user space when this much waits in a ring */
	__u32 control_wake_bytes;
	__u32 stack_bytes;  /* of user stack to copy, at most */
	__u8 every_stack;   /* of every fault, not of a sample */
	__u8 kernel_stacks; /* also what the kernel was doing */
	__u8 pad[1];
};

_Static_assert(sizeof(struct vma_stats) % 8 == 0, "ABI");
_Static_assert(sizeof(struct process_stats) % 8 == 0, "ABI");
_Static_assert(sizeof(struct hot_vma) % 8 == 0, "ABI");
_Static_assert(sizeof(struct fault_event) == 64, "ABI");
_Static_assert(__builtin_offsetof(struct event_batch, events) % 8 == 0, "ABI");
_Static_assert(sizeof(struct signal_record) % 8 == 0, "ABI");

#endif
