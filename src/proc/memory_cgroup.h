/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of a memory cgroup tell of its shortages and its contents, v1 and v2. */
#ifndef MEMTRACE_MEMORY_CGROUP_H
#define MEMTRACE_MEMORY_CGROUP_H

#include <stdbool.h>

#include "model/oom_kill.h"

/* Where the hierarchy is mounted; dir "": nowhere. */
struct memory_hierarchy {
	char dir[512];
	bool is_v1;
};

void memory_hierarchy__find(struct memory_hierarchy *h);

/* How often the cgroup of that limit was short, and how long it stalled in the last minute; no allocation. */
void memory_cgroup__shortages(const struct memory_hierarchy *h, struct oom_limit *limit);

/* What is in that cgroup. False: not told. */
bool memory_cgroup__contents(const struct memory_hierarchy *h, const char *cgroup,
			     struct oom_contents *contents);

/* The same from the text of memory.stat. */
bool memory_stat__contents(const char *text, bool is_v1, struct oom_contents *contents);

#endif
