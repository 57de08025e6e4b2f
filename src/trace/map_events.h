/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The side-band of stacks: which code is mapped where, in all processes, as the kernel tells it in perf
 * events of its own. Open them before anything is traced; then have sym read what was there before
 * (sym__read_maps(sym, 0)).
 */
#ifndef MEMTRACE_MAP_EVENTS_H
#define MEMTRACE_MAP_EVENTS_H

#include <stdint.h>

#include "sym/sym.h"

struct map_events;

/* Says what failed; 0 or -errno. */
int map_events__open(struct map_events **events);

/* *events may be NULL. */
void map_events__close(struct map_events *events);

/* Call this from map_events__consume() for each process that has mapped code. */
void map_events__on_mapped(struct map_events *events, void (*mapped)(void *context, uint32_t pid),
			   void *context);

/*
 * Tell sym what happened up to a time (ns of CLOCK_MONOTONIC), in order; 0: up to now. Cheap if that was done
 * already: call it for each sample with the time of the sample, which has to know the mappings, and every 50
 * ms, so that the rings do not overflow.
 */
void map_events__consume(struct map_events *events, struct sym *sym, uint64_t until_ns);

#endif
