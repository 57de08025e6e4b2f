/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What /proc/PID/pagemap, /proc/kpageflags and /proc/kpagecount tell of a page: a number of 64 bits each
 * (Documentation/admin-guide/mm/pagemap.rst).
 */
#ifndef MEMTRACE_PAGEMAP_H
#define MEMTRACE_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct page_state {
	bool present, swapped;
	bool of_file;	/* a page of a file, or anonymous memory that is shared */
	bool exclusive; /* mapped by this process alone */
	bool soft_dirty;
	uint64_t frame; /* number of the physical page; 0: not told, which takes CAP_SYS_ADMIN */
	unsigned swap_type;
	uint64_t swap_offset; /* where it is swapped */
};

struct page_state pagemap__decode(uint64_t entry);

/* What can be seen at once of many pages: how many are in which state. */
struct page_counts {
	uint64_t pages, present, swapped, huge;
};

/*
 * The states of `pages` pages from address on, counted in n cells of about equal size, each of which covers
 * at least a page. pagemap: a descriptor of /proc/PID/pagemap. kpageflags: of /proc/kpageflags, to tell huge
 * pages; -1: they are not told. 0 or -errno.
 */
int pagemap__count(int pagemap, int kpageflags, uint64_t address, uint64_t pages, struct page_counts *cells,
		   size_t n);

/* One entry of such a file. 0 or -errno. */
int pagemap__read(int fd, uint64_t index, uint64_t *entry);

/* "uptodate, on the LRU lists, anonymous, transparent huge page": buf has room for 512 bytes. */
#define PAGE_FLAGS_SIZE 512
void kpageflags__words(uint64_t flags, char buf[PAGE_FLAGS_SIZE]);

#endif
