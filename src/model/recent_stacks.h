/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of call stacks as they came, the newest of them: nothing is made of them until it is known whose
 * are wanted. All of its memory is allocated at once; when it is full, the oldest give way.
 */
#ifndef MEMTRACE_RECENT_STACKS_H
#define MEMTRACE_RECENT_STACKS_H

#include <stddef.h>
#include <stdint.h>

#include "stack.h"

struct recent_stacks;

/* bytes: of records. NULL: no memory. */
struct recent_stacks *recent_stacks__new(size_t bytes);
void recent_stacks__free(struct recent_stacks *r);

/* A record of that size, copied. One larger than all the room is left out. */
void recent_stacks__add(struct recent_stacks *r, const struct stack_record *record, size_t size);

/*
 * The record after `last`, oldest first, and its size; last NULL: the oldest. Valid until the next is added.
 * NULL: there is none.
 */
const struct stack_record *recent_stacks__next(const struct recent_stacks *r, const struct stack_record *last,
					       size_t *size);

#endif
