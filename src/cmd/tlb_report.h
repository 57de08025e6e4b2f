/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memtrace tlb shows. */
#ifndef MEMTRACE_TLB_REPORT_H
#define MEMTRACE_TLB_REPORT_H

#include "cmd/tlb_memory.h"
#include "model/tlb_shape.h"
#include "model/tlb_table.h"
#include "out/out.h"
#include "trace/walk_counter.h"

/* What the processor counted in an interval; is_known false: it has no counters, or they are not for us. */
struct tlb_walks {
	bool is_known;
	int err; /* why not */
	uint64_t values[WALK_EVENTS];
	bool has[WALK_EVENTS];
};

/* Flushes by reason, and by how many pages each was of. */
void tlb_report__reasons(struct out *out, const struct tlb_table *table, double seconds);
void tlb_report__pages(struct out *out, const struct tlb_table *table);

/* top: rows shown; 0: all. */
void tlb_report__processes(struct out *out, const struct tlb_row *rows, size_t n, size_t top);

/* What has to be mapped, and how; shape: NULL: the processor does not say what its TLB holds. */
void tlb_report__memory(struct out *out, const struct tlb_row *rows, size_t n, size_t top,
			const struct tlb_shape *shape, const struct tlb_memory_gaps *gaps);
/* What stands out, and what helps. */
void tlb_report__findings(struct out *out, const struct tlb_row *rows, size_t n, double seconds);
void tlb_report__walks(struct out *out, const struct tlb_walks *walks, double seconds);

#endif
