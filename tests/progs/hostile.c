// SPDX-License-Identifier: GPL-2.0
/*
 * hostile - a process whose names would take over a terminal, or a parser.
 *
 *	hostile DIR	DIR takes a file with a hostile name, which the program removes
 *
 * comm: an escape sequence, a newline, a quote, a backslash and bytes that are not UTF-8.
 * file: the same, a C1 control in UTF-8 and an overlong slash; mapped, read, written. A child is named by
 *nothing but control bytes. It ends by writing beyond everything, so that the names appear in the report of a
 *SIGSEGV too.
 */
#include "prog.h"
#include <sys/prctl.h>
#include <sys/wait.h>

#define PAGES 32

static const char comm[] = "\x1b[31m\n\"\\\xff\xfe\x07x";
static const char child_comm[] = "\x01\x02\x1b]0;t\x07\r\t\x7f\xc2\x9b";
static const char file[] = "ev\x1b[2J\x1b]0;owned\x07il\n{\"type\":\"end\"}\xff\xc0\xaf\xc2\x9b"
			   "31m\"\\%s%n";

static char *map_hostile(const char *dir)
{
	char path[4096];
	char *at;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, PAGES * (off_t)page_size()))
		die("hostile file in %s", dir);
	at = map_alone(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
	close(fd);
	touch_write(at, PAGES);
	/* Gone, but for the mapping: no reader of /proc finds it by its name afterwards. */
	unlink(path);
	return at;
}

static void be_hostile(const char *dir)
{
	size_t pages = 8;
	char *at, *anon;
	pid_t pid;

	at = map_hostile(dir);
	anon = map_anon_alone(pages);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, child_comm, 0, 0, 0);
		touch_write(at, PAGES);
		touch_write(anon, pages);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("child");
	say_region("file", at, PAGES);
	say("file.faults=%d", PAGES);
	say("child.pid=%d", pid);
	say_region("child", anon, pages);
	say("child.faults=%zu", pages);
}

int main(int argc, char **argv)
{
	const struct rlimit no_core = {0, 0};

	if (argc != 2)
		usage_error("DIR");
	warm_up();
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_NAME, comm, 0, 0, 0);
	be_hostile(argv[1]);
	say_self();
	*(volatile char *)0x123456789abcUL = 1;
	return 0;
}
