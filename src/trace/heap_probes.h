/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes on the allocators of processes: which files that a process maps have one, and where its functions
 * are.
 *
 * A probe is set for a process, so that others that map the same file do not pay for it. It stays when the
 * process execs; a process that it forks has none. To set it takes the kernel tens of milliseconds.
 */
#ifndef MEMTRACE_HEAP_PROBES_H
#define MEMTRACE_HEAP_PROBES_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "heap.h"

struct heap_probes;

struct heap_programs {
	const struct bpf_program *entered[HEAP_FUNCTIONS];
	const struct bpf_program *returned;
	/* Those for many probes at once, or NULL: the cookie is the enum heap_function. */
	const struct bpf_program *any_entered, *any_returned;
	/* Those of the USDT probes otel_memory:alloc and free. */
	const struct bpf_program *block_told, *free_told;
};

/*
 * object: look in this file only (NULL: in all); prefix: as for allocator__find(). They must outlive it.
 * everywhere: set probes in all processes at once. Says what is wrong and returns NULL then.
 */
struct heap_probes *heap_probes__open(const struct heap_programs *programs, const char *object,
				      const char *prefix, bool everywhere);
void heap_probes__close(struct heap_probes *probes);

/*
 * Probe what the process maps. How many functions are probed there, those that were before too; -errno: none
 * could be.
 */
int heap_probes__attach(struct heap_probes *probes, pid_t pid);

/*
 * Of a program that is to be run: find out what its dynamic loader will map. Forks, so call it before
 * anything is traced.
 */
void heap_probes__look_ahead(struct heap_probes *probes, const char *program);

/* Probe that for a process which is about to exec the program. As heap_probes__attach(). */
int heap_probes__attach_ahead(struct heap_probes *probes, pid_t pid);

/* The process has ended. */
void heap_probes__detach(struct heap_probes *probes, pid_t pid);

/* The files in which functions were probed, in any process, since it was opened: "/lib/libc.so.6", 12. */
struct heap_object {
	const char *path;
	size_t functions;
	size_t slow; /* of them, those where a probe costs microseconds more */
	size_t processes;
	bool tells_itself; /* by USDT probes, which are used instead of functions, in all files of the process
			    */
};
size_t heap_probes__objects(const struct heap_probes *probes, struct heap_object *objects, size_t max);

#endif
