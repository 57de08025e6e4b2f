/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom to trace: the options -p, --comm, --cgroup, --follow and -- PROGRAM, and how the kernel side is told.
 */
#ifndef MEMTRACE_TARGET_H
#define MEMTRACE_TARGET_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "abi.h"
#include "trace/run_as.h"

struct target {
	pid_t *pids;
	size_t pid_count;
	const char *comm;   /* NULL: any */
	const char *cgroup; /* NULL: any */
	bool follow;
	char **program; /* NULL-terminated argv; NULL: none */
	struct run_as run_as;
};

/* Add "1,2,3". 0, -EINVAL (not a list of numbers), -ERANGE (not a pid), -ENOMEM. */
int target__add_pids(struct target *target, const char *list);
void target__free(struct target *target);

/* Are the pids those of processes? Says what is wrong; 0 or -errno. */
int target__check_pids(const struct target *target);

/* Check that all of it exists, and fill in config. Says what is wrong; 0 or -errno. */
int target__configure(const struct target *target, struct target_config *config);

/* Put the pids into the map `targets`. Says what is wrong; 0 or -errno. */
int target__fill(const struct target *target, int map_fd);

/* Every process given by -p has gone, and every one followed from it. */
bool target__is_gone(const struct target *target, int map_fd);

/* "all processes", "pid 12, 13", "comm x in cgroup y": for a report's head. */
void target__describe(const struct target *target, char *buf, size_t size);

#endif
