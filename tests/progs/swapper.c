// SPDX-License-Identifier: GPL-2.0
/*
 * swapper - write anonymous pages, have them swapped out, write them again.
 *
 *	swapper pageout PAGES	push them out with MADV_PAGEOUT
 *	swapper limit PAGES	leave that to a memory cgroup smaller than PAGES, which the caller set up
 *
 * region.swapped is what /proc/self/pagemap showed in swap before the second pass. After pageout, that is
 *what the second pass faults in again. Under a limit it is the least: pages go out while they are filled, and
 *ahead of the second pass; and the program's own code goes and comes back, so that measured_* counts a little
 *more than the region.
 */
#include "prog.h"

#define PAGEMAP_SWAPPED (1ULL << 62)

static size_t count_swapped(const char *at, size_t pages)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t swapped = 0;

	if (fd < 0)
		die("/proc/self/pagemap");
	for (size_t i = 0; i < pages; i++) {
		off_t where = (off_t)(((uintptr_t)at / page_size() + i) * sizeof(uint64_t));
		uint64_t entry;

		if (pread(fd, &entry, sizeof(entry), where) != sizeof(entry))
			die("read /proc/self/pagemap");
		if (entry & PAGEMAP_SWAPPED)
			swapped++;
	}
	close(fd);
	return swapped;
}

/* Incompressible and different pages: nothing for zram to take as one repeated word. */
static void fill(char *at, size_t pages)
{
	uint64_t state = 88172645463325252ULL;

	for (size_t i = 0; i < pages * page_size(); i += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(at + i, &state, sizeof(state));
	}
}

int main(int argc, char **argv)
{
	const char *synopsis = "pageout|limit PAGES";
	struct usage start, first, second;
	size_t pages, swapped;
	char *at;

	if (argc != 3 || (strcmp(argv[1], "pageout") && strcmp(argv[1], "limit")))
		usage_error(synopsis);
	pages = number(argv[2], synopsis);
	warm_up();
	at = map_anon_alone(pages);
	start = usage_now();
	fill(at, pages);
	first = usage_since(start);
	if (!strcmp(argv[1], "pageout") && madvise(at, pages * page_size(), MADV_PAGEOUT))
		die("madvise: MADV_PAGEOUT");
	swapped = count_swapped(at, pages);
	start = usage_now();
	touch_write(at, pages);
	second = usage_since(start);

	say_region("region", at, pages);
	say("region.swapped=%zu", swapped);
	say_measured("first", first);
	say_measured("second", second);
	say_self();
	return 0;
}
