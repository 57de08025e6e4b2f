/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of memtrace leaks --heap. */
#ifndef MEMTRACE_LEAKS_HEAP_H
#define MEMTRACE_LEAKS_HEAP_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

struct leaks_heap_options {
	bool heap;	 /* asked for */
	bool everywhere; /* probe all processes, so that no child is late */
	uint64_t older_ns;
	uint64_t min_size, max_size; /* bytes; max_size 0: not given */
	uint64_t sample_bytes;	     /* 0: every block */
	uint64_t blocks;	     /* 0: not given */
	const char *object, *prefix; /* NULL: not given */
};

/* An argp child that fills in a struct leaks_heap_options: give it in state->child_inputs[]. */
extern const struct argp leaks_heap_argp;

struct leaks_options;

/* After parsing. False: told, bad usage. */
bool leaks_heap__check(const struct leaks_options *options);

/* Returns the exit status; whatever is wrong has been told. */
int leaks_heap__run(struct leaks_options *options);

#endif
