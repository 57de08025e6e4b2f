/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text put together piece by piece, in memory that grows. Not terminated by a NUL. When there is no memory,
 * what does not fit is dropped and `failed` set; it stays so until buffer__free().
 */
#ifndef MEMTRACE_BUFFER_H
#define MEMTRACE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

/* {} is an empty buffer. data belongs to it. */
struct buffer {
	char *data;
	size_t length, capacity;
	bool failed;
};

void buffer__add(struct buffer *b, const char *bytes, size_t n);
void buffer__add_text(struct buffer *b, const char *text);
void buffer__add_spaces(struct buffer *b, size_t n);

/* Empty it, and keep its memory. */
void buffer__clear(struct buffer *b);
void buffer__free(struct buffer *b);

#endif
