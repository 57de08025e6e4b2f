/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mallocstorm - nothing but malloc() and free() of small blocks, and what a pair of them costs.
 *
 *	mallocstorm PAIRS [LEAK]
 *
 * Sizes are 16 to 1,024 bytes. Of LEAK pairs one is not freed (0: all are).
 */
#include "prog.h"
#include <inttypes.h>
#include <time.h>

#define WARM 1000

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void storm(size_t pairs, size_t leak)
{
	for (size_t i = 1; i <= pairs; i++) {
		char *volatile p = malloc(16 + i * 37 % 1009);

		if (!p)
			die("malloc");
		*p = 1;
		if (!leak || i % leak)
			free(p);
	}
}

int main(int argc, char **argv)
{
	size_t pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	size_t leak = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t start;

	if (!pairs)
		usage_error("PAIRS [LEAK]");
	storm(WARM, 0);
	start = now_ns();
	storm(pairs, leak);
	say("pairs=%zu", pairs);
	say("ps_per_pair=%" PRIu64, (now_ns() - start) * 1000 / pairs);
	say("pid=%d", getpid());
	return 0;
}
