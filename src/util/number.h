/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as users write them, read strictly: the whole string, no sign, no space, in range. And written: a
 * line of a busy event stream holds a dozen of them, and printf() is most of what such a line costs.
 */
#ifndef MEMTRACE_NUMBER_H
#define MEMTRACE_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* A decimal integer in [min, max]. 0, or -EINVAL (not a number), -ERANGE; *value is untouched then. */
int number__parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* Seconds, with an optional decimal fraction, as nanoseconds: "2", "0.25". 0, -EINVAL, or -ERANGE (0, or over
 * 10 years). */
int number__parse_seconds(const char *text, uint64_t *ns);

/* Bytes that one of those below needs, with its terminating NUL. */
#define NUMBER_SIZE 32

/* n in decimal, and in hexadecimal with its 0x. The length of the text. */
size_t number__decimal(uint64_t n, char buf[NUMBER_SIZE]);
size_t number__hex(uint64_t n, char buf[NUMBER_SIZE]);

/* n / 10^decimals (9 at most), with that many digits after the point. The length of the text. */
size_t number__fixed(uint64_t n, unsigned decimals, char buf[NUMBER_SIZE]);

#endif
