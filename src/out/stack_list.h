/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stacks of a profile for the writers that show names alone: each different stack once, in order of its
 * names from the outermost in. So stacks with a beginning in common are neighbours, and a tree of them needs
 * no more than a walk along the list.
 */
#ifndef MEMTRACE_STACK_LIST_H
#define MEMTRACE_STACK_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "model/profile.h"

enum frame_kind { FRAME_USER, FRAME_INLINED, FRAME_KERNEL };

enum frame_kind frame_kind__of(const struct frame *frame);

/* One box of a flame graph, one part of a folded line: frames of equal name and kind. */
struct stack_label {
	const char *name;
	enum frame_kind kind;
	const char *module; /* that of the first such frame; hostile, NULL: none. */
};

struct stack {
	const uint32_t *labels; /* outermost first; the first is the comm */
	size_t depth;		/* at least 1 */
	uint64_t value;		/* of the profile's first type, never 0 */
};

struct stack_list {
	struct stack_label *labels;
	struct stack *stacks;
	size_t count;
	uint64_t total; /* of the values */
};

/* Changes a name, in place and not beyond size, into what is shown for it. */
typedef void stack_namer(char *name, size_t size, enum frame_kind kind);

/*
 * What is missing is told by the frames "[truncated]", outside the known ones, and "[no stack]". name_it may
 * be NULL. The caller frees the list, before the profile. NULL: no memory.
 */
struct stack_list *stack_list__new(const struct profile *profile, stack_namer *name_it);
void stack_list__free(struct stack_list *list);

#endif
