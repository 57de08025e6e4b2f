/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The path of a cgroup from the names that the kernel side has read. */
#ifndef MEMTRACE_CGROUP_PATH_H
#define MEMTRACE_CGROUP_PATH_H

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_PATH_LEVELS 32 /* that are looked at */

/*
 * names: each ends with a NUL, the innermost first; size: of all, in bytes. is_cut: outer ones are missing,
 * which "..." in front says. from: leave out so many of the innermost, for the path of an ancestor. buf ends
 * up terminated: "/" is the root, "" is no name at all.
 */
void cgroup_path__build(const char *names, size_t size, bool is_cut, unsigned from, char *buf,
			size_t buf_size);

#endif
