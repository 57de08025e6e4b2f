/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A set of strings, each kept once: the names of ten thousand VMAs are a few hundred paths. */
#ifndef MEMTRACE_INTERN_H
#define MEMTRACE_INTERN_H

struct intern;

/* NULL: no memory. */
struct intern *intern__new(void);
void intern__free(struct intern *set);

/* The set's own copy of text, valid until intern__free(). "" when there is no memory. */
const char *intern__string(struct intern *set, const char *text);

#endif
