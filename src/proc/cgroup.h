/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory cgroups by name, on cgroup v1 and v2. */
#ifndef MEMTRACE_CGROUP_H
#define MEMTRACE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where the hierarchy with the memory controller is mounted, from the text of /proc/self/mounts: v1 with the
 * option "memory" if there is one, else v2. 0, or -ENOENT.
 */
int cgroup__memory_mount(const char *mounts, char *buf, size_t size, bool *is_v1);

/*
 * The kernel's id (kernfs inode number) of a cgroup given by the path of its directory, or by its path within
 * the memory hierarchy. Says what is wrong; 0 or -errno.
 */
int cgroup__find(const char *path, uint64_t *id, bool *is_v1);

#endif
