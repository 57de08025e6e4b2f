/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What memtrace leaks --kernel says. */
#ifndef MEMTRACE_LEAKS_KERNEL_REPORT_H
#define MEMTRACE_LEAKS_KERNEL_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmem.h"
#include "model/heap_table.h"
#include "model/kernel_count.h"
#include "out/out.h"
#include "trace/stacks.h"

/* "kmalloc", "slab", "vmalloc", "page" */
const char *kmem_via__name(unsigned via);

/* A row for each kind of memory; has[]: whether the kernel tells of it. */
void leaks_kernel_report__kinds(struct out *out, const struct heap_table *table, const bool has[KMEM_VIAS]);

/* Call sites, by what is outstanding. top: 0: all. */
void leaks_kernel_report__sites(struct out *out, struct stacks *stacks, const struct heap_row *rows, size_t n,
				size_t top, uint64_t now_ns);

/* What the kernel's own files say, beside what was traced. */
void leaks_kernel_report__counts(struct out *out, const struct kernel_count *counts, size_t n, size_t top);

/* What was counted besides. */
void leaks_kernel_report__totals(struct out *out, const uint64_t counts[HEAP_COUNTS], uint32_t room);

#endif
