// SPDX-License-Identifier: GPL-2.0
/*
 * vmas - many mappings, each touched once.
 *
 *	vmas COUNT
 *
 * Every other page of a reservation is made usable, so that no two of them are one VMA.
 */
#include "prog.h"

int main(int argc, char **argv)
{
	struct usage start, spent;
	size_t count, size;
	char *base;

	if (argc != 2)
		usage_error("COUNT");
	count = number(argv[1], "COUNT");
	size = page_size();
	warm_up();
	base = map_alone(2 * count, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	for (size_t i = 0; i < count; i++)
		if (mprotect(base + 2 * i * size, size, PROT_READ | PROT_WRITE))
			die("mprotect: mapping %zu (vm.max_map_count?)", i);
	start = usage_now();
	for (size_t i = 0; i < count; i++)
		touch_write(base + 2 * i * size, 1);
	spent = usage_since(start);
	say_region("all", base, 2 * count);
	say("count=%zu", count);
	say_measured("all", spent);
	say_self();
	return 0;
}
