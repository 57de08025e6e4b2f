/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/meminfo, vmstat, swaps, pressure files and those of memory cgroups, from their text. */
#ifndef MEMTRACE_MEMORY_FILES_H
#define MEMTRACE_MEMORY_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "model/machine_memory.h"

/* A number of /proc/meminfo, in bytes. False: there is none of that name ("MemAvailable"). */
bool meminfo__find(const char *text, const char *name, uint64_t *bytes);

/* All that struct machine_memory has of it; what is not told is MACHINE_UNKNOWN. False: not such a text. */
bool meminfo__parse(const char *text, struct machine_memory *memory);

/* The number in the line of that name: /proc/vmstat, memory.stat, memory.events. False: there is none. */
bool counter__find(const char *text, const char *name, uint64_t *value);

/* The sum of all whose name begins so ("allocstall_": one a zone). False: there is none. */
bool counter__sum(const char *text, const char *prefix, uint64_t *value);

/* One line of /proc/swaps. */
struct swap_area {
	char name[256]; /* hostile: a path */
	char type[16];
	uint64_t size, used; /* bytes */
	int priority;
};

/* The area at *text, which moves on. 1: *area is filled; 0: the end; -EINVAL: not such a text. */
int swaps__next(const char **text, struct swap_area *area);

/* Shares of time (0 to 1) over 10, 60 and 300 s, and the sum since the start. */
struct pressure_line {
	double average[3];
	uint64_t total_us;
};

/* kind: "some" or "full". False: not told. */
bool pressure__find(const char *text, const char *kind, struct pressure_line *pressure);

/* How long some tasks, and all that could run, have waited for memory since the start, in us. False: not
 * told. */
bool pressure__parse(const char *text, uint64_t *some_us, uint64_t *full_us);

#endif
