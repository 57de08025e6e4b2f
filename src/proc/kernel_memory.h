/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own account of its memory: /proc/slabinfo, /proc/vmallocinfo, /proc/allocinfo, from their
 * text. */
#ifndef MEMTRACE_KERNEL_MEMORY_H
#define MEMTRACE_KERNEL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define KERNEL_MEMORY_NAME 96

/* Objects of one cache, areas of one caller, allocations of one line of source. */
struct kernel_memory {
	char name[KERNEL_MEMORY_NAME]; /* cut if it is longer */
	uint64_t count, bytes;
};

/*
 * Each makes an array, ordered by name, of which a name is in it once: *list, which the caller frees, of *n.
 * Lines of another form are passed over. 0, -ENODATA (no line was understood) or -ENOMEM; then *list is NULL.
 *
 * slabinfo 2.1: objects in use, and their size. vmallocinfo: by the caller, "alloc_thing+0x12/0x40".
 * allocinfo (6.10, with CONFIG_MEM_ALLOC_PROFILING): by "file:line func:name".
 */
int slabinfo__parse(const char *text, struct kernel_memory **list, size_t *n);
int vmallocinfo__parse(const char *text, struct kernel_memory **list, size_t *n);
int allocinfo__parse(const char *text, struct kernel_memory **list, size_t *n);

/* In a list that was made so. NULL: it is not there. */
const struct kernel_memory *kernel_memory__find(const struct kernel_memory *list, size_t n, const char *name);

#endif
