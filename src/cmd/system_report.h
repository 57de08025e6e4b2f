/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of `memtrace system`. */
#ifndef MEMTRACE_SYSTEM_REPORT_H
#define MEMTRACE_SYSTEM_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/machine_memory.h"
#include "model/zone.h"
#include "out/out.h"
#include "proc/memory_files.h"
#include "proc/zones.h"

#define SYSTEM_ZONES 256

/* What the machine told at one moment. */
struct system_state {
	uint64_t read_ns; /* CLOCK_MONOTONIC */
	struct machine_memory memory;
	struct zone zones[SYSTEM_ZONES]; /* those that have memory */
	size_t n_zones;			 /* 0: not told */
	bool zones_left_out;
	char *vmstat;		/* texts of the files; owned */
	char *swaps, *pressure; /* NULL: not told */
};

/*
 * The state now, and what happened since `before`. began_ns: of the first state. changes: also tell by how
 * much each part has changed.
 */
void system_report__print(struct out *out, const struct system_state *before, const struct system_state *now,
			  uint64_t began_ns, bool changes);

/* The last line, in JSON. */
void system_report__end(struct out *out, double seconds, uint64_t reports);

#endif
