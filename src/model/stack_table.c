/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/stack_table.h"

#include <stdlib.h>
#include <string.h>

struct stack {
	UT_hash_handle hh;
	uint32_t id;
	uint32_t count;
	uint32_t key[]; /* how it ends, then the places */
};

struct stack_table {
	struct stack *stacks; /* hash by key */
	struct stack **by_id; /* [id - 1] */
	size_t capacity;
	uint64_t left_out;
};

struct stack_table *stack_table__new(void)
{
	return calloc(1, sizeof(struct stack_table));
}

void stack_table__free(struct stack_table *t)
{
	struct stack *s, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->stacks, s, next) {
		HASH_DEL(t->stacks, s);
		free(s);
	}
	free(t->by_id);
	free(t);
}

/* Make room for one more in by_id[]. False: there is none. */
static bool make_room(struct stack_table *t)
{
	size_t n = HASH_COUNT(t->stacks), capacity = n ? n * 2 : 256;
	struct stack **grown;

	if (n >= STACKS_MAX)
		return false;
	if (n < t->capacity)
		return true;
	grown = reallocarray(t->by_id, capacity, sizeof(*grown));
	if (!grown)
		return false;
	t->by_id = grown;
	t->capacity = capacity;
	return true;
}

uint32_t stack_table__add(struct stack_table *t, const uint32_t *places, size_t count, uint32_t end)
{
	size_t size = (count + 1) * sizeof(*places);
	struct stack *s = count ? malloc(sizeof(*s) + size) : NULL, *found;

	if (!s)
		return STACK_UNKNOWN;
	s->count = count;
	s->key[0] = end;
	memcpy(&s->key[1], places, count * sizeof(*places));
	HASH_FIND(hh, t->stacks, s->key, size, found);
	if (found || !make_room(t)) {
		t->left_out += !found;
		free(s);
		return found ? found->id : STACK_UNKNOWN;
	}
	s->id = HASH_COUNT(t->stacks) + 1;
	t->by_id[s->id - 1] = s;
	HASH_ADD_KEYPTR(hh, t->stacks, s->key, size, s);
	return s->id;
}

const uint32_t *stack_table__get(const struct stack_table *t, uint32_t stack, size_t *count, uint32_t *end)
{
	const struct stack *s = stack && stack <= HASH_COUNT(t->stacks) ? t->by_id[stack - 1] : NULL;

	*count = s ? s->count : 0;
	*end = s ? s->key[0] : 0;
	return s ? &s->key[1] : NULL;
}

uint64_t stack_table__left_out(const struct stack_table *t)
{
	return t->left_out;
}

/* --- counts -----------------------------------------------------------------------------------------------
 */

bool stack_counts__add(struct stack_count **counts, uint32_t stack, uint64_t samples, uint64_t weight)
{
	struct stack_count *c;

	HASH_FIND(hh, *counts, &stack, sizeof(stack), c);
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return false;
		c->stack = stack;
		HASH_ADD(hh, *counts, stack, sizeof(c->stack), c);
	}
	c->samples += samples;
	c->weight += weight;
	return true;
}

void stack_counts__merge(struct stack_count **into, const struct stack_count *from)
{
	for (const struct stack_count *c = from; c; c = c->hh.next)
		stack_counts__add(into, c->stack, c->samples, c->weight);
}

void stack_counts__free(struct stack_count **counts)
{
	struct stack_count *c, *next;

	HASH_ITER(hh, *counts, c, next) {
		HASH_DEL(*counts, c);
		free(c);
	}
}

struct remainder {
	uint64_t rest;
	size_t index;
};

static int larger_rest(const void *a, const void *b)
{
	const struct remainder *p = a, *q = b;

	if (p->rest != q->rest)
		return p->rest > q->rest ? -1 : 1;
	return p->index < q->index ? -1 : p->index > q->index;
}

bool stack_counts__divide(const struct stack_count *counts, uint64_t total, uint64_t *values)
{
	size_t n = HASH_COUNT(counts), i = 0;
	struct remainder *rests = calloc(n + 1, sizeof(*rests));
	uint64_t weights = 0, given = 0;

	for (const struct stack_count *c = counts; c; c = c->hh.next)
		weights += c->weight;
	if (!weights || !rests) {
		free(rests);
		return false;
	}
	for (const struct stack_count *c = counts; c; c = c->hh.next, i++) {
		unsigned __int128 product = (unsigned __int128)total * c->weight;

		values[i] = product / weights;
		rests[i] = (struct remainder){product % weights, i};
		given += values[i];
	}
	qsort(rests, n, sizeof(*rests), larger_rest);
	for (i = 0; given < total; i++, given++)
		values[rests[i % n].index]++;
	free(rests);
	return true;
}
