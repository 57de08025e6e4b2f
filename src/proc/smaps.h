/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /proc/PID/smaps, mapping by mapping, from its text. */
#ifndef MEMTRACE_SMAPS_H
#define MEMTRACE_SMAPS_H

#include "proc/maps.h"

/* Bytes; 0 where a kernel does not tell. */
struct smaps_entry {
	struct maps_entry map;
	uint64_t rss, pss;
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t anonymous, anon_huge, file_huge, shmem_huge;
	uint64_t hugetlb;	  /* not in rss */
	uint64_t private_hugetlb; /* of hugetlb */
	uint64_t swap, swap_pss, locked;
	uint64_t kernel_page_size;
	uint32_t protection_key;
	char flags[128]; /* "rd ex mr mw me": VmFlags, without the space at its end */
};

/*
 * The mapping at *text, which moves to the next one. 1: *entry is filled; 0: the text is at its end; -EINVAL:
 * it is not one that the kernel writes.
 */
int smaps__next(const char **text, struct smaps_entry *entry);

#endif
