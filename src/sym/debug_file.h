/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Separate files with debug information: where they are, and whether they belong to a file. */
#ifndef MEMTRACE_DEBUG_FILE_H
#define MEMTRACE_DEBUG_FILE_H

#include <elfutils/libdw.h>
#include <stdbool.h>

/* The file that is looked for. */
struct debug_wanted {
	Elf *elf;
	const char *path;     /* as its process names it */
	const char *root;     /* where that name counts ("/proc/PID/root"), or NULL */
	const char *build_id; /* hexadecimal, or NULL */
};

/*
 * The debug file of a file: by build ID and by .gnu_debuglink in the usual places, checked by build ID or
 * checksum; by debuginfod if DEBUGINFOD_URLS is set. NULL: none. *path is where it was, and the caller's to
 * free.
 */
Elf *debug_file__open(const struct debug_wanted *wanted, char **path);

/*
 * The file that a DWARF shares with others (.gnu_debugaltlink, by dwz). *is_wanted: it refers to one. NULL:
 * none. path is where the DWARF was.
 */
Elf *debug_file__open_shared(Dwarf *dwarf, const char *path, const char *root, bool *is_wanted);

/* The symbols that a stripped file carries, compressed, in .gnu_debugdata. NULL: none. */
Elf *debug_file__open_embedded(Elf *elf);

#endif
