/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of call stacks as they came: nothing is made of them until it is known whose are wanted. All of its
 * memory is allocated at once. When it is full, those give way that the owner can do without, and then the
 * oldest.
 */
#ifndef MEMTRACE_RECENT_STACKS_H
#define MEMTRACE_RECENT_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack.h"

struct recent_stacks;

/* Can one do without that record? */
typedef bool stack_useless(void *context, const struct stack_record *record);

/* bytes: of records, which come from that time on (ns). NULL: no memory. */
struct recent_stacks *recent_stacks__new(size_t bytes, uint64_t since_ns, stack_useless *useless,
					 void *context);
void recent_stacks__free(struct recent_stacks *r);

/* A record of that size, copied. One larger than a quarter of the room is left out. */
void recent_stacks__add(struct recent_stacks *r, const struct stack_record *record, size_t size);

/* From when on nothing has given way that could be of use (ns). */
uint64_t recent_stacks__since(const struct recent_stacks *r);

/*
 * The record after `last`, oldest first, and its size; last NULL: the oldest. Valid until the next is added.
 * NULL: there is none.
 */
const struct stack_record *recent_stacks__next(const struct recent_stacks *r, const struct stack_record *last,
					       size_t *size);

#endif
