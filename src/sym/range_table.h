/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranges of addresses, nested or overlapping as they may be, and which of those that hold an address starts
 * last. Filled, then sorted once, then asked: O(log n) unless thousands of ranges lie within each other.
 */
#ifndef MEMTRACE_RANGE_TABLE_H
#define MEMTRACE_RANGE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct range {
	uint64_t start, end; /* end is the first address after it */
	uint32_t value;	     /* the caller's */
	uint32_t outer;	     /* the next candidate when this one ends too early */
};

struct range_table {
	struct range *ranges;
	size_t n, capacity;
};

/* 0, or -ENOMEM. A range without addresses is left out. */
int range_table__add(struct range_table *table, uint64_t start, uint64_t end, uint32_t value);
void range_table__sort(struct range_table *table);

/* Of ranges that start together, the shortest. NULL: none. Valid until the next add or sort. */
const struct range *range_table__find(const struct range_table *table, uint64_t address);
void range_table__clear(struct range_table *table);

#endif
