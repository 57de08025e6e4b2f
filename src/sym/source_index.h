/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Functions, those inlined into them, and source lines behind the addresses of one DWARF. */
#ifndef MEMTRACE_SOURCE_INDEX_H
#define MEMTRACE_SOURCE_INDEX_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_FRAMES_MAX 33 /* a function, and 32 inlined into each other there */

struct source_index;

/* What is not known is NULL or 0. The strings are the DWARF's. */
struct source_frame {
	const char *name; /* mangled, if it was */
	const char *file; /* the position in this function */
	unsigned line;
	uint64_t entry; /* where the function starts; not for inlined ones */
	bool inlined;	/* into the next frame */
};

/* NULL: no memory. The DWARF has to outlive it. */
struct source_index *source_index__new(Dwarf *dwarf);
void source_index__free(struct source_index *index);

/*
 * The functions at an address (in the DWARF's terms), innermost first. 0: none is known. One frame without a
 * name: only the line is known.
 */
size_t source_index__find(struct source_index *index, uint64_t address,
			  struct source_frame frames[SOURCE_FRAMES_MAX]);

#endif
