/* SPDX-License-Identifier: GPL-2.0 */
/* A call stack as the kernel side sends it: addresses, or what they can be found from. */
#ifndef MEMTRACE_STACK_H
#define MEMTRACE_STACK_H

#include "abi.h"

#define STACK_FRAMES \
	127 /* of user code, when followed by frame pointers; sysctl kernel.perf_event_max_stack */
#define STACK_KERNEL_FRAMES 32
#define STACK_REGISTERS	    34 /* room for those of x86-64 (21) and arm64 (34), in the order of the kernel */
#define STACK_COPY_MAX	    65536

enum stack_method {
	STACK_NONE,
	STACK_BY_FRAME_POINTER, /* followed in the kernel */
	STACK_BY_COPY,		/* registers and a copy of the memory: unwound in user space */
	STACK_BY_STEPS, /* followed in the kernel, by steps that user space has told it (unwind_step.h) */
};

/* Buffers of a CPU: hooks that may interrupt one another have one each. */
enum stack_buffer_of { STACK_OF_EVENT, STACK_OF_SIGNAL, STACK_BUFFERS };

/*
 * What `data` holds: kernel_frames addresses, innermost first, and then user_frames addresses
 * (STACK_BY_FRAME_POINTER, STACK_BY_STEPS) or copy_size bytes from the stack pointer on (STACK_BY_COPY).
 * holes has a bit for each page of STACK_PAGE bytes, from that of the stack pointer on, that is not in
 * memory: a stack that grows faults in pages that it has not got yet. Of STACK_BY_STEPS it is 1 if there are
 * more frames.
 */
#define STACK_PAGE 4096

struct stack_record {
	struct record_header header;
	struct vma_key key; /* of the event whose stack it is */
	__u64 time_ns;	    /* of that event (CLOCK_MONOTONIC) */
	__u32 tid;
	__u32 weight;	    /* events that it stands for */
	__u8 method;	    /* enum stack_method */
	__u8 has_registers; /* they are those of this memory: not so in the middle of exec */
	__u16 kernel_frames;
	__u32 user_frames;
	__u32 copy_size;
	__u32 holes;
	__u64 registers[STACK_REGISTERS]; /* STACK_BY_COPY */
	char comm[COMM_SIZE];
	__u8 data[STACK_KERNEL_FRAMES * 8 + STACK_COPY_MAX];
};

_Static_assert(__builtin_offsetof(struct stack_record, data) % 8 == 0, "ABI");
_Static_assert(STACK_FRAMES * 8 <= STACK_COPY_MAX, "one or the other");

#endif
