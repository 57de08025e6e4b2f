/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/fault_stacks.h"

#include <stdlib.h>

static int by_faults(const void *a, const void *b)
{
	const struct fault_stack *s = a, *t = b;

	if (s->faults != t->faults)
		return s->faults > t->faults ? -1 : 1;
	if (s->process != t->process)
		return s->process->key.tgid < t->process->key.tgid ? -1 : 1;
	return s->stack < t->stack ? -1 : s->stack > t->stack;
}

/* Append the stacks of one VMA; returns how many. values: room for as many numbers. */
static size_t put_vma(struct fault_stack *rows, uint64_t *values, const struct vma_ref *ref)
{
	const struct vma_row *v = ref->vma;
	size_t n = 0;

	if (!stack_counts__divide(v->stacks, v->counts.faults, values)) {
		*rows = (struct fault_stack){ref->process, v, STACK_UNKNOWN, v->counts.faults, 0};
		return 1;
	}
	for (const struct stack_count *c = v->stacks; c; c = c->hh.next, n++)
		rows[n] = (struct fault_stack){ref->process, v, c->stack, values[n], c->samples};
	return n;
}

struct fault_stack *fault_stacks__list(const struct fault_table *table, size_t *n)
{
	size_t vmas, processes, capacity = 1;
	struct vma_ref *refs = fault_table__vmas(table, &vmas);
	struct process_row **owners = fault_table__processes(table, &processes);
	struct fault_stack *rows;
	uint64_t *values;

	for (size_t i = 0; i < vmas; i++)
		capacity += HASH_COUNT(refs[i].vma->stacks) + 1;
	rows = calloc(capacity + processes, sizeof(*rows));
	values = calloc(capacity, sizeof(*values));
	*n = 0;
	for (size_t i = 0; i < vmas && rows && values; i++)
		*n += put_vma(&rows[*n], values, &refs[i]);
	for (size_t i = 0; i < processes && rows; i++)
		if (owners[i]->other.faults)
			rows[(*n)++] = (struct fault_stack){owners[i], NULL, STACK_UNKNOWN,
							    owners[i]->other.faults, 0};
	free(values);
	free(refs);
	free(owners);
	if (rows)
		qsort(rows, *n, sizeof(*rows), by_faults);
	return rows;
}
