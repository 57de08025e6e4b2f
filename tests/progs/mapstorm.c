// SPDX-License-Identifier: GPL-2.0
/*
 * mapstorm - nothing but mmap() and munmap() of 64 KiB, and what a pair of them costs.
 *
 *	mapstorm PAIRS [THREADS]
 */
#include "prog.h"
#include <inttypes.h>
#include <pthread.h>
#include <time.h>

#define SIZE (64ul << 10)

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void *storm(void *arg)
{
	size_t pairs = *(size_t *)arg;

	for (size_t i = 0; i < pairs; i++) {
		void *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || munmap(p, SIZE))
			die("mmap or munmap");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	size_t pairs = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	size_t threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	pthread_t *ids = calloc(threads, sizeof(*ids));
	uint64_t start;

	if (!pairs || !threads || !ids)
		usage_error("PAIRS [THREADS]");
	start = now_ns();
	for (size_t i = 1; i < threads; i++)
		if (pthread_create(&ids[i], NULL, storm, &pairs))
			die("pthread_create");
	storm(&pairs);
	for (size_t i = 1; i < threads; i++)
		pthread_join(ids[i], NULL);
	say("pairs=%zu", pairs);
	say("ns_per_pair=%" PRIu64, (now_ns() - start) / pairs);
	say("pid=%d", getpid());
	return 0;
}
