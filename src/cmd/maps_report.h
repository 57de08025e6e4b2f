/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of `memtrace maps`. */
#ifndef MEMTRACE_MAPS_REPORT_H
#define MEMTRACE_MAPS_REPORT_H

#include "cmd/maps_trace.h"
#include "out/out.h"
#include "proc/process_files.h"

/* What is shown beside the sizes. */
struct maps_view {
	bool by_file, details, segments, picture;
	const struct maps_trace *trace; /* NULL: not traced */
	size_t top;			/* 0: all */
};

/* A process as it is shown. */
struct maps_process {
	uint32_t pid;
	struct process_stat stat;
	struct process_layout layout;
	char *smaps; /* text; owned */
	int pagemap; /* descriptors of its pagemap and of /proc/kpageflags; -1: not to be had */
	int kpageflags;
};

void maps_report__process(struct out *out, const struct maps_process *p, const struct maps_view *view);

/* Everything about one address. stacks: to name what is there. */
struct stacks;
void maps_report__address(struct out *out, const struct maps_process *p, uint64_t address,
			  struct stacks *stacks);

#endif
