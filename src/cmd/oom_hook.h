/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where kills go besides stdout: a file that survives a crash (--log), and a command (--exec). */
#ifndef MEMTRACE_OOM_HOOK_H
#define MEMTRACE_OOM_HOOK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct oom_hook {
	int log_fd;	  /* -1: none */
	int helper_fd;	  /* a pipe to the helper; -1: none */
	pid_t helper;	  /* who runs the commands, forked while there was memory */
	const char *log;  /* its name */
	uint64_t not_run; /* commands: the helper was too busy */
	uint64_t not_logged;
};

/*
 * Open the log to append to, and fork the helper. NULL: not wanted. To be called before threads, BPF and
 * locked memory, which the helper shall not have. Says what is wrong; 0 or -errno.
 */
int oom_hook__open(struct oom_hook *hook, const char *log, const char *command);

/* A kill, as one line of JSON: on disk when this returns; the command is started later. */
void oom_hook__tell(struct oom_hook *hook, const char *json, size_t size);

/* Wait a few seconds for commands that are under way, and say what was not done. 0, or -EIO: kills are not in
 * the log. */
int oom_hook__close(struct oom_hook *hook);

#endif
