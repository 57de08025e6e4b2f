/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places of code, each once: small numbers for what stacks are made of, and what has been found out of them.
 */
#ifndef MEMTRACE_PLACE_H
#define MEMTRACE_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "model/frame.h"

enum place_kind {
	PLACE_UNKNOWN, /* an address of a process, in no file */
	PLACE_FILE,    /* an offset of a file */
	PLACE_KERNEL,
	PLACE_JIT, /* a function that was compiled at run time, found when the place was made */
};

struct place {
	struct {
		uint64_t where; /* address or offset */
		uint64_t what;	/* number of the file, or address of the name of the function, which is unique
				 */
		uint32_t kind;
		uint32_t is_return;
	} key;
	uint32_t number;
	uint64_t offset; /* PLACE_JIT: in the function */
	size_t n_frames; /* 0: not looked up */
	struct frame *frames;
	UT_hash_handle hh;
};

struct place_table;

/* NULL: no memory. */
struct place_table *place_table__new(void);
void place_table__free(struct place_table *table);

/* Its number; 0, which is the place that nothing is known of, if there are too many, or no memory. */
uint32_t place_table__get(struct place_table *table, enum place_kind kind, uint64_t where, uint64_t what,
			  bool is_return);

/* Never NULL. */
struct place *place_table__at(const struct place_table *table, uint32_t number);

#endif
