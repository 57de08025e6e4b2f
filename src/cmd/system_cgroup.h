/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A memory cgroup and its ancestors, for `memtrace system --cgroup`. */
#ifndef MEMTRACE_SYSTEM_CGROUP_H
#define MEMTRACE_SYSTEM_CGROUP_H

#include "out/out.h"

/* Rows from the cgroup of that path to the root: each has a limit of its own. Says what is wrong; 0 or
 * -errno. */
int system_cgroup__print(struct out *out, const char *path);

#endif
