/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of processes and of a cgroup over time, from /proc and the cgroup's files: no BPF, and no more
 * than about 1 % of a core. /proc/PID/status costs a few microseconds, whatever the size of the process;
 * smaps_rollup walks its page tables, 3 ms a GiB, and is read as seldom as its own cost asks for.
 */
#ifndef MEMTRACE_MEMORY_WATCH_H
#define MEMTRACE_MEMORY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "model/growth.h"
#include "model/series.h"
#include "proc/cgroup.h"
#include "proc/process_files.h"
#include "trace/target.h"

/* One image of one process: a new one begins when its name changes, as by exec. */
struct watched {
	uint32_t pid;
	int dir;		      /* of /proc/PID; -1: it has ended */
	uint64_t began_ns;	      /* when it was first seen */
	uint64_t ended_ns;	      /* 0: it runs */
	struct process_status status; /* the last */
	struct smaps_rollup rollup;   /* the last */
	bool has_rollup;
	uint64_t tried_ns;    /* when that was last tried; 0: never */
	bool by_status;	      /* the series is not of smaps_rollup, which was not read each time */
	uint64_t heap;	      /* size of [heap]; PROCESS_UNKNOWN */
	uint64_t held;	      /* the last value of the series */
	struct series series; /* what only it can give back: anonymous, also in swap, and hugetlb */
	struct growth growth; /* as judged by memory_watch__judge() */
	UT_hash_handle hh;
};

/* The cgroup of --cgroup. */
struct watched_cgroup {
	char path[256]; /* as the user gave it */
	char dir[4096];
	bool is_v1;
	struct cgroup_memory memory; /* the last */
	struct series series;	     /* anonymous, shared memory, swap */
	struct growth growth;
};

struct memory_watch;

/* target must outlive it. Says what is wrong and returns NULL then. */
struct memory_watch *memory_watch__new(const struct target *target);
void memory_watch__free(struct memory_watch *w);

/* Also this process, as the program that was started, or what the kernel side has found. */
void memory_watch__add(struct memory_watch *w, uint32_t pid);

/* Look again, if it is time to. Often: 10 times a second at first. */
void memory_watch__sample(struct memory_watch *w, uint64_t now_ns);

/* All that were given by their pids have ended. */
bool memory_watch__is_over(const struct memory_watch *w);

/* Judge what there is, and put those first that grow most. */
void memory_watch__judge(struct memory_watch *w);

/* Iterate with ->hh.next. */
struct watched *memory_watch__processes(const struct memory_watch *w);
struct watched *memory_watch__ended(const struct memory_watch *w); /* at most 256 of them */
/* NULL: no --cgroup. */
struct watched_cgroup *memory_watch__cgroup(const struct memory_watch *w);

/* Samples of processes, in all; processes for which there was no room. */
uint64_t memory_watch__samples(const struct memory_watch *w);
uint64_t memory_watch__left_out(const struct memory_watch *w);

#endif
