// SPDX-License-Identifier: GPL-2.0
/*
 * heap.c - allocate and free blocks in known numbers, at known call sites.
 *
 * Usage: heap sites [ROUNDS]	five sites, of which three leak (default 1000 rounds)
 *	  heap realloc		blocks that move, grow, shrink, fail to grow, and are given back by realloc
 *	  heap aligned		each of the functions that return aligned blocks, and reallocarray
 *	  heap threads THREADS ROUNDS	sites, in each of several threads
 *	  heap many BLOCKS	keep that many
 *	  heap fork		a child frees what it has inherited and keeps some of its own
 *	  heap exec		sites, then exec of itself to do the same once more
 *	  heap textbook SECONDS	every tenth of a second keep three pages, and allocate and free 1024 bytes
 *	  heap			do as told on stdin, a word a line: sites, free, quit; answers "ok ..."
 *
 * Says what a tracer should find outstanding: SITE.count and SITE.bytes of each function that leaks,
 *all.count and all.bytes. Ends without giving back anything, stdio's buffers included.
 */
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "prog.h"

#define SYNOPSIS "[sites|realloc|aligned|threads|many|fork|exec|textbook [N...]]"

static void *volatile sink;
static void **kept; /* by mmap: what holds the blocks is none itself */
static size_t kept_n;

static void keep(void *p)
{
	if (!p)
		die("no memory");
	sink = p;
	if (kept)
		kept[__atomic_fetch_add(&kept_n, 1, __ATOMIC_RELAXED)] = p;
}

/* Calls that are no tail calls, from functions that stay functions. */
#define SITE __attribute__((noipa)) static void

SITE leak_malloc(void)
{
	keep(malloc(100));
	sink = NULL;
}

SITE leak_calloc(void)
{
	keep(calloc(3, 1000));
	sink = NULL;
}

SITE leak_realloc(void)
{
	void *p = malloc(10);

	sink = p;
	keep(realloc(p, 5000));
	sink = NULL;
}

SITE no_leak_malloc(void)
{
	void *p = malloc(4000);

	sink = p;
	free(p);
	sink = NULL;
}

SITE no_leak_strdup(void)
{
	char *p = strdup("a string that is given back");

	sink = p;
	free(p);
	sink = NULL;
}

static void sites(unsigned long rounds)
{
	for (unsigned long i = 0; i < rounds; i++) {
		leak_malloc();
		if (i % 10 == 0)
			leak_calloc();
		if (i % 100 == 0)
			leak_realloc();
		no_leak_malloc();
		no_leak_strdup();
	}
}

static void say_sites(unsigned long rounds)
{
	unsigned long tens = (rounds + 9) / 10, hundreds = (rounds + 99) / 100;

	say("leak_malloc.count=%lu", rounds);
	say("leak_malloc.bytes=%lu", rounds * 100);
	say("leak_calloc.count=%lu", tens);
	say("leak_calloc.bytes=%lu", tens * 3000);
	say("leak_realloc.count=%lu", hundreds);
	say("leak_realloc.bytes=%lu", hundreds * 5000);
	say("all.count=%lu", rounds + tens + hundreds);
	say("all.bytes=%lu", rounds * 100 + tens * 3000 + hundreds * 5000);
}

SITE moved(void)
{
	void *p = malloc(1000);

	for (size_t size = 2000; size <= 256000; size *= 2)
		p = realloc(p, size);
	keep(realloc(p, 300)); /* 300 outstanding */
	sink = NULL;
}

SITE failed(void)
{
	void *volatile p = malloc(700);
	void *volatile none = realloc(p, SIZE_MAX / 2);

	if (none)
		die("realloc of half the address space");
	keep(p); /* 700 outstanding */
	sink = NULL;
}

SITE given_back(void)
{
	void *volatile p = malloc(900);
	void *volatile none = realloc(p, 0); /* glibc frees it; others keep a block of no size */

	sink = none;
}

SITE from_nothing(void)
{
	void *volatile nothing = NULL;

	keep(realloc(nothing, 1100)); /* 1100 outstanding */
	sink = NULL;
}

static void reallocs(void)
{
	for (int i = 0; i < 10; i++) {
		moved();
		failed();
		given_back();
		from_nothing();
	}
	say("moved.bytes=3000");
	say("failed.bytes=7000");
	say("from_nothing.bytes=11000");
	say("all.count=30");
	say("all.bytes=21000");
}

SITE aligned(void)
{
	void *p;

	if (posix_memalign(&p, 64, 1000))
		die("posix_memalign");
	keep(p);
	keep(aligned_alloc(128, 1280));
	keep(memalign(256, 300));
	keep(valloc(5000));
	keep(pvalloc(4096));
	keep(reallocarray(NULL, 7, 11));
	if (!posix_memalign(&p, 3, 1000)) /* no power of two: it fails, and p stays */
		die("posix_memalign of 3");
	sink = NULL;
}

static void all_aligned(void)
{
	for (int i = 0; i < 10; i++)
		aligned();
	say("all.count=60");
	say("all.bytes=%d", 10 * (1000 + 1280 + 300 + 5000 + 4096 + 77));
}

static void *thread(void *rounds)
{
	sites((unsigned long)rounds);
	return NULL;
}

static void threads(unsigned long n, unsigned long rounds)
{
	pthread_t ids[64];

	if (n > 64)
		usage_error(SYNOPSIS);
	for (unsigned long i = 0; i < n; i++)
		if (pthread_create(&ids[i], NULL, thread, (void *)rounds))
			die("pthread_create");
	for (unsigned long i = 0; i < n; i++)
		pthread_join(ids[i], NULL);
	say("leak_malloc.bytes=%lu", n * rounds * 100);
	say("leak_calloc.bytes=%lu", n * ((rounds + 9) / 10) * 3000);
	say("leak_realloc.bytes=%lu", n * ((rounds + 99) / 100) * 5000);
}

SITE many(unsigned long n)
{
	for (unsigned long i = 0; i < n; i++)
		keep(malloc(32));
	sink = NULL;
	say("all.count=%lu", n);
}

/* The child tells when it has begun, and waits: whoever traces it has to notice it. */
static void forks(void)
{
	struct timespec while_noticed = {.tv_nsec = 500000000};
	pid_t pid;

	sites(100);
	pid = fork();
	if (!pid) {
		nanosleep(&while_noticed, NULL);
		for (size_t i = 0; i < kept_n; i++)
			free(kept[i]);
		kept_n = 0;
		sites(50);
		say("child.pid=%d", getpid());
		say("child.bytes=%d", 50 * 100 + 5 * 3000 + 5000);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	say_sites(100);
}

static void textbook(unsigned long seconds)
{
	struct timespec tenth = {.tv_nsec = 100000000};

	for (unsigned long i = 0; i < seconds * 10; i++) {
		char *p = malloc(3 * page_size());

		keep(p);
		memset(p, 1, 3 * page_size());
		no_leak_malloc();
		nanosleep(&tenth, NULL);
	}
	say("all.bytes=%lu", seconds * 30 * page_size());
}

static void serve(void)
{
	char line[64], *end;

	printf("ok pid=%d region=none\n", getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "sites ", 6))
			sites(strtoul(line + 6, &end, 0));
		while (!strcmp(line, "free") && kept_n)
			free(kept[--kept_n]);
		if (!strcmp(line, "quit"))
			return;
		printf("ok\n");
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	unsigned long n = argc > 2 ? number(argv[2], SYNOPSIS) : 1000;
	size_t room = 16ul << 20;

	kept = mmap(NULL, room * sizeof(*kept), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (kept == MAP_FAILED)
		die("mmap");
	if (!strcmp(what, "sites")) {
		sites(n);
		say_sites(n);
	} else if (!strcmp(what, "realloc")) {
		reallocs();
	} else if (!strcmp(what, "aligned")) {
		all_aligned();
	} else if (!strcmp(what, "threads")) {
		threads(n, argc > 3 ? number(argv[3], SYNOPSIS) : 1000);
	} else if (!strcmp(what, "many")) {
		many(n);
	} else if (!strcmp(what, "fork")) {
		forks();
	} else if (!strcmp(what, "exec")) {
		sites(n);
		execl("/proc/self/exe", argv[0], "sites", argc > 2 ? argv[2] : "1000", (char *)NULL);
		die("exec");
	} else if (!strcmp(what, "textbook")) {
		textbook(n);
	} else if (!*what) {
		serve();
	} else {
		usage_error(SYNOPSIS);
	}
	say("pid=%d", getpid());
	_exit(0);
}
