// SPDX-License-Identifier: GPL-2.0
/*
 * kmem.c - have the kernel allocate memory of known kinds, and keep it.
 *
 * Usage: kmem		do as told on stdin, a line each; answers "ok"
 *	    pipes N	open N pipes: two objects by kmalloc in alloc_pipe_info() each, two struct file of the
 *cache filp fill	write a page into each: a page each, in pipe_write() threads N	start N threads that
 *wait: a stack by vmalloc in copy_process() each close	close the pipes quit
 */
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "prog.h"

#define PIPES_MAX 8192

static int pipes[PIPES_MAX][2];
static unsigned long pipes_n;

static void open_pipes(unsigned long n)
{
	struct rlimit limit = {2 * PIPES_MAX + 64, 2 * PIPES_MAX + 64};

	setrlimit(RLIMIT_NOFILE, &limit);
	for (; n && pipes_n < PIPES_MAX; n--, pipes_n++)
		if (pipe(pipes[pipes_n]))
			die("pipe");
}

static void fill(void)
{
	static char page[4096];

	for (unsigned long i = 0; i < pipes_n; i++)
		if (write(pipes[i][1], page, sizeof(page)) != sizeof(page))
			die("write");
}

static void *sleeper(void *unused)
{
	pause();
	return unused;
}

static void start_threads(unsigned long n)
{
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN);
	while (n--)
		if (pthread_create(&id, &attr, sleeper, NULL))
			die("pthread_create");
}

static void close_pipes(void)
{
	for (; pipes_n; pipes_n--) {
		close(pipes[pipes_n - 1][0]);
		close(pipes[pipes_n - 1][1]);
	}
}

int main(void)
{
	char line[64];

	printf("ok pid=%d region=none\n", getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "pipes ", 6))
			open_pipes(number(line + 6, "pipes N"));
		else if (!strncmp(line, "threads ", 8))
			start_threads(number(line + 8, "threads N"));
		else if (!strcmp(line, "fill"))
			fill();
		else if (!strcmp(line, "close"))
			close_pipes();
		else if (!strcmp(line, "quit"))
			break;
		else
			die("no such order: %s", line);
		printf("ok\n");
		fflush(stdout);
	}
	say("pid=%d", getpid());
	return 0;
}
