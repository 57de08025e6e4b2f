/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folded stacks, the lines that flame graph tools read: "comm;outer;inner 42". */
#ifndef MEMTRACE_FOLDED_H
#define MEMTRACE_FOLDED_H

#include <stdio.h>

#include "model/profile.h"

/*
 * Values of the profile's first type. One line a stack, in order; "_[k]" ends the name of a kernel frame,
 * "_[i]" that of an inlined one. The file stays the caller's. 0, -ENOMEM, or -errno of a write that failed.
 */
int folded__write(FILE *file, const struct profile *profile);

#endif
