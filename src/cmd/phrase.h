/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sentence that is put together piece by piece; what does not fit is cut off. */
#ifndef MEMTRACE_PHRASE_H
#define MEMTRACE_PHRASE_H

#include <stddef.h>
#include <stdint.h>

#include "out/out.h"

#define PHRASE_BARS 20 /* columns of a plot */

struct phrase {
	char buf[1536];
	size_t used;
};

void phrase__add(struct phrase *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void phrase__bytes(struct phrase *t, uint64_t bytes); /* OOM_UNKNOWN: "?" */
void phrase__ns(struct phrase *t, uint64_t ns);

/* A plot in one line: a column for each value, or for several the highest of them. */
void phrase__bars(struct phrase *t, const uint64_t *values, size_t n);

/* As the next cell of a row, which stays empty if nothing was said. */
void phrase__put(const struct phrase *t, struct out *out);

#endif
