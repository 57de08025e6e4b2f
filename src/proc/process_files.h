/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /proc/PID tells of a process's memory, from the text of its files. Bytes. */
#ifndef MEMTRACE_PROCESS_FILES_H
#define MEMTRACE_PROCESS_FILES_H

#include <stdbool.h>
#include <stdint.h>

#define PROCESS_UNKNOWN UINT64_MAX /* the kernel does not tell */

/* /proc/PID/status. */
struct process_status {
	char comm[64]; /* as the kernel wrote it, with its escapes */
	uint32_t tgid, ppid;
	uint32_t uid; /* the real one */
	uint64_t vss, locked;
	uint64_t rss, anon, file, shmem; /* resident; rss is the sum of the others */
	uint64_t swap, hugetlb, pgtables;
	uint64_t data; /* address space of data and anonymous mappings */
	uint64_t text; /* of the program's code */
	uint64_t peak; /* of rss; since exec */
};

/* False: no process with memory of its own (a kernel thread, a zombie). */
bool process_status__parse(const char *text, struct process_status *status);

/* /proc/PID/smaps_rollup (4.14 and later). */
struct smaps_rollup {
	uint64_t rss, pss, uss; /* uss: private pages, clean and dirty, and private huge ones */
	uint64_t shared;	/* of rss: mapped more than once */
	uint64_t anon, swap;
	uint64_t swap_pss, huge, locked; /* PROCESS_UNKNOWN: not told */
	uint64_t huge_shared; /* files and shared memory mapped by huge pages; 0 where that is not told */
};

/* False: not such a text. */
bool smaps_rollup__parse(const char *text, struct smaps_rollup *rollup);

/* /proc/PID/stat. */
struct process_stat {
	char comm[64];	       /* hostile: anything but a NUL */
	uint64_t minor, major; /* page faults, without those of children that were waited for */
	uint64_t start_ticks;  /* after boot; with the pid, which process it is */
};

/* Where things are in its address space, from the same file; 0 for what this user may not know. */
struct process_layout {
	uint64_t code_start, code_end, data_start, data_end;
	uint64_t heap_start;
	uint64_t stack_start; /* its bottom: the highest address, at exec */
	uint64_t arguments_start, arguments_end, environment_start, environment_end;
};

/* False: not such a text. */
bool process_layout__parse(const char *text, struct process_layout *layout);

/* False: not such a text. */
bool process_stat__parse(const char *text, struct process_stat *stat);

#endif
