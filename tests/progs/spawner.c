// SPDX-License-Identifier: GPL-2.0
/*
 * spawner - programs one after the other, as fast as the machine starts them.
 *
 *	spawner SECONDS PROGRAM
 *
 * Says how many there were, and how many a second.
 */
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "prog.h"

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const char *synopsis = "SECONDS PROGRAM";
	char *child_argv[] = {argv[2], NULL}, *child_env[] = {NULL};
	double began = now(), seconds;
	size_t count = 0;

	if (argc != 3)
		usage_error(synopsis);
	seconds = (double)number(argv[1], synopsis);
	while (now() - began < seconds) {
		pid_t pid;
		int status;

		if (posix_spawn(&pid, argv[2], NULL, NULL, child_argv, child_env))
			die("%s", argv[2]);
		if (waitpid(pid, &status, 0) != pid || status)
			die("%s: status %d", argv[2], status);
		count++;
	}
	say("count=%zu", count);
	say("per_second=%.0f", (double)count / (now() - began));
	return 0;
}
