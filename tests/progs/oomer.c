/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oomer MIB [-c COMM] [-a ADJ] [-s SECONDS] [-n STEPS]: writes so much memory, in that many steps over that
 * many seconds, and then waits to be ended. To be run where it cannot have it.
 *
 *   -c COMM   calls itself so (any bytes)
 *   -a ADJ    sets its oom_score_adj
 *   -t N      N more threads write it, too
 *   -q        every fourth step is written by write_little(), the others by write_much()
 *   -b NODE   may have memory of this node alone (set_mempolicy(2))
 *   -k        keeps it and waits (without: exits when all is written)
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void set_adj(const char *adj)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	if (fd < 0 || write(fd, adj, strlen(adj)) < 0) {
		perror("oom_score_adj");
		exit(2);
	}
	close(fd);
}

static void bind_to(int node)
{
	unsigned long nodes = 1ul << node;

	if (syscall(SYS_set_mempolicy, MPOL_BIND, &nodes, sizeof(nodes) * 8)) {
		perror("set_mempolicy");
		exit(2);
	}
}

static void rest(double seconds)
{
	struct timespec ts = {.tv_sec = (time_t)seconds,
			      .tv_nsec = (long)((seconds - (time_t)seconds) * 1e9)};

	nanosleep(&ts, NULL);
}

struct span {
	char *memory;
	size_t size;
};

static void *write_all(void *context)
{
	const struct span *span = context;

	for (size_t at = 0; at < span->size; at += 4096)
		((volatile char *)span->memory)[at] = 2;
	return NULL;
}

static void start_threads(int threads, const struct span *span)
{
	pthread_t thread;

	while (threads--)
		if (pthread_create(&thread, NULL, write_all, (void *)span))
			exit(2);
}

/* Two call sites, neither of which may become part of its caller or the other. */
static void __attribute__((noinline, noclone)) write_much(char *from, char *to)
{
	for (; from < to; from += 4096)
		*(volatile char *)from = 1;
}

static void __attribute__((noinline, noclone)) write_little(char *from, char *to)
{
	for (; from < to; from += 4096)
		*(volatile char *)from = 3;
}

int main(int argc, char **argv)
{
	double seconds = 0;
	int option, steps = 1, keep = 0, threads = 0, quarters = 0;
	struct span span;
	size_t size;
	char *memory;

	while ((option = getopt(argc, argv, "b:c:a:s:n:t:kq")) != -1) {
		if (option == 'b')
			bind_to(atoi(optarg));
		else if (option == 'c')
			prctl(PR_SET_NAME, optarg);
		else if (option == 'a')
			set_adj(optarg);
		else if (option == 's')
			seconds = strtod(optarg, NULL);
		else if (option == 'n')
			steps = atoi(optarg);
		else if (option == 't')
			threads = atoi(optarg);
		else if (option == 'q')
			quarters = 1;
		else if (option == 'k')
			keep = 1;
		else
			return 2;
	}
	if (optind >= argc || steps < 1)
		return 2;
	size = strtoul(argv[optind], NULL, 10) << 20;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	madvise(memory, size, MADV_NOHUGEPAGE);
	span = (struct span){memory, size};
	start_threads(threads, &span);
	for (int i = 0; i < steps; i++) {
		size_t from = size / steps * i, to = i + 1 == steps ? size : size / steps * (i + 1);

		if (quarters && i % 4 == 3)
			write_little(memory + from, memory + to);
		else
			write_much(memory + from, memory + to);
		if (seconds > 0)
			rest(seconds / steps);
	}
	printf("done\n");
	fflush(stdout);
	while (keep)
		pause();
	return 0;
}
