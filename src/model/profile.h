/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call stacks with what each is worth: what --folded, --pprof and --flamegraph write. Made by a command from
 * what it knows; the writers are in out/.
 */
#ifndef MEMTRACE_PROFILE_H
#define MEMTRACE_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include "model/frame.h"

#define PROFILE_VALUES 4 /* sample types, at most */

/* As pprof has it: {"faults", "count"}, {"inuse_space", "bytes"}. */
struct profile_type {
	const char *name, *unit;
};

struct profile_sample {
	const char *comm;
	uint32_t pid;		    /* 0: several processes of one name */
	const struct frame *frames; /* innermost first */
	size_t frame_count;	    /* 0: the stack is not known; the values still count */
	bool truncated;		    /* outer frames are missing */
	uint64_t values[PROFILE_VALUES];
};

struct profile {
	const char *title; /* "Page faults of python3, 2.1 s" */
	struct profile_type types[PROFILE_VALUES];
	size_t type_count; /* at least 1; the first is what --folded and --flamegraph show */
	uint64_t time_ns;  /* CLOCK_REALTIME, when tracing began */
	uint64_t duration_ns;
	const struct profile_sample *samples;
	size_t count;
};

#endif
