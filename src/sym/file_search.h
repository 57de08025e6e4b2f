/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a file may be found that some process has mapped, whatever its root directory and mount namespace:
 * as it is mapped, even if it was deleted or covered since (/proc/PID/map_files); at its path in the root
 * directory of the process, of those that it descends from, which mostly share it, and in ours.
 */
#ifndef MEMTRACE_FILE_SEARCH_H
#define MEMTRACE_FILE_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sym/address_space.h"

struct file_search {
	const struct address_spaces *spaces;
	const char *path;
	uint64_t device, inode; /* 0: not known */
	uint64_t start, end;	/* where the first process has it mapped */

	/* Of what was found last: */
	uint32_t pid;	/* in whose root directory; 0: ours */
	bool is_mapped; /* it is what is mapped, and not just at its path */

	int step; /* the search's own */
};

/* Continue with the next place, beginning in a search whose step is 0. A file to read from; -1: no more. */
int file_search__next(struct file_search *search);

/* A regular file, to read from, at a path in the root directory of a process (0: in ours); or -1. */
int file_search__open_in_root(uint32_t pid, const char *path);

/* As file systems with layers or subvolumes tell the kernel and stat() different devices, those may differ.
 */
bool file_search__is_inode(int fd, uint64_t device, uint64_t inode);

#endif
