/* SPDX-License-Identifier: GPL-2.0 */
/*
 * leaker - holds memory in known ways over time, and says what it holds.
 *
 *   leaker HOW SECONDS [STEP_MS]		one step each STEP_MS (by default 10); ends earlier on SIGTERM
 *
 *   leak	malloc(3 pages), touched and kept; malloc(1024), freed: the textbook
 *   stable	the same, but both are freed
 *   cache	fills 16 MiB, 64 KiB a step, and then replaces what it has
 *   saw	takes 64 KiB a step, and gives all back when it has 2 MiB
 *   start	takes 16 MiB at once, and then nothing
 *   saw-leak	the saw, and 16 KiB a step that are kept
 *   plugin PATH	after a second, leaks by plugin_leak() of a library that it loads then
 *   thread	the leak, in a thread: from another arena of malloc
 *
 * At its end it says held=BYTES (what it keeps at that moment), steps=N, leaked=BYTES, and rate=BYTES a
 * second.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "prog.h"

#define STEP_LEAK  (3 * 4096)
#define BLOCK	   (64 * 1024)
#define CACHE_MOST 256 /* blocks */
#define SAW_MOST   32

static struct {
	unsigned long steps, leaked;
	char *blocks[CACHE_MOST];
	unsigned count;
} did;

static double seconds, step_ms = 10;
static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Not to be optimised away, nor inlined: the names are looked for. */
static __attribute__((noinline)) char *touched(char *p, size_t size)
{
	if (!p)
		die("malloc");
	for (size_t i = 0; i < size; i += 4096)
		((volatile char *)p)[i] = 1;
	return p;
}

static __attribute__((noinline)) void leak_three_pages(void)
{
	touched(malloc(STEP_LEAK), STEP_LEAK);
	did.leaked += STEP_LEAK;
	__asm__ volatile("");
}

static __attribute__((noinline)) void borrow(size_t size)
{
	free(touched(malloc(size), size));
	__asm__ volatile("");
}

static void step_leak(void)
{
	leak_three_pages();
	borrow(1024);
}

static void step_stable(void)
{
	borrow(STEP_LEAK);
	borrow(1024);
}

static void step_cache(void)
{
	unsigned slot = did.steps % CACHE_MOST;

	free(did.blocks[slot]);
	did.blocks[slot] = touched(malloc(BLOCK), BLOCK);
}

/* By mmap: what is freed in the heap is not given back at once. */
static void step_saw(void)
{
	if (did.count == SAW_MOST) {
		for (unsigned i = 0; i < did.count; i++)
			munmap(did.blocks[i], BLOCK);
		did.count = 0;
	}
	did.blocks[did.count++] =
		touched(mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), BLOCK);
}

static void step_start(void)
{
	while (did.count < CACHE_MOST)
		did.blocks[did.count++] = touched(malloc(BLOCK), BLOCK);
}

static void step_saw_leak(void)
{
	step_saw();
	touched(malloc(16384), 16384);
	did.leaked += 16384;
}

static const char *plugin_path;
static double began;

static void step_plugin(void)
{
	static size_t (*leak)(void);
	void *library __attribute__((unused));

	if (now() - began < 1)
		return;
	if (!leak) {
#ifndef NO_PLUGIN /* of a static program the linker warns */
		library = dlopen(plugin_path, RTLD_NOW);
		leak = library ? (size_t(*)(void))dlsym(library, "plugin_leak") : NULL;
#endif
		if (!leak)
			die("%s", plugin_path);
	}
	did.leaked += leak();
}

static void *run(void *step)
{
	void (*one)(void) = *(void (**)(void))step;
	struct timespec pause = {.tv_sec = step_ms / 1e3};

	pause.tv_nsec = (step_ms - pause.tv_sec * 1e3) * 1e6;
	while (now() - began < seconds && !stopped) {
		one();
		did.steps++;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*step)(void);
	} ways[] = {
		{"leak", step_leak},	     {"stable", step_stable}, {"cache", step_cache},
		{"saw", step_saw},	     {"start", step_start},   {"thread", step_leak},
		{"saw-leak", step_saw_leak}, {"plugin", step_plugin},
	};
	const char *how = argc > 2 ? argv[1] : "";
	size_t i = 0;
	pthread_t thread;

	while (i < sizeof(ways) / sizeof(ways[0]) && strcmp(ways[i].name, how))
		i++;
	if (i == sizeof(ways) / sizeof(ways[0]))
		die("usage: leaker HOW SECONDS [STEP_MS [PLUGIN]]");
	seconds = atof(argv[2]);
	if (argc > 3)
		step_ms = atof(argv[3]);
	if (argc > 4)
		plugin_path = argv[4];
	signal(SIGTERM, stop);
	began = now();
	if (strcmp(how, "thread"))
		run((void *)&ways[i].step);
	else if (pthread_create(&thread, NULL, run, (void *)&ways[i].step) || pthread_join(thread, NULL))
		die("thread");
	say("pid=%d\nsteps=%lu\nleaked=%lu\nrate=%.0f", getpid(), did.steps, did.leaked,
	    did.leaked / (now() - began));
	return 0;
}
