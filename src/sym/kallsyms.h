/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of the kernel and its modules, from the text of /proc/kallsyms. */
#ifndef MEMTRACE_KALLSYMS_H
#define MEMTRACE_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

struct kallsyms;

/*
 * text is NUL-terminated, and not needed afterwards. 0; -EPERM: every address is 0, which is how the kernel
 * hides them (kptr_restrict, or no CAP_SYSLOG); -ENODATA: no function in it; -ENOMEM.
 */
int kallsyms__parse(const char *text, struct kallsyms **result);
void kallsyms__free(struct kallsyms *kallsyms);

/*
 * The function that holds an address: *offset bytes after its start, in *module: "[kernel]" or the name of a
 * module in brackets. NULL: none. Strings are the table's.
 */
const char *kallsyms__find(const struct kallsyms *kallsyms, uint64_t address, uint64_t *offset,
			   const char **module);

#endif
