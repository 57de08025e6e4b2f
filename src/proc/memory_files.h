/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/meminfo and /proc/pressure/memory, from their text. */
#ifndef MEMTRACE_MEMORY_FILES_H
#define MEMTRACE_MEMORY_FILES_H

#include <stdbool.h>
#include <stdint.h>

/* A number of /proc/meminfo, in bytes. False: there is none of that name ("MemAvailable"). */
bool meminfo__find(const char *text, const char *name, uint64_t *bytes);

/* How long some tasks, and all that could run, have waited for memory since the start, in us. False: not
 * told. */
bool pressure__parse(const char *text, uint64_t *some_us, uint64_t *full_us);

#endif
