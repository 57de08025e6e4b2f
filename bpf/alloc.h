/* SPDX-License-Identifier: GPL-2.0 */
/* The records of alloc.bpf.c: system calls that change the address space of a process. Bytes, ns, addresses.
 */
#ifndef MEMTRACE_ALLOC_H
#define MEMTRACE_ALLOC_H

#include "abi.h"
#include "stack.h"
#include "vma.h"

enum alloc_call {
	CALL_BRK,
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_MPROTECT, /* pkey_mprotect too */
	CALL_MADVISE,
	CALL_MLOCK, /* mlock2 too */
	CALL_MUNLOCK,
	CALL_MLOCKALL, /* munlockall too: flags 0 */
	CALL_SHMAT,
	CALL_SHMDT,
	CALLS,
};

/* A system call has returned. If its stack was taken, a RECORD_STACK of the same thread and exit_ns precedes
 * it. */
struct call_record {
	struct record_header header; /* RECORD_CALL */
	struct process_key process;
	__u64 enter_ns, exit_ns; /* CLOCK_MONOTONIC */
	__u64 args[6];
	__s64 result;	  /* as the kernel returned it: an address, 0, or -errno; for brk the new break */
	__u64 brk_before; /* mm->brk at the entry; for brk the old break */
	/* The VMA at the result of mmap or shmat; 0: not looked up, as for plain anonymous memory. Of a file:
	 * a RECORD_VMA with its name precedes this record. */
	__u64 start, end;
	__u64 vm_flags;
	__u32 tid;
	__u8 call;	    /* enum alloc_call */
	__u8 class;	    /* enum vma_class of that VMA */
	__u16 stack_weight; /* calls that its stack stands for; 0: none was taken */
	char comm[COMM_SIZE];
};

#define CALL_PAGE 4096ull

static inline __u64 call_page_align(__u64 bytes)
{
	return (bytes + CALL_PAGE - 1) & ~(CALL_PAGE - 1);
}

static inline int call_record__failed(const struct call_record *r)
{
	if (r->call == CALL_BRK) /* it returns the break, moved or not */
		return r->args[0] && (__u64)r->result != r->args[0];
	return (__u64)r->result >= -4095ull;
}

/* By how much brk or mremap made it larger; negative: smaller. */
static inline __s64 call_record__change(const struct call_record *r)
{
	if (r->call == CALL_BRK)
		return call_page_align(r->result) - call_page_align(r->brk_before);
	if (r->call == CALL_MREMAP)
		return call_page_align(r->args[2]) - call_page_align(r->args[1]);
	return 0;
}

/*
 * By how much the call made the address space larger, and smaller, as far as its arguments tell: what
 * MAP_FIXED replaces and the holes in what munmap() removes are for a ledger to know.
 */
static inline __u64 call_record__obtained(const struct call_record *r)
{
	__s64 change = call_record__change(r);

	if (call_record__failed(r))
		return 0;
	if (r->call == CALL_MMAP)
		return call_page_align(r->args[1]);
	if (r->call == CALL_SHMAT)
		return r->end - r->start;
	return change > 0 ? change : 0;
}

static inline __u64 call_record__returned(const struct call_record *r)
{
	__s64 change = call_record__change(r);

	if (call_record__failed(r))
		return 0;
	if (r->call == CALL_MUNMAP)
		return call_page_align(r->args[1]);
	return change < 0 ? -change : 0;
}

enum process_event { PROCESS_FORKED = 1, PROCESS_EXECED, PROCESS_ENDED };

/*
 * A process began, changed, or ended: what its address space is from now on. After PROCESS_EXECED a
 * RECORD_VMA follows for each VMA that exec made.
 */
struct process_record {
	struct record_header header; /* RECORD_PROCESS */
	struct process_key process;
	struct process_key parent; /* PROCESS_FORKED: whose address space it starts with */
	__u64 time_ns;
	__u32 event;	     /* enum process_event */
	__u16 is_32bit;	     /* its system calls are not told: the kernel does not trace those of 32 bits */
	__u16 shares_memory; /* PROCESS_FORKED: not a copy but the same, as after vfork() */
	char comm[COMM_SIZE];
};

/* What the task iterator writes for each process that is traced. */
struct process_listed {
	struct process_key process;
	char comm[COMM_SIZE];
	__u32 is_32bit;
	__u32 pad;
};

/* Which pages were touched, by 256 KiB of a process's address space. */
#define TOUCHED_PAGE_SHIFT 12
#define TOUCHED_PAGES	   64
#define TOUCHED_SHIFT	   (TOUCHED_PAGE_SHIFT + 6)
#define TOUCHED_TIME_SHIFT 14

struct touched_key {
	__u64 chunk; /* address >> TOUCHED_SHIFT */
	__u32 tgid;
	__u32 image; /* as in struct process_key */
};

/*
 * With touch_stacks, a RECORD_STACK of a page fault has the address in key.anchor, which is 0 in that of a
 * call: who touched this page at time_ns, for its weight of pages.
 */

/* When a page had its last fault: units of 2^TOUCHED_TIME_SHIFT ns, 31 bits of them; 0: never. */
static inline __u32 touched_time(__u64 ns)
{
	__u32 time = ns >> TOUCHED_TIME_SHIFT & 0x7fffffff;

	return time ? time : 1;
}

struct touched_value {
	__u32 time[TOUCHED_PAGES];
	__u32 faults;
};

/* What did not fit the ring, by process and call: no total moves by it. Bytes are rounded up to pages. */
struct lost_key {
	struct process_key process;
	__u32 call; /* enum alloc_call */
	__u32 pad;
};

struct lost_calls {
	__u64 calls, failed;
	__u64 obtained_bytes, returned_bytes;
	__u64 ns; /* in the calls */
};

struct alloc_config {
	struct target_config target;
	__u32 ring_wake_bytes; /* wake user space when this much waits in a ring */
	__u32 stack_bytes;     /* of user stack to copy, at most */
	__u32 cpus;	       /* that there can be */
	__u8 direct_reads;     /* bpf_rdonly_cast() is there (6.2 and later) */
	__u8 task_registers;   /* bpf_task_pt_regs() is there (5.15 and later) */
	__u8 stacks;	       /* enum stack_method */
	__u8 every_stack;      /* of every call, not of a sample */
	__u8 kernel_stacks;    /* also what the kernel was doing */
	__u8 touch_stacks;     /* of page faults, too */
	__u8 pad[2];
};

_Static_assert(sizeof(struct call_record) % 8 == 0, "ABI");
_Static_assert(sizeof(struct process_record) % 8 == 0, "ABI");
_Static_assert(sizeof(struct touched_key) == 16, "ABI");
_Static_assert(sizeof(struct lost_key) == 24, "ABI");
_Static_assert(sizeof(struct alloc_config) == 64, "ABI");

#endif
