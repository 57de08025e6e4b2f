/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program after `--`: started when tracing is attached, waited for, its exit status handed on. */
#ifndef MEMTRACE_PROGRAM_H
#define MEMTRACE_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "trace/run_as.h"

struct program {
	pid_t pid; /* 0: not started */
	bool ended;
	int status; /* as the shell would report it: exit status, or 128 + signal */
};

/*
 * Fork and exec argv, as the user that was chosen; before it execs, before_exec() is called (NULL: not),
 * which may keep it from that by returning -errno. Says what is wrong; 0 or -errno (that of execvp()).
 */
int program__start(struct program *program, char **argv, const struct run_as *as,
		   int (*before_exec)(void *context, pid_t pid), void *context);

/* Has it ended? Does not wait. */
bool program__poll(struct program *program);

/* Wait until it has ended. Does nothing if it was not started. */
void program__wait(struct program *program);

/* Send it a signal, if it still runs. */
void program__signal(const struct program *program, int signal);

/* End it: `signal`, and if it still runs five seconds later, SIGKILL. */
void program__end(struct program *program, int signal);

#endif
