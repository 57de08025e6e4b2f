/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of `memtrace reclaim`. */
#ifndef MEMTRACE_RECLAIM_REPORT_H
#define MEMTRACE_RECLAIM_REPORT_H

#include "model/fault_table.h"
#include "model/reclaim_table.h"
#include "out/out.h"
#include "trace/reclaim_source.h"
#include "trace/stacks.h"

/* What one report is about. */
struct reclaim_view {
	const struct reclaim_table *table;
	const struct reclaim_source *source; /* for the names of cgroups */
	const struct fault_table *faults;    /* NULL: page faults are not traced */
	bool swap_outs_known;
	double seconds;	 /* that it covers */
	uint64_t now_ns; /* CLOCK_MONOTONIC */
	size_t top;	 /* rows of a table; 0: all */
};

/* How many of n rows a table shows. */
size_t reclaim_view__shown(const struct reclaim_view *view, size_t n);

/* Who had to find memory itself, or wait for compaction. */
void reclaim_report__stalls(struct out *out, const struct reclaim_view *view);

/* kswapd, and who called it. */
void reclaim_report__kswapd(struct out *out, const struct reclaim_view *view);

void reclaim_report__throttling(struct out *out, const struct reclaim_view *view);

/* What went to swap and came back, and what was read from files, by process. */
void reclaim_report__swap(struct out *out, const struct reclaim_view *view);

void reclaim_report__cgroups(struct out *out, const struct reclaim_view *view);

/* What has begun and not ended. */
void reclaim_report__under_way(struct out *out, const struct reclaim_view *view);

/* Histograms of stalls: in tables' output only. */
void reclaim_report__latency(struct out *out, const struct reclaim_view *view);

/* What it means, in sentences. */
void reclaim_report__findings(struct out *out, const struct reclaim_view *view);

/* Call stacks of all rows by the time that they stand for. Returns the number of samples. */
uint64_t reclaim_report__stacks(struct out *out, const struct reclaim_view *view, struct stacks *stacks);

/* One that has ended (--events). began_ns: of the session. */
struct reclaim_stack_shown {
	struct frame *frames;
	size_t count;
	const char *note;
};
void reclaim_report__event(struct out *out, const struct reclaim_source *source,
			   const struct reclaim_record *record, uint64_t began_ns,
			   const struct reclaim_stack_shown *stack);

#endif
