/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of `memtrace brk-vs-mmap`. */
#ifndef MEMTRACE_BRK_VS_MMAP_REPORT_H
#define MEMTRACE_BRK_VS_MMAP_REPORT_H

#include "cmd/process_ledgers.h"
#include "out/out.h"
#include "trace/stacks.h"

/* A row for each process, in the order given; `top` of them, 0: all. They all run, or have all ended. */
void brk_vs_mmap__processes(struct out *out, struct process_ledger *const *rows, size_t n, size_t top);

/* One process, in tables: what brk and mmap have obtained, beside each other. */
void brk_vs_mmap__compare(struct out *out, const struct process_ledger *s, const struct ledger_report *r);

/* Its system calls, by name; which failed, and why. */
void brk_vs_mmap__calls(struct out *out, const struct process_ledger *s);
void brk_vs_mmap__failures(struct out *out, const struct process_ledger *s);

/* Sizes of what was asked for, by brk and by mmap side by side. */
void brk_vs_mmap__sizes(struct out *out, const struct process_ledger *s);

/* How it grew: lines of marks. */
void brk_vs_mmap__growth(struct out *out, const struct ledger_report *r);

/* The call stacks that it has grown by, most growth first; 0: all. */
void brk_vs_mmap__sites(struct out *out, const struct process_ledger *s, const struct ledger_report *r,
			struct stacks *stacks, size_t top);

/* Its mappings, as the ledger has them: JSON only. */
void brk_vs_mmap__mappings(struct out *out, const struct process_ledger *s);

/* What is worth knowing of it. */
void brk_vs_mmap__findings(struct out *out, const struct process_ledger *s, const struct ledger_report *r);

/* A call stack as it is shown with an event. */
struct call_stack_shown {
	struct frame *frames; /* NULL: none */
	size_t count;
	const char *note; /* why it is cut short; NULL: it is not */
};

/* One call, as it happened. file: what it mapped, or NULL. */
void brk_vs_mmap__event(struct out *out, const struct process_ledger *s, const struct call_record *record,
			const struct mapped_file *file, uint64_t began_ns,
			const struct call_stack_shown *stack);

#endif
