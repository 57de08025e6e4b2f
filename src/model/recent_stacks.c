/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/recent_stacks.h"

#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t size; /* of the record; 0: the next one is at the beginning */
	struct stack_record record;
};

#define HEAD offsetof(struct slot, record)

/* The records are in [first, next), or, where next is before first, in [first, end) and [0, next). */
struct recent_stacks {
	size_t room, first, next;
	size_t count;
	char *bytes;
};

struct recent_stacks *recent_stacks__new(size_t bytes)
{
	struct recent_stacks *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->room = bytes & ~7ull;
	r->bytes = malloc(r->room);
	if (!r->bytes) {
		free(r);
		return NULL;
	}
	memset(r->bytes, 0, r->room); /* so that it is there when memory is not */
	return r;
}

void recent_stacks__free(struct recent_stacks *r)
{
	if (!r)
		return;
	free(r->bytes);
	free(r);
}

static size_t needed(size_t size)
{
	return (HEAD + size + 7) & ~7ull;
}

static struct slot *slot_at(const struct recent_stacks *r, size_t at)
{
	return (struct slot *)(r->bytes + at);
}

/* Where the record at, or at the beginning behind, that place is. */
static size_t settle(const struct recent_stacks *r, size_t at)
{
	return at + HEAD > r->room || !slot_at(r, at)->size ? 0 : at;
}

static void drop_oldest(struct recent_stacks *r)
{
	size_t after = r->first + needed(slot_at(r, r->first)->size);

	if (--r->count)
		r->first = settle(r, after);
	else
		r->first = r->next = 0;
}

void recent_stacks__add(struct recent_stacks *r, const struct stack_record *record, size_t size)
{
	size_t want = needed(size);
	struct slot *slot;

	if (!size || want > r->room)
		return;
	if (r->next + want > r->room) {
		/* What is behind next is older than what is before it. */
		while (r->count && r->first >= r->next)
			drop_oldest(r);
		if (r->next + HEAD <= r->room)
			slot_at(r, r->next)->size = 0;
		r->next = 0;
	}
	while (r->count && r->first >= r->next && r->first < r->next + want)
		drop_oldest(r);
	if (!r->count)
		r->first = r->next = 0;
	slot = slot_at(r, r->next);
	slot->size = size;
	memcpy(&slot->record, record, size);
	r->next += want;
	r->count++;
}

const struct stack_record *recent_stacks__next(const struct recent_stacks *r, const struct stack_record *last,
					       size_t *size)
{
	size_t at = r->first;
	struct slot *slot;

	if (!r->count)
		return NULL;
	if (last) {
		slot = (struct slot *)((char *)last - HEAD);
		at = (char *)slot - r->bytes + needed(slot->size);
		if (at == r->next)
			return NULL;
		at = settle(r, at);
		if (at == r->next)
			return NULL;
	}
	slot = slot_at(r, at);
	*size = slot->size;
	return &slot->record;
}
