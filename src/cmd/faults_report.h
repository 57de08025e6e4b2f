/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of `memtrace faults`. */
#ifndef MEMTRACE_FAULTS_REPORT_H
#define MEMTRACE_FAULTS_REPORT_H

#include "cmd/fault_place.h"
#include "faults.h"
#include "model/fault_stacks.h"
#include "model/fault_table.h"
#include "out/out.h"
#include "trace/fault_source.h"
#include "trace/stacks.h"

/* Processes, most faults first; `top` of them, 0: all. */
void faults_report__processes(struct out *out, const struct fault_table *table, size_t top);

/* VMAs, and for each process that has it the row "(other)". */
void faults_report__vmas(struct out *out, const struct fault_table *table, size_t top);

/* Why: faults by kind, over all processes. */
void faults_report__kinds(struct out *out, const struct fault_table *table);

/* Latencies of minor and major faults by class; latencies[class][major]. bars: draw them. */
void faults_report__latency(struct out *out, struct fault_latency (*latencies)[2], bool bars);

/* Call stacks, most faults first; total: faults of all. */
void faults_report__stacks(struct out *out, struct stacks *stacks, const struct fault_stack *rows, size_t n,
			   size_t top, uint64_t total);

/* A stack as it is shown. */
struct fault_stack_shown {
	struct frame *frames; /* NULL: none */
	size_t count;
	const char *note; /* why it is cut short; NULL: it is not */
};

/* One bad access. stacks: to name the instruction; NULL: it is told as an offset. */
void faults_report__signal(struct out *out, const struct fault_table *table,
			   const struct signal_record *record, const struct fault_stack_shown *stack,
			   struct stacks *stacks);

/* One fault, as it happened. vma: its row, or NULL. began_ns: from when a table's times count
 * (CLOCK_MONOTONIC). */
void faults_report__event(struct out *out, struct recent_codes *codes, const struct fault_record *record,
			  const struct vma_row *vma, uint64_t began_ns,
			  const struct fault_stack_shown *stack);

#endif
