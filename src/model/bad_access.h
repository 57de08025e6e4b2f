/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SIGSEGV and SIGBUS in words: what was accessed, what is there, and why that could not be. */
#ifndef MEMTRACE_BAD_ACCESS_H
#define MEMTRACE_BAD_ACCESS_H

#include <stddef.h>

#include "faults.h"
#include "model/fault_table.h"

/* "SIGSEGV", "SIGBUS"; "SEGV_MAPERR", ... (sigaction(2)); NULL where unknown. */
const char *bad_access__signal(int signal);
const char *bad_access__code(int signal, int code);

/* "read", "write", "exec"; NULL: the kernel did not say. */
const char *bad_access__access(__u32 error);

/* The VMA of an extent; NULL: it has none, or its name has not come. */
const struct vma_row *bad_access__vma(const struct fault_table *table, const struct vma_extent *extent);

/* One sentence, without the newline. Names of VMAs are taken from table, as they are (hostile). */
void bad_access__explain(const struct signal_record *record, const struct fault_table *table, char *buf,
			 size_t size);

#endif
