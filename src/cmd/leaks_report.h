/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memtrace leaks says of memory over time. */
#ifndef MEMTRACE_LEAKS_REPORT_H
#define MEMTRACE_LEAKS_REPORT_H

#include <stddef.h>

#include "cmd/memory_watch.h"
#include "out/out.h"

/* How many processes grow, in a sentence. */
void leaks_report__summary(struct out *out, const struct memory_watch *watch);

/*
 * The processes, in their order. top: 0: all. history: JSON rows have the series, and what limits the growth;
 * times in it count from began_ns.
 */
void leaks_report__processes(struct out *out, const struct memory_watch *watch, size_t top, bool history,
			     uint64_t began_ns);

/* The cgroup of --cgroup: a row, and its plot. */
void leaks_report__cgroup(struct out *out, const struct watched_cgroup *cgroup, bool history,
			  uint64_t began_ns);

/* One process in words and as a plot. Not in JSON. */
void leaks_report__story(struct out *out, const struct watched *process);

#endif
