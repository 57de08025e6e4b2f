/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The records of kmem.bpf.c: memory of the kernel that was allocated and not freed.
 *
 * The map values are those of heap.h. In the place of a process is the kind of memory (tgid: enum kmem_via,
 * image: 0). The number of a stack is the address of the caller, which the kernel tells of kmalloc and slab
 * caches, or, below KMEM_STACKS, that of a stack in the map `stacks`, plus 1.
 */
#ifndef MEMTRACE_KMEM_H
#define MEMTRACE_KMEM_H

#include "abi.h"
#include "heap.h"

enum kmem_via { KMEM_KMALLOC, KMEM_SLAB, KMEM_VMALLOC, KMEM_PAGE, KMEM_VIAS };

#define KMEM_STACKS	(1u << 20)
#define KMEM_FRAMES	32 /* of a stack */
#define KMEM_CACHE_NAME 32

/* The slab cache of a site. */
struct kmem_cache_name {
	char name[KMEM_CACHE_NAME];
};

struct kmem_config {
	struct target_config target;
	__u8 has_target;   /* else all, interrupts too */
	__u8 stacks;	   /* of kmalloc and slab caches, too */
	__u8 direct_reads; /* bpf_rdonly_cast() is there (6.2 and later) */
	/* Which argument of the tracepoints kmalloc and kmem_cache_alloc is the first size, or the cache; 0:
	 * none. */
	__u8 kmalloc_size, cache_size, cache;
	__u8 pad[2];
};

_Static_assert(sizeof(struct kmem_config) == 48, "ABI");

#endif
