/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call stacks, each kept once, and how many samples had which.
 *
 * A stack is an array of places (sym/sym.h), innermost first, and how it ends. Memory is bounded: what comes
 * after STACKS_MAX different stacks counts as STACK_UNKNOWN.
 */
#ifndef MEMTRACE_STACK_TABLE_H
#define MEMTRACE_STACK_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#define STACK_UNKNOWN 0 /* no stack */
#define STACKS_MAX    (1u << 17)

struct stack_table;

/* NULL: no memory. */
struct stack_table *stack_table__new(void);
void stack_table__free(struct stack_table *t);

/* The number of this stack, the same for equal ones. STACK_UNKNOWN: an empty stack, or no room. */
uint32_t stack_table__add(struct stack_table *t, const uint32_t *places, size_t count, uint32_t end);

/* The places of a stack and how it ends; valid until the table is freed. NULL, *count 0: STACK_UNKNOWN. */
const uint32_t *stack_table__get(const struct stack_table *t, uint32_t stack, size_t *count, uint32_t *end);

/* Stacks that found no room. */
uint64_t stack_table__left_out(const struct stack_table *t);

/* --- counts: a hash by stack, whose head is the owner's ------------------------------------------------- */

struct stack_count {
	uint32_t stack;
	uint64_t samples;
	uint64_t weight; /* events that they stand for */
	UT_hash_handle hh;
};

/* false: no memory. */
bool stack_counts__add(struct stack_count **counts, uint32_t stack, uint64_t samples, uint64_t weight);
void stack_counts__merge(struct stack_count **into, const struct stack_count *from);
void stack_counts__free(struct stack_count **counts);

/*
 * Divide `total` among the stacks by their weights, into values[HASH_COUNT(counts)] in the order of the hash.
 * The values add up to total: rounded down, what is left over goes to the largest remainders (Hamilton's
 * method). Without a sample nothing is divided, and false returned.
 */
bool stack_counts__divide(const struct stack_count *counts, uint64_t total, uint64_t *values);

#endif
