/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DWARF expressions, as far as unwind information uses them. They come from files that anybody may have
 * written: a bounded stack, a bounded number of steps, no memory but the copy of the thread's stack.
 */
#ifndef MEMTRACE_EXPRESSION_H
#define MEMTRACE_EXPRESSION_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/sym.h"

/* A thread as it is seen from one of its frames. */
struct machine {
	uint64_t regs[SYM_REGS];
	uint64_t known; /* a bit for each register whose value is known */
	uint64_t cfa;	/* of the frame whose rules are applied */
	const uint8_t *stack;
	uint64_t stack_start, stack_size;
	uint32_t holes; /* pages of the copy that were not there, from that of stack_start on */
};

enum expression_end {
	EXPRESSION_VALUE,  /* *result is what was asked for */
	EXPRESSION_MEMORY, /* *result is the address of it */
	EXPRESSION_COPY,   /* it needs memory that was not copied */
	EXPRESSION_BAD,	   /* or a register that is not known, or it is malformed, or it is of no use here */
};

/* has_cfa: DW_OP_call_frame_cfa may be used. */
enum expression_end expression__eval(const Dwarf_Op *ops, size_t n, const struct machine *machine,
				     bool has_cfa, uint64_t *result);

/* `size` bytes (1 to 8), zero-extended. False: not in the copy. */
bool machine__read(const struct machine *machine, uint64_t address, unsigned size, uint64_t *value);

#endif
