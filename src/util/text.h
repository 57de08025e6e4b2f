/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hostile text (a comm, a path, a symbol) made fit to show. */
#ifndef MEMTRACE_TEXT_H
#define MEMTRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copy text into buf as valid UTF-8: a byte that is not part of a well-formed sequence becomes U+FFFD.
 * Control characters stay: JSON escapes them itself. Always terminated; cut at a character when too long.
 */
void text__to_utf8(const char *text, char *buf, size_t size);

/* As text__to_utf8(), for a terminal: control characters (C0, DEL, C1) are shown as \xNN. */
void text__to_printable(const char *text, char *buf, size_t size);

/* Columns that printable UTF-8 text takes, counting each character as one. */
size_t text__columns(const char *text);

/*
 * Printable text in at most `columns`: an ellipsis takes the place of its head (keep_tail) or its tail.
 * The caller frees it. NULL: no memory.
 */
char *text__shortened(const char *text, size_t columns, bool keep_tail);

#endif
