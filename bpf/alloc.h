/* SPDX-License-Identifier: GPL-2.0 */
/* The records of alloc.bpf.c: system calls that change the address space of a process. Bytes, ns, addresses.
 */
#ifndef MEMTRACE_ALLOC_H
#define MEMTRACE_ALLOC_H

#include "abi.h"
#include "stack.h"

enum alloc_call {
	CALL_BRK,
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_MPROTECT, /* pkey_mprotect too */
	CALL_MADVISE,
	CALL_MLOCK, /* mlock2 too */
	CALL_MUNLOCK,
	CALL_MLOCKALL,
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
	__u64 start, end; /* the VMA that holds the result of mmap, mremap, shmat; 0: not looked up */
	__u64 vm_flags;
	__u32 tid;
	__u8 call;	    /* enum alloc_call */
	__u8 class;	    /* enum vma_class of that VMA */
	__u16 stack_weight; /* calls that its stack stands for; 0: none was taken */
	char comm[COMM_SIZE];
};

enum process_event { PROCESS_FORKED = 1, PROCESS_EXECED, PROCESS_ENDED };

/* A process began, changed, or ended: what its address space is from now on. */
struct process_record {
	struct record_header header; /* RECORD_PROCESS */
	struct process_key process;
	struct process_key parent; /* PROCESS_FORKED: whose address space it starts with */
	__u64 time_ns;
	__u32 event; /* enum process_event */
	__u32 is_32bit;
	char comm[COMM_SIZE];
};

_Static_assert(sizeof(struct call_record) % 8 == 0, "ABI");
_Static_assert(sizeof(struct process_record) % 8 == 0, "ABI");

#endif
