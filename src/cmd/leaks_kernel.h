/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option of memtrace leaks --kernel; it heeds --older and --blocks of leaks_heap.h, too. */
#ifndef MEMTRACE_LEAKS_KERNEL_H
#define MEMTRACE_LEAKS_KERNEL_H

#include <argp.h>
#include <stdbool.h>

struct leaks_kernel_options {
	bool kernel; /* asked for */
};

/* An argp child that fills in a struct leaks_kernel_options: give it in state->child_inputs[]. */
extern const struct argp leaks_kernel_argp;

struct leaks_options;

/* After parsing. False: told, bad usage. */
bool leaks_kernel__check(const struct leaks_options *options);

/* Returns the exit status; whatever is wrong has been told. */
int leaks_kernel__run(struct leaks_options *options);

#endif
