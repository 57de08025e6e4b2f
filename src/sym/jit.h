/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions that processes compile while they run, by the file that they write for perf(1):
 * /tmp/perf-PID.map, the directory and the pid as the process sees them.
 */
#ifndef MEMTRACE_JIT_H
#define MEMTRACE_JIT_H

#include <stdint.h>

struct jit_maps;

/* NULL: no memory. */
struct jit_maps *jit_maps__new(void);
void jit_maps__free(struct jit_maps *maps);

/*
 * The function of the process that is running at an address, *offset bytes before it. NULL: none that is
 * known. Valid until the next call.
 */
const char *jit_maps__find(struct jit_maps *maps, uint32_t pid, uint64_t address, uint64_t *offset);

#endif
