/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One record of the kernel's perf events that tells of processes and what they map. */
#ifndef MEMTRACE_MAP_RECORD_H
#define MEMTRACE_MAP_RECORD_H

#include <linux/perf_event.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/sym.h"

/* What the events must ask for. Records end in pid, tid (each u32) and time (u64). */
#define MAP_RECORD_SAMPLE_TYPE (PERF_SAMPLE_TID | PERF_SAMPLE_TIME)

/* When it happened. 0: too short for a record. */
uint64_t map_record__time(const struct perf_event_header *record);

/* Tell sym of it. What is of another kind, or malformed, is passed over. */
void map_record__deliver(const struct perf_event_header *record, struct sym *sym);

#endif
