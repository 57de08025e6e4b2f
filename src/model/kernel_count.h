/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel says of its memory before and after, beside what was traced in between: slab caches by
 * name, those of kmalloc by size, and all of vmalloc.
 */
#ifndef MEMTRACE_KERNEL_COUNT_H
#define MEMTRACE_KERNEL_COUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_COUNT_NAME 64

struct kernel_count {
	const char *source; /* "slabinfo" */
	char name[KERNEL_COUNT_NAME];
	bool is_known; /* the file has a line of that name */
	uint64_t before_count, now_count;
	uint64_t before_bytes, now_bytes;
	bool is_traced;			    /* this kind of memory is told by tracepoints */
	int64_t traced_count, traced_bytes; /* allocated and not freed in between */
};

struct kernel_counts;

/* NULL: no memory. */
struct kernel_counts *kernel_counts__new(void);
void kernel_counts__free(struct kernel_counts *c);

/*
 * What a file says, before (now false) or now, and what was traced. Names of the caches of kmalloc are
 * folded: there are several of one size ("kmalloc-cg-1k", "kmalloc-rnd-03-1k"). 0 or -ENOMEM.
 */
int kernel_counts__told(struct kernel_counts *c, const char *source, const char *name, uint64_t count,
			uint64_t bytes, bool now);
int kernel_counts__traced(struct kernel_counts *c, const char *source, const char *name, int64_t count,
			  int64_t bytes);

/* Forget what is told of now and what was traced: it will be told again. */
void kernel_counts__begin(struct kernel_counts *c);

/* Say that the names of a source are of memory that is traced. */
void kernel_counts__is_traced(struct kernel_counts *c, const char *source);

/* Those that changed, most bytes first, whichever side says so; *n of them. The caller frees the array. */
struct kernel_count *kernel_counts__rows(const struct kernel_counts *c, size_t *n);

/* "kmalloc-1k" of 1024: the cache that kmalloc takes such an object from. */
void kernel_count__kmalloc_name(uint64_t bytes, char name[KERNEL_COUNT_NAME]);

#endif
