/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of /proc and /sys, which say no size beforehand. */
#ifndef MEMTRACE_FILE_H
#define MEMTRACE_FILE_H

#include <stddef.h>

/* The whole file, NUL-terminated; the caller frees it. *size (may be NULL): without the NUL. NULL: errno says
 * why. */
char *file__read(const char *path, size_t *size);

#endif
