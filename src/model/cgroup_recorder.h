/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last minute of memory cgroups: what they used, each second. All of its memory is allocated at once; a
 * cgroup keeps its place as long as one of the processes that are recorded is in it or below it.
 */
#ifndef MEMTRACE_CGROUP_RECORDER_H
#define MEMTRACE_CGROUP_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/oom_kill.h"

#define RECORDER_CGROUPS 64

struct cgroup_recorder;

/* NULL: no memory. */
struct cgroup_recorder *cgroup_recorder__new(void);
void cgroup_recorder__free(struct cgroup_recorder *r);

/* A round of samples begins. */
void cgroup_recorder__begin(struct cgroup_recorder *r, uint64_t now_ns);

/* The place of a cgroup ("/a/b"), with places for those that it is in; -1: the root, or no room. */
int cgroup_recorder__place(struct cgroup_recorder *r, const char *path);

/* In this round a process is there: it and those that it is in are wanted. place may be -1. */
void cgroup_recorder__touch(struct cgroup_recorder *r, int place);

/* The path of a place that is wanted in this round; NULL: it is not. */
const char *cgroup_recorder__wanted(const struct cgroup_recorder *r, int place);

/* How often the place has been given to another cgroup: what was opened for the one before is no longer its.
 */
uint64_t cgroup_recorder__owner(const struct cgroup_recorder *r, int place);

/* What it uses in this round, in bytes. */
void cgroup_recorder__take(struct cgroup_recorder *r, int place, uint64_t usage);

/* Is it the cgroup of that path, or below it? */
bool cgroup_recorder__is_under(const struct cgroup_recorder *r, int place, const char *path);

/*
 * What the cgroup of that path used, oldest first and ending with now, when it uses so much. How many points,
 * at most OOM_POINTS; 0: it has not been recorded.
 */
size_t cgroup_recorder__history(const struct cgroup_recorder *r, const char *path, uint64_t now_ns,
				uint64_t usage, struct oom_point *points);

/* Tell of the cgroups below that path which grew most, up to the last round. NULL: of all. */
void cgroup_recorder__growers(const struct cgroup_recorder *r, const char *path, uint64_t now_ns,
			      struct oom_kill *kill);

#endif
