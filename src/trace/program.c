/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "trace/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"

#define PATIENCE_NS 5000000000ll

/* go_fd: to be read from first; its end means that there is to be no exec. Why it fails goes to report_fd: an
 * errno, negative if it cannot become that user. */
static void exec_in_child(char **argv, const struct run_as *as, int report_fd, int go_fd)
{
	sigset_t none;
	char go;
	int err;

	while ((err = read(go_fd, &go, 1)) < 0 && errno == EINTR)
		;
	if (err != 1)
		_exit(127);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	err = run_as__become(as);
	if (!err) {
		execvp(argv[0], argv);
		err = errno;
	}
	if (write(report_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static void say_not_run(const char *name, const struct run_as *as, int err)
{
	char user[32] = "";

	if (as->changes)
		snprintf(user, sizeof(user), " as user %u", as->uid);
	if (err < 0)
		log__error("cannot run %s%s: cannot become that user: %s", name, user, strerror(-err));
	else
		log__error("cannot run %s%s: %s", name, user, strerror(err));
}

int program__start(struct program *program, char **argv, const struct run_as *as,
		   int (*before_exec)(void *context, pid_t pid), void *context)
{
	int report[2], go[2], err = 0, stopped = 0;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC))
		return -errno;
	if (pipe2(go, O_CLOEXEC)) {
		err = -errno;
		close(report[0]);
		close(report[1]);
		return err;
	}
	program->pid = fork();
	if (program->pid < 0) {
		err = errno;
		program->pid = 0;
	} else if (!program->pid) {
		close(go[1]);
		exec_in_child(argv, as, report[1], go[0]);
	}
	close(report[1]);
	close(go[0]);
	if (program->pid && before_exec)
		stopped = before_exec(context, program->pid);
	if (program->pid && !stopped && write(go[1], "", 1) != 1)
		stopped = -errno;
	close(go[1]);
	/* The pipe closes when exec succeeds. */
	while (!err && (n = read(report[0], &err, sizeof(err))) < 0 && errno == EINTR)
		;
	close(report[0]);
	if (!err && !stopped)
		return 0;
	if (!stopped)
		say_not_run(argv[0], as, err);
	program__wait(program);
	return stopped ? stopped : -abs(err);
}

static void note_status(struct program *program, int status)
{
	program->ended = true;
	program->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool program__poll(struct program *program)
{
	int status;

	if (program->pid && !program->ended && waitpid(program->pid, &status, WNOHANG) == program->pid)
		note_status(program, status);
	return program->ended;
}

void program__wait(struct program *program)
{
	int status;

	while (program->pid && !program->ended)
		if (waitpid(program->pid, &status, 0) == program->pid)
			note_status(program, status);
		else if (errno != EINTR)
			return;
}

void program__signal(const struct program *program, int sig)
{
	if (program->pid && !program->ended)
		kill(program->pid, sig);
}

void program__end(struct program *program, int sig)
{
	const struct timespec pause = {.tv_nsec = PATIENCE_NS / 100};

	program__signal(program, sig);
	for (int i = 0; i < 100 && program->pid && !program__poll(program); i++)
		nanosleep(&pause, NULL);
	if (program->pid && !program->ended) {
		log__warn("%d, which memtrace started, does not end: killed", program->pid);
		program__signal(program, SIGKILL);
	}
	program__wait(program);
}
