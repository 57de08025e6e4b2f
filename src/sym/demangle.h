/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++ and Rust names as they were written. */
#ifndef MEMTRACE_DEMANGLE_H
#define MEMTRACE_DEMANGLE_H

/*
 * What a mangled name stands for; the caller frees it. NULL: it is not mangled, or too long, in either form,
 * to be worth it.
 */
char *demangle(const char *name);

#endif
