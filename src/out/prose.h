/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sentences, broken to fit a line. */
#ifndef MEMTRACE_PROSE_H
#define MEMTRACE_PROSE_H

#include <stddef.h>

#include "util/buffer.h"

/*
 * Printable text (see util/text), broken at spaces into lines of at most `width` columns; not broken if width
 * is 0 or 40 at most. The first line starts with `first`, the others with `indent`, which is no shorter.
 */
void prose__wrap(struct buffer *b, const char *text, size_t width, const char *first, const char *indent);

#endif
