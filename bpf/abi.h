/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract between bpf/ and src/: what both sides must agree on, whatever the topic.
 *
 * BPF programs include vmlinux.h first. Fixed widths, explicit padding; records start with a header; a
 * topic's own records are in bpf/<topic>.h.
 */
#ifndef MEMTRACE_ABI_H
#define MEMTRACE_ABI_H

#ifndef __bpf__
#include <linux/types.h>
#endif

#define COMM_SIZE 16

/* Every record in a ring buffer starts so. size counts the whole record, in bytes. */
struct record_header {
	__u32 type; /* enum record_type */
	__u32 size;
};

enum record_type {
	RECORD_VMA = 1, /* struct vma_record: a VMA seen for the first time */
	RECORD_FAULTS,	/* struct event_batch: completed faults (--events) */
	RECORD_SIGNAL,	/* struct signal_record: SIGSEGV or SIGBUS for a bad access */
	RECORD_STACK, /* struct stack_record: the call stack of an event; before the event, if that is sent */
	RECORD_CALL,  /* struct call_record: a system call has returned */
	RECORD_PROCESS,	 /* struct process_record: a process began, changed or ended */
	RECORD_OOM_KILL, /* struct oom_kill_record: the OOM killer has chosen a victim */
	RECORD_OOM_STEP, /* struct oom_step_record: what became of a victim */
	RECORD_RECLAIM,	 /* struct reclaim_record: a reclaim, or compaction, has ended */
};

/* Why a datum did not reach user space in full. Told on every report by trace/loss.c. */
enum loss_cause {
	LOSS_RING,  /* a ring buffer was full: the detail is lost, the count is not */
	LOSS_MAP,   /* a map was full: the fault is counted in a coarser row */
	LOSS_STACK, /* the ring buffer was full: a call stack is lost, what it was taken for is not */
	LOSS_NAMES, /* the control ring was full: a name or the detail of a signal is lost */
	LOSS_CAUSES,
};

/*
 * One image of one process: what lives between exec and exec (or fork and exec). start_ns is the start time
 * of the thread group's leader (CLOCK_MONOTONIC): a pid that is used again is another process. image is the
 * low half of task->self_exec_id, which each exec increments.
 */
struct process_key {
	__u64 start_ns;
	__u32 tgid; /* in the initial pid namespace */
	__u32 image;
};

/*
 * Identity of a VMA within a process image. anchor is the address that stays while the VMA grows (its start,
 * or its end when it grows down), with VM_PERMS in the low bits; file is the kernel's struct file, 0 if
 * anonymous.
 */
struct vma_key {
	struct process_key process;
	__u64 anchor;
	__u64 file;
};

/* Which tasks are traced: all conditions that are set must hold. Set by trace/target.c, read by target.bpf.h.
 */
struct target_config {
	__u64 cgroup_id;      /* 0: any; else the kernfs id (inode number) of the cgroup's directory */
	__u32 self;	      /* memtrace itself: never traced */
	__u32 launcher;	      /* children that this pid forks are traced from their first exec; 0: none */
	char comm[COMM_SIZE]; /* NUL-padded; empty: any */
	__u8 by_pid;	      /* only processes in the map `targets` */
	__u8 follow;	      /* and the children they fork */
	__u8 cgroup_v1;	      /* cgroup_id is in the v1 memory hierarchy */
	__u8 pad[5];
};

_Static_assert(sizeof(struct record_header) == 8, "ABI");
_Static_assert(sizeof(struct process_key) == 16, "ABI");
_Static_assert(sizeof(struct vma_key) == 32, "ABI");
_Static_assert(sizeof(struct target_config) == 40, "ABI");

#endif
