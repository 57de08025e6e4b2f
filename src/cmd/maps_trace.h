/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page faults of processes over some seconds, for `memtrace maps --trace`. */
#ifndef MEMTRACE_MAPS_TRACE_H
#define MEMTRACE_MAPS_TRACE_H

#include "cmd/options.h"
#include "model/fault_table.h"

struct maps_trace;

/* Trace the processes of the options for so long, or until a signal or their end. Says what is wrong, NULL.
 */
struct maps_trace *maps_trace__run(const struct common_options *common, uint64_t ns);
void maps_trace__free(struct maps_trace *trace);

/* What faulted between two addresses of a process. */
void maps_trace__faults(const struct maps_trace *trace, uint32_t pid, uint64_t start, uint64_t end,
			struct fault_counts *counts);

/* How long it was. */
double maps_trace__seconds(const struct maps_trace *trace);

#endif
