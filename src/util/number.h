/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers as users write them, read strictly: the whole string, no sign, no space, in range. */
#ifndef MEMTRACE_NUMBER_H
#define MEMTRACE_NUMBER_H

#include <stdint.h>

/* A decimal integer in [min, max]. 0, or -EINVAL (not a number), -ERANGE; *value is untouched then. */
int number__parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* Seconds, with an optional decimal fraction, as nanoseconds: "2", "0.25". 0, -EINVAL, or -ERANGE (0, or over
 * 10 years). */
int number__parse_seconds(const char *text, uint64_t *ns);

#endif
