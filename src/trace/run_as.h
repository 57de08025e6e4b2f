/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom the program after `--` runs as: it gets no privilege that whoever started memtrace did not have.
 *
 * Under sudo that is the user who called it (SUDO_UID, SUDO_GID), in a setuid memtrace the real user; --user
 * names another.
 */
#ifndef MEMTRACE_RUN_AS_H
#define MEMTRACE_RUN_AS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct run_as {
	bool changes; /* false: as memtrace itself, and nothing below counts */
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned, as is what follows; NULL: those of memtrace */
	size_t group_count;
	char *name, *home, *shell; /* NULL: the user has no entry in passwd */
};

/* user: that of --user, a name or a number; NULL: not given. Says what is wrong; 0, -EINVAL (there is no such
 * user), -EPERM or another -errno. */
int run_as__choose(struct run_as *as, const char *user);

/* In the child, for good; ambient capabilities go in any case. HOME, USER, LOGNAME and SHELL become those of
 * the user. 0 or -errno. */
int run_as__become(const struct run_as *as);

void run_as__free(struct run_as *as);

#endif
