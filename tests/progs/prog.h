/* SPDX-License-Identifier: GPL-2.0 */
/*
 * prog.h - what the test programs share.
 *
 * A test program does a known thing to memory and says, in lines of key=value, what it did and what a tracer
 * should have seen. The lines go to stdout, or to the file named by PROG_OUT where stdout belongs to somebody
 * else (memtrace runs a program with its own stdout).
 *
 * Every figure that can be known in advance is printed as expected; the kernel's own count of the same work
 * (getrusage before and after) is printed beside it as measured_minor and measured_major.
 */
#ifndef PROG_H
#define PROG_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

/* Regions start on this boundary: one page table each, and a fault-around window never straddles an edge. */
#define REGION_ALIGN (2UL << 20)

struct usage {
	long minor;
	long major;
};

static inline size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	exit(99);
}

__attribute__((noreturn)) static inline void usage_error(const char *synopsis)
{
	fprintf(stderr, "usage: %s %s\n", program_invocation_short_name, synopsis);
	exit(98);
}

/* Where say() writes. Opened for append: a program that re-executes itself, or forks, goes on in the same
 * file. */
static inline FILE *prog_out(void)
{
	static FILE *out;
	const char *path = getenv("PROG_OUT");

	if (out)
		return out;
	out = path ? fopen(path, "ae") : stdout;
	if (!out)
		die("%s", path);
	setvbuf(out, NULL, _IOLBF, 0);
	return out;
}

__attribute__((format(printf, 1, 2))) static inline void say(const char *fmt, ...)
{
	FILE *out = prog_out();
	va_list args;

	va_start(args, fmt);
	vfprintf(out, fmt, args);
	va_end(args);
	fputc('\n', out);
}

static inline struct usage usage_of(int who)
{
	struct rusage ru;

	if (getrusage(who, &ru))
		die("getrusage");
	return (struct usage){ru.ru_minflt, ru.ru_majflt};
}

static inline struct usage usage_now(void)
{
	return usage_of(RUSAGE_THREAD);
}

static inline struct usage usage_since(struct usage start)
{
	struct usage now = usage_now();

	return (struct usage){now.minor - start.minor, now.major - start.major};
}

/* The last lines of a program: who it was, and what the kernel counted for all of it. */
static inline void say_self(void)
{
	struct usage all = usage_of(RUSAGE_SELF);

	say("pid=%d", getpid());
	say("self.minor=%ld", all.minor);
	say("self.major=%ld", all.major);
}

/*
 * Map pages as a VMA that merges with no other: in the middle of a PROT_NONE reservation, aligned, with guard
 * pages on both sides. Huge pages are off, so that a page is a fault.
 */
static inline char *map_alone(size_t pages, int prot, int flags, int fd)
{
	size_t size = pages * page_size();
	size_t reserve = size + 2 * REGION_ALIGN;
	char *base, *at;

	base = mmap(NULL, reserve, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (base == MAP_FAILED)
		die("mmap: reserve %zu bytes", reserve);
	at = (char *)(((uintptr_t)base + REGION_ALIGN) & ~(REGION_ALIGN - 1));
	if (at == base)
		at += REGION_ALIGN;
	if (mmap(at, size, prot, flags | MAP_FIXED, fd, 0) != at)
		die("mmap: %zu pages", pages);
	/* A kernel without transparent huge pages says EINVAL: nothing to turn off. */
	madvise(at, size, MADV_NOHUGEPAGE);
	return at;
}

static inline char *map_anon_alone(size_t pages)
{
	return map_alone(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/* The touch loops are functions of their own, run once before anything is measured: their code then faults no
 * more. */
__attribute__((noinline, unused)) static void touch_write(char *at, size_t pages)
{
	size_t step = page_size();

	for (size_t i = 0; i < pages; i++)
		*(volatile char *)(at + i * step) = 1;
}

__attribute__((noinline, unused)) static void touch_read(const char *at, size_t pages)
{
	size_t step = page_size();

	for (size_t i = 0; i < pages; i++)
		(void)*(const volatile char *)(at + i * step);
}

static inline void warm_up(void)
{
	char *page = map_anon_alone(1);
	struct usage start;

	touch_read(page, 1);
	touch_write(page, 1);
	start = usage_now();
	(void)usage_since(start);
	munmap(page, page_size());
}

static inline void say_region(const char *name, const void *at, size_t pages)
{
	uintptr_t start = (uintptr_t)at;

	say("%s.start=%#lx", name, (unsigned long)start);
	say("%s.end=%#lx", name, (unsigned long)(start + pages * page_size()));
	say("%s.pages=%zu", name, pages);
}

static inline void say_measured(const char *name, struct usage spent)
{
	say("%s.measured_minor=%ld", name, spent.minor);
	say("%s.measured_major=%ld", name, spent.major);
}

/* A number from the command line, or the end of the program. */
static inline unsigned long number(const char *text, const char *synopsis)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 0);
	if (errno || end == text || *end || *text == '-')
		usage_error(synopsis);
	return value;
}

#endif /* PROG_H */
