/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/PID/maps, line by line. */
#ifndef MEMTRACE_MAPS_H
#define MEMTRACE_MAPS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum maps_perms {
	MAPS_READ = 1,
	MAPS_WRITE = 2,
	MAPS_EXEC = 4,
	MAPS_SHARED = 8,
};

struct maps_entry {
	uint64_t start, end, pgoff; /* bytes; pgoff is the offset into the file */
	unsigned perms;		    /* of enum maps_perms */
	unsigned major, minor;	    /* the device; 0:0 if there is no file */
	uint64_t inode;
	size_t name_length;

	/*
	 * The name ends in " (deleted)": its file was unlinked, or is called so: only a look at the file
	 * tells. bare_length is that of the name without it.
	 */
	bool deleted;
	size_t bare_length;
	char name[PATH_MAX + 16]; /* "" if it has none; a newline in it is one again */
};

/*
 * The line at *text, which moves to the next one. 1: *entry is filled; 0: the text is at its end; -EINVAL:
 * the line is not one that the kernel writes, and *entry is undefined.
 */
int maps__next(const char **text, struct maps_entry *entry);

/* "rw-p". */
void maps__perms(const struct maps_entry *entry, char perms[5]);

#endif
