/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of all processes at one moment, from /proc. */
#ifndef MEMTRACE_PROCESS_SNAPSHOT_H
#define MEMTRACE_PROCESS_SNAPSHOT_H

#include "model/process_list.h"
#include "trace/target.h"
#include "util/intern.h"

struct snapshot_options {
	const struct target *target; /* pids, comm, cgroup: those that match all of them */
	uint32_t uid;		     /* SNAPSHOT_ANY_USER */
	bool fast;		     /* no smaps_rollup: what it tells is not known then */
	bool mappings;		     /* also each process's mappings, by name */
	uint64_t limit_ns; /* do not read the smaps of a process if that takes longer; 0: no limit */
};

#define SNAPSHOT_ANY_USER UINT32_MAX

struct snapshot {
	struct process_memory *rows;
	size_t n;
	struct process_memory *mappings; /* a row for each process and name */
	size_t n_mappings;
	struct intern *strings; /* of the rows */
	uint64_t read_ns;	/* CLOCK_MONOTONIC, before it was read */
	size_t denied;		/* whose smaps are not for this user */
	size_t too_large;	/* that would have taken longer than the limit */
	uint64_t limit_ns;
};

/* 0, or -errno, told. */
int snapshot__read(struct snapshot *snapshot, const struct snapshot_options *options);
void snapshot__free(struct snapshot *snapshot);

#endif
