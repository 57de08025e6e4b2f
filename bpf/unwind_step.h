/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a frame to its caller, as far as the stack pointer and the frame pointer lead: what user space has
 * found in the unwind information of a file, for the kernel side to follow stacks by.
 */
#ifndef MEMTRACE_UNWIND_STEP_H
#define MEMTRACE_UNWIND_STEP_H

#ifndef __bpf__
#include <linux/types.h>
#endif

enum unwind_step_kind {
	STEP_CUT = 1,	/* it takes more than that, or leads nowhere */
	STEP_OUTERMOST, /* there is no caller */
	STEP_FROM_SP,	/* the CFA is the stack pointer + cfa_offset */
	STEP_FROM_FP,	/* the CFA is the frame pointer + cfa_offset */
	STEP_AT_FP, /* the CFA is in memory, at the frame pointer + cfa_offset, and the caller's frame pointer
		       at the frame pointer: of a function that has realigned its stack */
};

/* Offsets in bytes; the CFA is the stack pointer of the caller. */
struct unwind_step {
	__s32 cfa_offset;
	__s16 ra_offset; /* the return address is at CFA + ra_offset */
	__s16 fp_offset; /* the caller's frame pointer is at CFA + fp_offset; 0: in its register still */
	__u32 kind;	 /* enum unwind_step_kind */
};

_Static_assert(sizeof(struct unwind_step) == 12, "ABI");

#endif
