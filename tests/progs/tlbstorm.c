// SPDX-License-Identifier: GPL-2.0
/*
 * tlbstorm - flush the TLB so many times.
 *
 * Usage: tlbstorm		do as told on stdin, a line each; answers "ok"
 *	  tlbstorm ORDER...	do this, and end
 *
 *	partner		a second thread runs on another CPU, which is to flush its TLB, too, from now on
 *	flush:N:PAGES	N times touch PAGES pages (at most 512) and give them back: a flush of so many pages
 *each sleep:N		N times leave the CPU, and flush nothing huge:MIB	have so much memory in huge
 *pages, if the kernel gives them quit
 *
 * At the end it says what CPU time a flush took, with the fault before it, and the context switches of the
 *process, by getrusage.
 */
#include "prog.h"
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#define PAGES_MAX 512

static volatile bool over, running;
static volatile unsigned long beats; /* of the partner */
static pthread_t partner;
static char *region;
static uint64_t ns_per_flush; /* of the last order */

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity: CPU %d", cpu);
}

static void *spin(void *unused)
{
	pin(1);
	running = true;
	while (!over)
		beats++;
	return unused;
}

static void start_partner(void)
{
	if (pthread_create(&partner, NULL, spin, NULL))
		die("pthread_create");
	while (!running)
		sched_yield();
}

/* A partner that waits for its CPU has nothing to flush. */
static void await_partner(void)
{
	unsigned long seen = beats;

	while (running && beats == seen)
		;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000ull + now.tv_nsec;
}

static void flush(unsigned long n, unsigned long pages)
{
	uint64_t began = cpu_ns();
	unsigned long rounds = n;

	if (pages > PAGES_MAX)
		die("%lu pages", pages);
	while (n--) {
		touch_write(region, pages);
		if (n % 10 == 0)
			await_partner();
		if (madvise(region, pages * page_size(), MADV_DONTNEED))
			die("madvise");
	}
	ns_per_flush = rounds ? (cpu_ns() - began) / rounds : 0;
}

static void take_huge(size_t mib)
{
	size_t size = mib << 20;
	char *at =
		mmap(NULL, size + REGION_ALIGN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		die("mmap");
	at = (char *)(((uintptr_t)at + REGION_ALIGN) & ~(REGION_ALIGN - 1));
	madvise(at, size, MADV_HUGEPAGE);
	touch_write(at, size / page_size());
}

/* False: to quit. */
static bool obey(const char *order)
{
	unsigned long n, pages;

	if (!strcmp(order, "partner")) {
		start_partner();
	} else if (sscanf(order, "flush:%lu:%lu", &n, &pages) == 2) {
		flush(n, pages);
	} else if (sscanf(order, "sleep:%lu", &n) == 1) {
		while (n--)
			usleep(100);
	} else if (sscanf(order, "huge:%lu", &n) == 1) {
		take_huge(n);
	} else if (!strcmp(order, "quit")) {
		return false;
	} else {
		die("no such order: %s", order);
	}
	return true;
}

static void obey_input(void)
{
	char line[64];

	printf("ok pid=%d region=none\n", getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!obey(line))
			break;
		printf("ok\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	struct rusage ru;

	pin(0);
	warm_up();
	region = map_anon_alone(PAGES_MAX);
	flush(1, PAGES_MAX);
	for (int i = 1; i < argc; i++)
		obey(argv[i]);
	if (argc == 1)
		obey_input();
	over = true;
	if (running)
		pthread_join(partner, NULL);
	say("pid=%d", getpid());
	if (getrusage(RUSAGE_SELF, &ru))
		die("getrusage");
	say("ns_per_flush=%" PRIu64, ns_per_flush);
	say("voluntary=%ld", ru.ru_nvcsw);
	say("involuntary=%ld", ru.ru_nivcsw);
	return 0;
}
