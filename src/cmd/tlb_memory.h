/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of processes that flush the TLB, put into their rows. */
#ifndef MEMTRACE_TLB_MEMORY_H
#define MEMTRACE_TLB_MEMORY_H

#include "model/tlb_table.h"

/* Of how many it could not be told what huge pages they have, and why. */
struct tlb_memory_gaps {
	size_t denied, too_large;
};

/*
 * Read /proc of the first `top` rows (0: all) that live and have memory of their own; unread: only those of
 * which nothing is known yet. 0, or -errno, told.
 */
int tlb_memory__read(struct tlb_table *table, const struct tlb_row *rows, size_t n, size_t top, bool unread,
		     struct tlb_memory_gaps *gaps);

#endif
