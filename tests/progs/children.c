// SPDX-License-Identifier: GPL-2.0
/*
 * children - a family: children one after the other, each with a child of its own.
 *
 *	children COUNT PAGES
 *
 * The region is mapped before the first fork and touched by nobody but the children: each child writes PAGES,
 *each grandchild, which has them copied, writes them again.
 */
#include "prog.h"
#include <sys/wait.h>

static pid_t wait_for(pid_t pid)
{
	int status;

	if (pid < 0)
		die("fork");
	if (waitpid(pid, &status, 0) != pid || status)
		die("child (status %d)", status);
	return pid;
}

static void grandchild_of(char *at, size_t pages, int report)
{
	pid_t pid;

	touch_write(at, pages);
	pid = fork();
	if (pid == 0) {
		touch_write(at, pages);
		_exit(0);
	}
	wait_for(pid);
	if (write(report, &pid, sizeof(pid)) != sizeof(pid))
		_exit(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *synopsis = "COUNT PAGES";
	size_t count, pages;
	int ends[2];
	char *at;

	if (argc != 3)
		usage_error(synopsis);
	count = number(argv[1], synopsis);
	pages = number(argv[2], synopsis);
	warm_up();
	at = map_anon_alone(pages);
	if (pipe2(ends, O_CLOEXEC))
		die("pipe2");
	say_region("region", at, pages);
	for (size_t i = 0; i < count; i++) {
		pid_t pid = fork(), grandchild;

		if (pid == 0)
			grandchild_of(at, pages, ends[1]);
		wait_for(pid);
		if (read(ends[0], &grandchild, sizeof(grandchild)) != sizeof(grandchild))
			die("read");
		say("child%zu.pid=%d", i, pid);
		say("grandchild%zu.pid=%d", i, grandchild);
	}
	say_self();
	return 0;
}
