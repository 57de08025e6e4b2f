// SPDX-License-Identifier: GPL-2.0
/*
 * crowd - many processes at once.
 *
 *	crowd COUNT PAGES
 *
 * Forks COUNT children that each write PAGES pages of their own and then wait. When all have, it says "done"
 *on stdout; when its stdin ends, so do they.
 */
#include <signal.h>
#include <sys/wait.h>

#include "prog.h"

static void child_of(char *at, size_t pages, int done, int end)
{
	char byte = 0;

	touch_write(at, pages);
	if (write(done, &byte, 1) != 1)
		_exit(1);
	_exit(read(end, &byte, 1) == 0 ? 0 : 1);
}

int main(int argc, char **argv)
{
	const char *synopsis = "COUNT PAGES";
	size_t count, pages;
	int done[2], end[2];
	char byte, *at;

	if (argc != 3)
		usage_error(synopsis);
	count = number(argv[1], synopsis);
	pages = number(argv[2], synopsis);
	warm_up();
	at = map_anon_alone(pages);
	if (pipe(done) || pipe(end))
		die("pipe");
	for (size_t i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork %zu", i);
		if (pid == 0) {
			close(end[1]);
			child_of(at, pages, done[1], end[0]);
		}
	}
	for (size_t i = 0; i < count; i++)
		if (read(done[0], &byte, 1) != 1)
			die("read");
	say_region("region", at, pages);
	puts("done");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	close(end[1]);
	for (size_t i = 0; i < count; i++) {
		int status;

		if (wait(&status) < 0 || status)
			die("a child (status %d)", status);
	}
	say_self();
	return 0;
}
