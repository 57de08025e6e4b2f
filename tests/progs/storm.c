// SPDX-License-Identifier: GPL-2.0
/*
 * storm - as many anonymous faults as the machine gives, and what one costs.
 *
 *	storm [-t THREADS] [-n PAGES] [-r ROUNDS] [-m dontneed|munmap]
 *
 * Each thread touches its own PAGES, ROUNDS times; between rounds the pages go back (MADV_DONTNEED, or munmap
 * and a new mmap at the same place). Only the touching is timed, and threads wait for each other before and
 * after it, so that nobody's zapping is part of somebody's fault.
 *
 * ns_per_fault is the mean over rounds and threads.
 */
#include "prog.h"
#include <pthread.h>
#include <time.h>

struct storm {
	size_t threads, pages, rounds;
	bool munmap;
	pthread_barrier_t barrier;
	uint64_t *spent; /* ns, [round][thread] */
};

struct worker {
	struct storm *storm;
	size_t index;
	char *at;
	pthread_t thread;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void give_back(const struct storm *storm, char *at)
{
	size_t size = storm->pages * page_size();

	if (!storm->munmap) {
		if (madvise(at, size, MADV_DONTNEED))
			die("madvise: MADV_DONTNEED");
		return;
	}
	if (munmap(at, size) ||
	    mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
		die("map anew");
	madvise(at, size, MADV_NOHUGEPAGE);
}

static void *work(void *arg)
{
	struct worker *self = arg;
	struct storm *storm = self->storm;

	for (size_t round = 0; round < storm->rounds; round++) {
		uint64_t start;

		pthread_barrier_wait(&storm->barrier);
		start = now_ns();
		touch_write(self->at, storm->pages);
		storm->spent[round * storm->threads + self->index] = now_ns() - start;
		pthread_barrier_wait(&storm->barrier);
		give_back(storm, self->at);
	}
	return NULL;
}

/* Not the least of the rounds: a tracer that costs in bursts would hide between them. */
static double mean(const struct storm *storm)
{
	size_t n = storm->rounds * storm->threads;
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)storm->spent[i];
	return sum / (double)(n * storm->pages);
}

int main(int argc, char **argv)
{
	const char *synopsis = "[-t THREADS] [-n PAGES] [-r ROUNDS] [-m dontneed|munmap]";
	struct storm storm = {.threads = 1, .pages = 16384, .rounds = 10};
	struct worker *workers;
	int opt;

	while ((opt = getopt(argc, argv, "t:n:r:m:")) != -1) {
		if (opt == 't')
			storm.threads = number(optarg, synopsis);
		else if (opt == 'n')
			storm.pages = number(optarg, synopsis);
		else if (opt == 'r')
			storm.rounds = number(optarg, synopsis);
		else if (opt == 'm' && (!strcmp(optarg, "munmap") || !strcmp(optarg, "dontneed")))
			storm.munmap = optarg[0] == 'm';
		else
			usage_error(synopsis);
	}
	if (optind != argc || !storm.threads || !storm.pages || !storm.rounds)
		usage_error(synopsis);
	warm_up();
	storm.spent = calloc(storm.rounds * storm.threads, sizeof(*storm.spent));
	workers = calloc(storm.threads, sizeof(*workers));
	if (!storm.spent || !workers)
		die("calloc");
	pthread_barrier_init(&storm.barrier, NULL, (unsigned)storm.threads);
	for (size_t i = 0; i < storm.threads; i++) {
		workers[i] = (struct worker){.storm = &storm, .index = i, .at = map_anon_alone(storm.pages)};
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("pthread_create");
	}
	for (size_t i = 0; i < storm.threads; i++) {
		char name[32];

		pthread_join(workers[i].thread, NULL);
		snprintf(name, sizeof(name), "region%zu", i);
		say_region(name, workers[i].at, storm.pages);
		say("%s.faults=%zu", name, storm.pages * storm.rounds);
	}
	say("threads=%zu", storm.threads);
	say("faults=%zu", storm.threads * storm.pages * storm.rounds);
	say("ns_per_fault=%.0f", mean(&storm));
	say_self();
	free(storm.spent);
	free(workers);
	return 0;
}
