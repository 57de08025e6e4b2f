/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "util/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define ELLIPSIS    "\xe2\x80\xa6" /* U+2026 */

/*
 * Length of the well-formed UTF-8 sequence at s (Unicode 15, table 3-7), 0 if it is malformed. A NUL ends the
 * text, so a sequence cut short by it is malformed and nothing is read beyond it.
 */
static size_t sequence_length(const unsigned char *s)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if ((s[0] & 0xf0) == 0xe0)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool is_control(const unsigned char *s, size_t length)
{
	return (length == 1 && (s[0] < 0x20 || s[0] == 0x7f)) || (length == 2 && s[0] == 0xc2 && s[1] < 0xa0);
}

/* Printable ASCII, which most text is from end to end: as many bytes of it as there are, max at most. */
static size_t copy_plain(const unsigned char *s, char *buf, size_t max)
{
	size_t n = 0;

	for (; n < max && s[n] >= 0x20 && s[n] < 0x7f; n++)
		buf[n] = s[n];
	return n;
}

static void copy(const char *text, char *buf, size_t size, bool escape)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = size ? copy_plain(s, buf, size - 1) : 0;

	s += used;
	while (*s) {
		size_t n = sequence_length(s), length = n ? n : 1;
		char piece[16];

		if (!n)
			strcpy(piece, REPLACEMENT);
		else if (escape && is_control(s, n))
			snprintf(piece, sizeof(piece), "\\x%02x", s[n - 1]);
		else
			snprintf(piece, sizeof(piece), "%.*s", (int)n, (const char *)s);
		n = strlen(piece);
		if (used + n >= size)
			break;
		memcpy(buf + used, piece, n);
		used += n;
		s += length;
	}
	if (size)
		buf[used] = '\0';
}

void text__to_utf8(const char *text, char *buf, size_t size)
{
	copy(text, buf, size, false);
}

void text__to_printable(const char *text, char *buf, size_t size)
{
	copy(text, buf, size, true);
}

size_t text__columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* The byte at which character number n starts. */
static size_t offset_of(const char *text, size_t n)
{
	size_t i = 0;

	for (; text[i]; i++)
		if ((text[i] & 0xc0) != 0x80 && n-- == 0)
			break;
	return i;
}

char *text__shortened(const char *text, size_t columns, bool keep_tail)
{
	size_t has = text__columns(text);
	char *result;
	int n;

	if (has <= columns || columns < 1)
		return strdup(text);
	if (keep_tail)
		n = asprintf(&result, ELLIPSIS "%s", text + offset_of(text, has - columns + 1));
	else
		n = asprintf(&result, "%.*s" ELLIPSIS, (int)offset_of(text, columns - 1), text);
	return n < 0 ? NULL : result;
}
