/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc/PID/smaps says of a mapping, in words. */
#ifndef MEMTRACE_MAPPING_WORDS_H
#define MEMTRACE_MAPPING_WORDS_H

#include <stdbool.h>
#include <stddef.h>

/* Of enum vma_class, by what the file shows: the kernel side tells the same from the VMA itself. */
unsigned mapping__class(const char *name, bool of_file, const char *perms, const char *flags);

/*
 * The two-letter flags of VmFlags in words ("locked, grows down"), without those that the permissions show;
 * one that is not known stands as it is. buf has room for MAPPING_WORDS_SIZE bytes.
 */
#define MAPPING_WORDS_SIZE 512
void mapping__words(const char *flags, char buf[MAPPING_WORDS_SIZE]);

#endif
