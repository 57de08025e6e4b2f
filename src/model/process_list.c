/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/process_list.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int by_value(const void *a, const void *b, void *which)
{
	const struct process_memory *p = a, *q = b;
	uint64_t x = p->values[*(enum process_value *)which], y = q->values[*(enum process_value *)which];

	if (x != y && (x == PROCESS_VALUE_UNKNOWN || y == PROCESS_VALUE_UNKNOWN))
		return x == PROCESS_VALUE_UNKNOWN ? 1 : -1;
	if (x != y)
		return x < y ? 1 : -1;
	if (p->pid != q->pid)
		return p->pid < q->pid ? -1 : 1;
	return by_text(p->name, q->name);
}

void process_list__sort(struct process_memory *rows, size_t n, enum process_value by)
{
	if (n)
		qsort_r(rows, n, sizeof(*rows), by_value, &by);
}

struct process_memory process_memory__none(void)
{
	struct process_memory none = {};

	for (int i = 0; i < PROCESS_VALUES; i++)
		none.values[i] = PROCESS_VALUE_UNKNOWN;
	return none;
}

void process_memory__add(struct process_memory *to, const struct process_memory *from)
{
	for (int i = 0; i < PROCESS_VALUES; i++) {
		if (from->values[i] == PROCESS_VALUE_UNKNOWN)
			continue;
		if (to->values[i] == PROCESS_VALUE_UNKNOWN)
			to->values[i] = 0;
		to->values[i] += from->values[i];
	}
	to->processes += from->processes;
	to->without_pss += from->without_pss;
}

struct named {
	const char *name;
	const struct process_memory *row;
};

static int by_name(const void *a, const void *b)
{
	return by_text(((const struct named *)a)->name, ((const struct named *)b)->name);
}

size_t process_list__group(const struct process_memory *rows, const char *const *names, size_t n,
			   struct process_memory **groups)
{
	struct named *sorted = calloc(n ? n : 1, sizeof(*sorted));
	size_t count = 0;

	*groups = calloc(n ? n : 1, sizeof(**groups));
	if (!sorted || !*groups) {
		free(sorted);
		free(*groups);
		*groups = NULL;
		return 0;
	}
	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct named){names[i], &rows[i]};
	if (n)
		qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 0; i < n; i++) {
		if (!i || by_name(&sorted[i - 1], &sorted[i])) {
			(*groups)[count] = process_memory__none();
			(*groups)[count++].name = sorted[i].name;
		}
		process_memory__add(&(*groups)[count - 1], sorted[i].row);
	}
	free(sorted);
	return count;
}

static int by_identity(const void *a, const void *b)
{
	const struct process_memory *p = a, *q = b;

	if (p->pid != q->pid)
		return p->pid < q->pid ? -1 : 1;
	return p->start < q->start ? -1 : p->start > q->start;
}

void process_list__index(struct process_memory *rows, size_t n)
{
	if (n)
		qsort(rows, n, sizeof(*rows), by_identity);
}

const struct process_memory *process_list__find(const struct process_memory *rows, size_t n, uint32_t pid,
						uint64_t start)
{
	struct process_memory key = {.pid = pid, .start = start};

	return n ? bsearch(&key, rows, n, sizeof(*rows), by_identity) : NULL;
}
