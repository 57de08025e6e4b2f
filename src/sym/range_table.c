/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sym/range_table.h"

#include <errno.h>
#include <stdlib.h>

#define NO_RANGE UINT32_MAX

int range_table__add(struct range_table *table, uint64_t start, uint64_t end, uint32_t value)
{
	struct range *grown;
	size_t capacity;

	if (start >= end)
		return 0;
	if (table->n == table->capacity) {
		capacity = table->capacity ? table->capacity * 2 : 16;
		if (capacity >= NO_RANGE)
			return -ENOMEM;
		grown = realloc(table->ranges, capacity * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		table->ranges = grown;
		table->capacity = capacity;
	}
	table->ranges[table->n++] = (struct range){.start = start, .end = end, .value = value};
	return 0;
}

/* Those that start together: the longest first, and so the shortest is met first when going back. */
static int compare(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->end != y->end)
		return x->end > y->end ? -1 : 1;
	return 0;
}

/* Nothing between a range and the nearest before it that ends later can hold an address beyond the range. */
static void link_outer(struct range_table *table)
{
	struct range *r = table->ranges;

	for (uint32_t i = 0; i < table->n; i++) {
		uint32_t outer = i ? i - 1 : NO_RANGE;

		while (outer != NO_RANGE && r[outer].end <= r[i].end)
			outer = r[outer].outer;
		r[i].outer = outer;
	}
}

void range_table__sort(struct range_table *table)
{
	if (table->n)
		qsort(table->ranges, table->n, sizeof(*table->ranges), compare);
	link_outer(table);
}

const struct range *range_table__find(const struct range_table *table, uint64_t address)
{
	size_t low = 0, high = table->n;
	uint32_t i;

	while (low < high) { /* to the first that starts beyond the address */
		size_t middle = low + (high - low) / 2;

		if (table->ranges[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (i = low ? low - 1 : NO_RANGE; i != NO_RANGE; i = table->ranges[i].outer)
		if (address < table->ranges[i].end)
			return &table->ranges[i];
	return NULL;
}

void range_table__clear(struct range_table *table)
{
	free(table->ranges);
	*table = (struct range_table){0};
}
