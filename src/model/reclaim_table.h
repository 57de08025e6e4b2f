/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of reclaim: a row for each process, kind of work and memory cgroup.
 *
 * Fed with what the kernel side counted since the last time; asked by the report. Memory is bounded: rows of
 * processes that are gone are kept apart only while they are few, then those of one name, work and cgroup
 * become one row (`processes` > 1).
 */
#ifndef MEMTRACE_RECLAIM_TABLE_H
#define MEMTRACE_RECLAIM_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "model/histogram.h"
#include "model/stack_table.h"
#include "reclaim.h"

struct reclaim_row {
	struct reclaim_key key; /* tgid 0: several processes that are gone, or what found no room */
	char comm[COMM_SIZE + 1];
	size_t processes; /* that this row stands for; 0: not known, for it is what found no room */
	uint64_t count;
	uint64_t ns;
	uint64_t wanted, got; /* as in struct reclaim_stats */
	uint64_t failed;
	struct reclaim_tally tally;
	uint32_t max_order, gfp;
	struct histogram latency;
	struct stack_count *stacks; /* weight: ns */
	UT_hash_handle hh;
};

/* Pages of its inactive lists that were looked at, and how many of them were freed. */
uint64_t reclaim_tally__scanned(const struct reclaim_tally *t);
uint64_t reclaim_tally__reclaimed(const struct reclaim_tally *t);

struct reclaim_table;

/* keep_gone: rows of processes that are gone, at most. NULL: no memory. */
struct reclaim_table *reclaim_table__new(size_t keep_gone);
void reclaim_table__free(struct reclaim_table *t);

/* Add what the kernel side has counted. key->process.tgid 0: it found no room of its own. False: no memory.
 */
bool reclaim_table__add(struct reclaim_table *t, const struct reclaim_key *key,
			const struct reclaim_stats *stats);

/* A sample of the row's work, which stands for `weight` times of `ns` each, had this stack. False: no memory.
 */
bool reclaim_table__add_stack(struct reclaim_table *t, const struct reclaim_key *key, uint32_t stack,
			      uint64_t weight, uint64_t ns);

/* Keep memory bounded. To be called now and then. is_gone: has this process ended? */
void reclaim_table__fold(struct reclaim_table *t, bool (*is_gone)(const struct process_key *));

/*
 * The rows of some kinds of work (bits 1 << WORK_*): most time first, among equals the highest count. *n says
 * how many. The caller frees the array, not the rows. NULL with *n == 0: no memory.
 */
struct reclaim_row **reclaim_table__rows(const struct reclaim_table *t, unsigned works, size_t *n);

/* The sum of rows of those kinds of work; it has no stacks. */
struct reclaim_row reclaim_table__sum(const struct reclaim_table *t, unsigned works);

/* What the processes of each memory cgroup had to do themselves, and what of them was swapped out. */
struct reclaim_cgroup_row {
	uint64_t cgroup;	   /* 0: not known */
	struct reclaim_row stalls; /* direct, memcg and node reclaim, and compaction */
	uint64_t swapped_out;	   /* pages */
	UT_hash_handle hh;
};

/* Most stalled first; to be freed with free(). NULL with *n == 0: no memory. */
struct reclaim_cgroup_row *reclaim_table__cgroups(const struct reclaim_table *t, size_t *n);

/* After a report: rows start anew. */
void reclaim_table__next_interval(struct reclaim_table *t);

#define WORKS_STALL (1u << WORK_DIRECT | 1u << WORK_MEMCG | 1u << WORK_NODE)

/* Of enum reclaim_work, as in JSON: "direct". "?" beyond the last. */
const char *reclaim_work__name(unsigned work);

/* Of enum reclaim_throttle: "writeback". "?" beyond the last. */
const char *reclaim_throttle__name(unsigned reason);

#endif
