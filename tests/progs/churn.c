// SPDX-License-Identifier: GPL-2.0
/*
 * churn - processes that do not stay what they are.
 *
 *	churn COUNT PAGES
 *
 * Of COUNT children, one after the other, each writes PAGES pages of its own; what comes then goes round: it
 *exits; is killed; takes another name; goes into namespaces of its own (mount, UTS, and for its children pid)
 *and has a child there that writes PAGES; executes itself, and the new image writes PAGES; exits from a
 *thread while another still writes. written is how many pages were written before anybody was killed.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "prog.h"

enum turn { EXITS, IS_KILLED, IS_RENAMED, MOVES, EXECS, LEAVES_A_THREAD, TURNS };

static char *self;
static size_t pages;

static void *write_on(void *arg)
{
	for (;;) {
		touch_write(arg, pages);
		madvise(arg, pages * page_size(), MADV_DONTNEED);
	}
	return NULL;
}

static void move(char *at)
{
	pid_t pid;

	if (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID))
		die("unshare");
	pid = fork();
	if (pid == 0) {
		touch_write(at, pages);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		die("a child in a namespace");
}

static void turn_of(enum turn turn)
{
	char *at = map_anon_alone(pages), count[32];
	pthread_t thread;

	touch_write(at, pages);
	switch (turn) {
	case IS_KILLED:
		kill(getpid(), SIGKILL);
		break;
	case IS_RENAMED:
		prctl(PR_SET_NAME, "another");
		break;
	case MOVES:
		move(map_anon_alone(pages));
		break;
	case EXECS:
		snprintf(count, sizeof(count), "%zu", pages);
		execl(self, "churn", "exec", count, (char *)NULL);
		die("exec");
		break;
	case LEAVES_A_THREAD:
		if (pthread_create(&thread, NULL, write_on, map_anon_alone(pages)))
			die("pthread_create");
		break;
	default:
		break;
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	const char *synopsis = "COUNT PAGES";
	static const size_t writes[TURNS] = {[EXITS] = 1, [IS_KILLED] = 1, [IS_RENAMED] = 1,
					     [MOVES] = 2, [EXECS] = 2,	   [LEAVES_A_THREAD] = 1};
	size_t count, written = 0;

	if (argc != 3)
		usage_error(synopsis);
	self = argv[0];
	pages = number(argv[2], synopsis);
	if (!strcmp(argv[1], "exec")) {
		touch_write(map_anon_alone(pages), pages);
		return 0;
	}
	count = number(argv[1], synopsis);
	warm_up();
	for (size_t i = 0; i < count; i++) {
		pid_t pid = fork();
		int status;

		if (pid < 0)
			die("fork");
		if (pid == 0)
			turn_of(i % TURNS);
		if (waitpid(pid, &status, 0) != pid)
			die("waitpid");
		if (WIFEXITED(status) && WEXITSTATUS(status))
			die("child %zu: status %d", i, WEXITSTATUS(status));
		written += writes[i % TURNS] * pages;
	}
	say("written=%zu", written);
	say_self();
	return 0;
}
