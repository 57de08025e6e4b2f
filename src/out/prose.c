/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "out/prose.h"

#include <stdint.h>
#include <string.h>

#define NARROWEST 40

/* Bytes of text that make a line of at most `room` columns. */
static size_t line_length(const char *text, size_t room)
{
	size_t length = 0, columns = 0, fits = 0;

	for (; text[length] && columns <= room; length++) {
		columns += (text[length] & 0xc0) != 0x80;
		if (text[length] == ' ')
			fits = length;
	}
	if (columns <= room)
		return length;
	return fits ? fits : length - 1; /* else a word that is wider than the line */
}

void prose__wrap(struct buffer *b, const char *text, size_t width, const char *first, const char *indent)
{
	size_t room = width > NARROWEST ? width - strlen(indent) : SIZE_MAX;
	const char *start = first;

	do {
		size_t n = line_length(text, room);

		buffer__add_text(b, start);
		buffer__add(b, text, n);
		buffer__add(b, "\n", 1);
		text += n + strspn(text + n, " ");
		start = indent;
	} while (*text);
}
