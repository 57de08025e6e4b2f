/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What ends the growth of a process or a cgroup, and how much room there is until then. */
#ifndef MEMTRACE_GROWTH_LIMIT_H
#define MEMTRACE_GROWTH_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct growth_limit {
	bool known;
	bool is_cgroup;	  /* else the machine's memory */
	char cgroup[256]; /* its path below the mount of the controller */
	uint64_t limit;	  /* bytes; of the machine all of its memory and swap */
	uint64_t room;	  /* bytes that are free, or hold pages of files that can be read again */
};

/* The one that leaves least room, now. */
struct growth_limit growth_limit__of_process(uint32_t pid);
/* dir: its directory. */
struct growth_limit growth_limit__of_cgroup(const char *dir, bool is_v1);

/* How long the room lasts at a rate in bytes a second: "3.5 days". */
void growth_limit__format_time(double seconds, char *buf, size_t size);

#endif
