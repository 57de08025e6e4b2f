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

/* The same, and where its directory is: dir has room for PATH_MAX * 2 bytes. */
int cgroup__find_dir(const char *path, char *dir, size_t size, uint64_t *id, bool *is_v1);

/*
 * The path of a process's memory cgroup, or of its only one on v2, from the text of /proc/PID/cgroup. 0,
 * -ENOENT.
 */
int cgroup__of_process(const char *text, bool is_v1, char *path, size_t size);

/* What a memory cgroup and those below it have, in bytes. */
#define CGROUP_UNKNOWN UINT64_MAX
struct cgroup_memory {
	uint64_t usage, limit; /* the latter its own; CGROUP_UNKNOWN: none */
	uint64_t anon, shmem;  /* of the usage */
	uint64_t cache;	       /* of the usage: pages of files, which can be had back */
	uint64_t swap;
};

/* Fill in what memory.stat tells. False: it is no such text. */
bool cgroup_memory__parse_stat(struct cgroup_memory *m, const char *text, bool is_v1);

/* Read all of it. 0 or -errno. */
int cgroup_memory__read(struct cgroup_memory *m, const char *dir, bool is_v1);

#endif
