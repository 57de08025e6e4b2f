/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/recent_stacks.h"

#include <stdlib.h>
#include <string.h>

struct slot {
	uint64_t size; /* of the record */
	struct stack_record record;
};

#define HEAD offsetof(struct slot, record)

struct recent_stacks {
	size_t room, used;
	uint64_t since_ns;
	stack_useless *useless;
	void *context;
	char *bytes;
};

struct recent_stacks *recent_stacks__new(size_t bytes, uint64_t since_ns, stack_useless *useless,
					 void *context)
{
	struct recent_stacks *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	*r = (struct recent_stacks){.room = bytes & ~7ull,
				    .since_ns = since_ns,
				    .useless = useless,
				    .context = context,
				    .bytes = malloc(bytes)};
	if (!r->bytes) {
		free(r);
		return NULL;
	}
	memset(r->bytes, 0, bytes); /* so that it is there when memory is not */
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

/* Drop what is useless; and the oldest, until no more than `most` bytes are left. */
static void make_room(struct recent_stacks *r, size_t most)
{
	size_t kept = 0, at = 0, size;

	for (; at < r->used; at += size) {
		size = needed(slot_at(r, at)->size);
		if (r->useless(r->context, &slot_at(r, at)->record))
			continue;
		memmove(r->bytes + kept, r->bytes + at, size);
		kept += size;
	}
	r->used = kept;
	for (at = 0; r->used - at > most; at += needed(slot_at(r, at)->size))
		r->since_ns = slot_at(r, at)->record.time_ns;
	memmove(r->bytes, r->bytes + at, r->used - at);
	r->used -= at;
}

void recent_stacks__add(struct recent_stacks *r, const struct stack_record *record, size_t size)
{
	size_t want = needed(size);
	struct slot *slot;

	if (!size || want > r->room / 4)
		return;
	if (r->used + want > r->room)
		make_room(r, r->room / 4 * 3);
	slot = slot_at(r, r->used);
	slot->size = size;
	memcpy(&slot->record, record, size);
	r->used += want;
}

uint64_t recent_stacks__since(const struct recent_stacks *r)
{
	return r->since_ns;
}

const struct stack_record *recent_stacks__next(const struct recent_stacks *r, const struct stack_record *last,
					       size_t *size)
{
	size_t at = 0;

	if (last) {
		at = (const char *)last - HEAD - r->bytes;
		at += needed(slot_at(r, at)->size);
	}
	if (at >= r->used)
		return NULL;
	*size = slot_at(r, at)->size;
	return &slot_at(r, at)->record;
}
