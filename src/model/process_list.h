/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The memory of processes at one moment: sorted, summed up, put together by what they have in common. */
#ifndef MEMTRACE_PROCESS_LIST_H
#define MEMTRACE_PROCESS_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCESS_VALUE_UNKNOWN UINT64_MAX

/* Bytes, but for the last. */
enum process_value {
	VALUE_VSS,	   /* address space */
	VALUE_RSS,	   /* resident */
	VALUE_PSS,	   /* uss and its share of what is shared: a page that n processes map counts 1/n */
	VALUE_USS,	   /* resident, and mapped by nobody else */
	VALUE_SHARED,	   /* rss - uss */
	VALUE_SWAP,	   /* in swap */
	VALUE_SWAP_PSS,	   /* that, where it is shared in proportion */
	VALUE_PGTABLES,	   /* page tables */
	VALUE_HUGE,	   /* anonymous memory in transparent huge pages */
	VALUE_HUGE_SHARED, /* files and shared memory that are mapped by huge pages */
	VALUE_LOCKED,	   /* mlock */
	VALUE_OOM_SCORE,
	VALUE_MINOR, /* page faults so far */
	VALUE_MAJOR,
	PROCESS_VALUES,
};

/* One process, or several that have `name` in common. Strings belong to whoever made the row. */
struct process_memory {
	uint32_t pid, ppid, uid;
	uint64_t start; /* with the pid, which process it is */
	int oom_score_adj;
	const char *comm, *command, *user, *cgroup; /* hostile text; NULL: not known */
	uint64_t values[PROCESS_VALUES];	    /* PROCESS_VALUE_UNKNOWN: not known */
	const char *name;			    /* of a group */
	size_t processes;			    /* 1, or how many of them */
	size_t without_pss; /* of them, whose smaps could not be had: sums are without them */
};

/* Largest first; those that are not known last, and among equals the lowest pid, or name, first. */
void process_list__sort(struct process_memory *rows, size_t n, enum process_value by);

/* All values of `from` that are known added to those of `to`. An empty row has none: process_memory__none().
 */
struct process_memory process_memory__none(void);
void process_memory__add(struct process_memory *to, const struct process_memory *from);

/*
 * Rows of the same name become one: *groups (the caller frees it) in no order. names[i] is that of rows[i].
 * Their number; 0: there is no memory, or n is 0.
 */
size_t process_list__group(const struct process_memory *rows, const char *const *names, size_t n,
			   struct process_memory **groups);

/* The row of the same process in a list that process_list__index() has put in order. NULL: there is none. */
void process_list__index(struct process_memory *rows, size_t n);
const struct process_memory *process_list__find(const struct process_memory *rows, size_t n, uint32_t pid,
						uint64_t start);

#endif
