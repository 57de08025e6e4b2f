/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memtrace leaks --heap says. */
#ifndef MEMTRACE_LEAKS_HEAP_REPORT_H
#define MEMTRACE_LEAKS_HEAP_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "cmd/leaks.h"
#include "model/heap_table.h"
#include "out/out.h"
#include "trace/heap_probes.h"
#include "trace/stacks.h"

/* In which files functions are probed. */
void leaks_heap_report__objects(struct out *out, const struct heap_object *objects, size_t n);

/* Processes, by what is outstanding. top: 0: all. */
void leaks_heap_report__processes(struct out *out, const struct heap_table *table, size_t top,
				  bool is_sample);

/* Call sites. */
void leaks_heap_report__sites(struct out *out, struct stacks *stacks, const struct heap_row *rows, size_t n,
			      size_t top, uint64_t now_ns, bool is_sample);

/* What was counted besides, and what it means. room: for how many blocks; late: processes whose first
 * allocations may have been missed. */
void leaks_heap_report__counts(struct out *out, const struct leaks_heap_options *options,
			       const uint64_t counts[HEAP_COUNTS], uint32_t room, uint64_t late,
			       uint64_t missed);

#endif
