// SPDX-License-Identifier: GPL-2.0
/*
 * threads - threads that touch a known part of their stacks, and a main stack that grows.
 *
 *	threads COUNT PAGES
 *
 * Each thread runs on a stack of its own VMA and touches PAGES of it downward; they all stay until the last
 *is done, and the program stays until its stdin ends, so that its threads can be looked at alive. For thread
 *I: thread<I>.tid .start .end, and .faults, the pages of the stack that are there in the end: one each. main:
 *stack_grow is the number of pages by which the main stack grew, one fault each.
 */
#include "prog.h"
#include <alloca.h>
#include <pthread.h>

#define STACK_PAGES 256

struct job {
	pthread_t thread;
	char *stack;
	size_t pages;
	pid_t tid;
	struct usage spent;
	pthread_barrier_t *done, *leave;
};

/* Downward from the current frame, a page at a time: the way a stack is used. */
__attribute__((noinline)) static void touch_stack(size_t pages)
{
	size_t page = page_size(), size = pages * page;
	volatile char *frame = alloca(size);

	/* No call in here: it would push below all of this, and the stack would grow at once. */
	for (size_t i = 1; i <= pages; i++)
		frame[size - i * page] = 1;
}

static void *run(void *arg)
{
	struct job *job = arg;
	struct usage start;

	job->tid = gettid();
	touch_stack(1);
	start = usage_now();
	touch_stack(job->pages);
	job->spent = usage_since(start);
	pthread_barrier_wait(job->done);
	pthread_barrier_wait(job->leave);
	return NULL;
}

static uintptr_t stack_start(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[4400];
	unsigned long from = 0;

	if (!maps)
		die("/proc/self/maps");
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[stack]"))
			sscanf(line, "%lx-", &from);
	fclose(maps);
	return from;
}

static size_t count_resident(char *at, size_t pages)
{
	unsigned char present[STACK_PAGES];
	size_t resident = 0;

	if (mincore(at, pages * page_size(), present))
		die("mincore");
	for (size_t i = 0; i < pages; i++)
		resident += present[i] & 1;
	return resident;
}

static void grow_main(void)
{
	struct usage start, spent;
	uintptr_t before, after;

	stack_start(); /* what stdio needs of the stack, it has now */
	before = stack_start();
	touch_stack(1);
	start = usage_now();
	touch_stack(300);
	spent = usage_since(start);
	after = stack_start();
	say("main.stack_before=%#lx", (unsigned long)before);
	say("main.stack_after=%#lx", (unsigned long)after);
	say("main.stack_grow=%lu", (unsigned long)((before - after) / page_size()));
	say_measured("main", spent);
}

int main(int argc, char **argv)
{
	const char *synopsis = "COUNT PAGES (at most 200)";
	pthread_barrier_t done, leave;
	size_t count, pages;
	struct job *jobs;
	char c;

	if (argc != 3)
		usage_error(synopsis);
	count = number(argv[1], synopsis);
	pages = number(argv[2], synopsis);
	if (!count || pages > 200)
		usage_error(synopsis);
	warm_up();
	grow_main();
	jobs = calloc(count, sizeof(*jobs));
	if (!jobs)
		die("calloc");
	pthread_barrier_init(&done, NULL, (unsigned)count + 1);
	pthread_barrier_init(&leave, NULL, (unsigned)count + 1);
	for (size_t i = 0; i < count; i++) {
		pthread_attr_t attr;

		jobs[i] = (struct job){.pages = pages, .done = &done, .leave = &leave};
		jobs[i].stack = map_alone(STACK_PAGES, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1);
		pthread_attr_init(&attr);
		pthread_attr_setstack(&attr, jobs[i].stack, STACK_PAGES * page_size());
		if (pthread_create(&jobs[i].thread, &attr, run, &jobs[i]))
			die("pthread_create");
	}
	pthread_barrier_wait(&done);
	for (size_t i = 0; i < count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "thread%zu", i);
		say("%s.tid=%d", name, jobs[i].tid);
		say_region(name, jobs[i].stack, STACK_PAGES);
		say("%s.faults=%zu", name, count_resident(jobs[i].stack, STACK_PAGES));
		say_measured(name, jobs[i].spent);
	}
	say_self();
	say("done=1");
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	pthread_barrier_wait(&leave);
	for (size_t i = 0; i < count; i++)
		pthread_join(jobs[i].thread, NULL);
	free(jobs);
	return 0;
}
