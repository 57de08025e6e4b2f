/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The functions of an allocator in an ELF file, by the names of its symbols, and where a probe on each costs
 * least.
 */
#ifndef MEMTRACE_ALLOCATOR_H
#define MEMTRACE_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heap.h"

#define ALLOCATOR_NAME_MAX   64
#define ALLOCATOR_PROBES_MAX 256 /* in a file */

struct allocator_probe {
	enum heap_function function;
	uint64_t offset;  /* into the file: before the function has touched its arguments or the stack */
	bool is_emulated; /* the kernel need not execute the instruction there out of line, which takes
			     microseconds */
	char name[ALLOCATOR_NAME_MAX]; /* of the symbol; cut if it is longer */
};

struct allocator {
	struct allocator_probe *probes;
	size_t count;
	bool tells_itself; /* by the USDT probes otel_memory:alloc and free */
};

/*
 * Look for malloc, free and their like, with a prefix (NULL: none, or one of those that allocators are built
 * with: je_, mi_, tc_, ...), and for operator new and delete where they are not those of a C++ library that
 * call malloc and free. fd is closed whatever is returned. *a has no probes if the file has no such function,
 * or is no ELF file. 0 or -ENOMEM.
 */
int allocator__find(int fd, const char *prefix, struct allocator *a);
void allocator__free(struct allocator *a);

/* The notes of a section .note.stapsdt of 64-bit code: is there a probe of this provider and name? */
bool allocator__has_usdt(const uint8_t *notes, size_t size, const char *provider, const char *name);

/*
 * Of x86-64 code that begins a function: how many bytes into it there is an instruction that the kernel
 * emulates when a probe sits on it (arch/x86/kernel/uprobes.c: push, jumps, calls, nop), with all
 * instructions before leaving arguments and stack pointer alone and nothing jumping there. -1: there is none.
 */
int allocator__probe_place(const uint8_t *code, size_t size);

#endif
