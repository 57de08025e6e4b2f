/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads bpf/tlb: flushes of the TLB and context switches, put into a table. */
#ifndef MEMTRACE_TLB_SOURCE_H
#define MEMTRACE_TLB_SOURCE_H

#include "model/tlb_table.h"
#include "trace/features.h"
#include "trace/loss.h"
#include "trace/target.h"

struct tlb_source_options {
	uint64_t max_processes; /* that the kernel side keeps apart at a time; 0: 8192 */
};

struct tlb_source;

/* Load and attach. The table stays the caller's. Says what failed, and returns NULL then. */
struct tlb_source *tlb_source__open(const struct tlb_source_options *options, const struct target *target,
				    const struct features *features, struct tlb_table *table);
void tlb_source__close(struct tlb_source *source);

/* From now on flushes count. 0, or -errno, told. */
int tlb_source__begin(struct tlb_source *source);

/*
 * Bring the table up to date. threads: with the context switches of those that live, for a report. last:
 * nothing counts any more. 0 or -errno.
 */
int tlb_source__collect(struct tlb_source *source, bool threads, bool last);

int tlb_source__targets_fd(const struct tlb_source *source);
int tlb_source__loss(const struct tlb_source *source, struct loss *loss);
void tlb_source__overhead(const struct tlb_source *source, double measured_share, struct overhead *overhead);

#endif
