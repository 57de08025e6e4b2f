/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memtrace leaks: its options, and the ways in which it looks for what grows and never comes back, from free
 * to precise. leaks.c chooses one.
 */
#ifndef MEMTRACE_LEAKS_H
#define MEMTRACE_LEAKS_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/leaks_heap.h"
#include "cmd/leaks_kernel.h"
#include "cmd/options.h"
#include "cmd/stack_options.h"

struct leaks_options {
	struct common_options common;
	struct stack_options stacks;
	struct leaks_heap_options heap;
	struct leaks_kernel_options kernel;
	uint64_t buffer_bytes; /* of the ring buffer; 0: not given */
};

/* No -p, --comm, --cgroup or program. */
bool leaks_options__is_system_wide(const struct leaks_options *options);

/*
 * The trend of each process and, where targets are given and the kernel lets it, the call sites at which
 * they grow. Returns the exit status; whatever is wrong has been told.
 */
int leaks_watch__run(struct leaks_options *options);

#endif
