/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that a just-in-time compiler made, from the text of /tmp/perf-PID.map. */
#ifndef MEMTRACE_PERF_MAP_H
#define MEMTRACE_PERF_MAP_H

#include <stddef.h>
#include <stdint.h>

struct perf_map;

/* text is not needed afterwards; a line that is malformed is left out. NULL: no memory. */
struct perf_map *perf_map__parse(const char *text, size_t size);
void perf_map__free(struct perf_map *map);

/*
 * The function at an address, of which *offset is the distance from its start. Compilers use memory again
 * and only ever append: the last line that holds the address counts. NULL: none. The map's string.
 */
const char *perf_map__find(const struct perf_map *map, uint64_t address, uint64_t *offset);

#endif
