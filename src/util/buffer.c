/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 256

/* Room for n bytes more, at its end; NULL: no memory. */
static char *make_room(struct buffer *b, size_t n)
{
	size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
	char *data;

	if (n > b->capacity - b->length) {
		while (capacity - b->length < n)
			capacity *= 2;
		data = realloc(b->data, capacity);
		if (!data) {
			b->failed = true;
			return NULL;
		}
		b->data = data;
		b->capacity = capacity;
	}
	return b->data + b->length;
}

void buffer__add(struct buffer *b, const char *bytes, size_t n)
{
	char *room = n ? make_room(b, n) : NULL;

	if (!room)
		return;
	memcpy(room, bytes, n);
	b->length += n;
}

void buffer__add_text(struct buffer *b, const char *text)
{
	buffer__add(b, text, strlen(text));
}

void buffer__add_spaces(struct buffer *b, size_t n)
{
	char *room = n ? make_room(b, n) : NULL;

	if (!room)
		return;
	memset(room, ' ', n);
	b->length += n;
}

void buffer__clear(struct buffer *b)
{
	b->length = 0;
}

void buffer__free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){};
}
