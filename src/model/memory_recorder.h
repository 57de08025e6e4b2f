/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last minute of the processes that have most memory: what was resident, each second. All of its memory
 * is allocated at once; the small give way to the large.
 */
#ifndef MEMTRACE_MEMORY_RECORDER_H
#define MEMTRACE_MEMORY_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/oom_kill.h"

#define RECORDER_SAMPLES   61 /* a minute of seconds, and its two ends */
#define RECORDER_PROCESSES 512
#define RECORDER_COMMAND   160

struct memory_recorder;

/* NULL: no memory. */
struct memory_recorder *memory_recorder__new(void);
void memory_recorder__free(struct memory_recorder *r);

/* A round of samples begins. Bytes below which a process need not be told. */
uint64_t memory_recorder__begin(struct memory_recorder *r, uint64_t now_ns);

/* One process, in the present round. */
void memory_recorder__take(struct memory_recorder *r, const struct oom_process *p);

/* The place of its cgroup in a cgroup_recorder; -1: not known. */
void memory_recorder__set_cgroup(struct memory_recorder *r, const struct process_key *key, int place);
int memory_recorder__cgroup(const struct memory_recorder *r, const struct process_key *key);

/* Of the round, the largest process whose command line has not been asked for; NULL: none. */
const struct process_key *memory_recorder__wants_command(struct memory_recorder *r);
void memory_recorder__set_command(struct memory_recorder *r, const struct process_key *key,
				  const char *command);

/* "" if it is not known. */
const char *memory_recorder__command(const struct memory_recorder *r, const struct process_key *key);

/* This process has been told of, for the kill of that time. */
void memory_recorder__tell(struct memory_recorder *r, const struct process_key *key, uint64_t kill_ns);

/* This process has been killed. */
void memory_recorder__killed(struct memory_recorder *r, const struct process_key *key);

/* A process that is gone, as it was in the last round. */
struct untold {
	const struct oom_process *process;
	int cgroup; /* memory_recorder__cgroup() */
	bool killed;
};

/* Those of the last round that have not been told of for this kill: they are gone. */
void memory_recorder__untold(const struct memory_recorder *r, uint64_t kill_ns,
			     void (*take)(void *context, const struct untold *u), void *context);

/*
 * What was resident of a process that now has so much, oldest first and ending with now. A process that began
 * within the minute began with nothing. resident OOM_UNKNOWN: it is gone, and its history ends when it was
 * last seen. How many points, at most OOM_POINTS.
 */
size_t memory_recorder__history(const struct memory_recorder *r, const struct process_key *key,
				uint64_t now_ns, uint64_t resident, struct oom_point *points);

#endif
