/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proc/pagemap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAME_MASK	((1ull << 55) - 1)
#define SOFT_DIRTY	(1ull << 55)
#define EXCLUSIVE	(1ull << 56)
#define OF_FILE		(1ull << 61)
#define SWAPPED		(1ull << 62)
#define PRESENT		(1ull << 63)
#define SWAP_TYPE_BITS	5
#define KPF_HUGE	17
#define KPF_THP		22
#define ENTRIES_AT_ONCE 8192

struct page_state pagemap__decode(uint64_t entry)
{
	struct page_state state = {
		.present = entry & PRESENT,
		.swapped = entry & SWAPPED,
		.of_file = entry & OF_FILE,
		.exclusive = entry & EXCLUSIVE,
		.soft_dirty = entry & SOFT_DIRTY,
	};

	if (state.present)
		state.frame = entry & FRAME_MASK;
	if (state.swapped) {
		state.swap_type = entry & ((1u << SWAP_TYPE_BITS) - 1);
		state.swap_offset = (entry & FRAME_MASK) >> SWAP_TYPE_BITS;
	}
	return state;
}

int pagemap__read(int fd, uint64_t index, uint64_t *entry)
{
	ssize_t n = pread(fd, entry, sizeof(*entry), (off_t)(index * sizeof(*entry)));

	if (n == sizeof(*entry))
		return 0;
	return n < 0 ? -errno : -ENODATA;
}

static bool is_huge(int kpageflags, uint64_t frame)
{
	uint64_t flags;

	return kpageflags >= 0 && frame && !pagemap__read(kpageflags, frame, &flags) &&
	       flags & (1ull << KPF_HUGE | 1ull << KPF_THP);
}

/* Pages that lie in one after the other are huge together: only the first of each 512 is asked for. */
struct huge_run {
	uint64_t first; /* frame */
	bool huge, known;
};

static void count_entry(uint64_t entry, int kpageflags, struct huge_run *run, struct page_counts *cell)
{
	struct page_state state = pagemap__decode(entry);
	uint64_t first = state.frame & ~511ull;

	cell->pages++;
	cell->swapped += state.swapped;
	if (!state.present)
		return;
	cell->present++;
	if (!run->known || run->first != first) {
		run->first = first;
		run->huge = is_huge(kpageflags, state.frame);
		run->known = true;
	}
	cell->huge += run->huge;
}

int pagemap__count(int pagemap, int kpageflags, uint64_t address, uint64_t pages, struct page_counts *cells,
		   size_t n)
{
	uint64_t *entries = malloc(ENTRIES_AT_ONCE * sizeof(*entries));
	uint64_t page_size = (uint64_t)sysconf(_SC_PAGESIZE), done = 0;
	struct huge_run run = {};
	int err = entries ? 0 : -ENOMEM;

	memset(cells, 0, n * sizeof(*cells));
	while (!err && done < pages) {
		uint64_t want = pages - done < ENTRIES_AT_ONCE ? pages - done : ENTRIES_AT_ONCE;
		ssize_t got = pread(pagemap, entries, want * sizeof(entries[0]),
				    (off_t)((address / page_size + done) * sizeof(entries[0])));

		if (got < (ssize_t)sizeof(entries[0]))
			err = got < 0 ? -errno : -ENODATA;
		for (ssize_t i = 0; i < got / (ssize_t)sizeof(entries[0]); i++, done++)
			count_entry(entries[i], kpageflags, &run,
				    &cells[(unsigned __int128)done * n / pages]);
	}
	free(entries);
	return err;
}

void kpageflags__words(uint64_t flags, char buf[PAGE_FLAGS_SIZE])
{
	static const struct {
		unsigned bit;
		const char *words;
	} names[] = {
		{0, "locked for I/O"},
		{1, "I/O error"},
		{2, "referenced"},
		{3, "uptodate"},
		{4, "dirty"},
		{5, "on an LRU list"},
		{6, "active"},
		{7, "slab"},
		{8, "being written"},
		{9, "being reclaimed"},
		{10, "in the buddy allocator"},
		{11, "mapped"},
		{12, "anonymous"},
		{13, "in the swap cache"},
		{14, "swap-backed"},
		{15, "first of a compound page"},
		{16, "in a compound page"},
		{17, "hugetlb"},
		{18, "unevictable"},
		{19, "hardware poisoned"},
		{21, "shared by KSM"},
		{KPF_THP, "transparent huge page"},
		{23, "balloon"},
		{24, "zero page"},
		{25, "idle"},
		{26, "page table"},
		{32, "reserved"},
		{33, "mlocked"},
	};
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (flags >> names[i].bit & 1 && used < PAGE_FLAGS_SIZE)
			used += snprintf(buf + used, PAGE_FLAGS_SIZE - used, "%s%s", used ? ", " : "",
					 names[i].words);
}
