/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The faults of a fault table by call stack. */
#ifndef MEMTRACE_FAULT_STACKS_H
#define MEMTRACE_FAULT_STACKS_H

#include "model/fault_table.h"
#include "model/stack_table.h"

/* Faults of one VMA that had one stack. */
struct fault_stack {
	const struct process_row *process;
	const struct vma_row *vma; /* NULL: of faults that found no room for their VMA */
	uint32_t stack;		   /* STACK_UNKNOWN with samples 0: none of these faults was sampled */
	uint64_t faults, samples;
};

/*
 * Of a settled table, most faults first. The faults of each VMA are divided as its samples say, so that the
 * rows of all add up to the faults. The caller frees the array. NULL: no memory.
 */
struct fault_stack *fault_stacks__list(const struct fault_table *table, size_t *n);

#endif
