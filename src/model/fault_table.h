/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of page faults: processes, their VMAs, and how often and why each faulted.
 *
 * Fed with what the kernel side counted and sent; asked by the report. Memory is bounded: processes that have
 * exited are kept apart only while they are few, then those of one name are folded into one row (`processes`
 * > 1).
 */
#ifndef MEMTRACE_FAULT_TABLE_H
#define MEMTRACE_FAULT_TABLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "faults.h"
#include "model/histogram.h"
#include "model/stack_table.h"

struct fault_counts {
	uint64_t faults; /* exceptions */
	uint64_t major;
	uint64_t kernel_mode;
	uint64_t failed; /* ended in a signal */
	int64_t kinds[KINDS];
};

/* Completed without I/O. */
uint64_t fault_counts__minor(const struct fault_counts *c);
void fault_counts__add(struct fault_counts *to, const struct fault_counts *from);

struct vma_row {
	struct vma_key key;
	uint64_t start, end; /* the widest extent seen; both 0: no VMA, or a folded row */
	uint64_t pgoff;	     /* of start, in pages */
	uint32_t vm_flags;
	uint32_t stack_tid; /* a thread that has its stack here, 0: none */
	uint8_t class;
	bool named;	  /* its name has arrived; "" is a name */
	const char *name; /* the table's */
	struct fault_counts counts;
	struct histogram *latency;  /* of the faults that were timed; NULL: none was */
	struct stack_count *stacks; /* samples of its faults */
	UT_hash_handle hh;
};

struct process_row {
	struct process_key key; /* tgid 0: folded */
	char comm[COMM_SIZE + 1];
	uint32_t ppid;
	size_t processes; /* that this row stands for */
	bool exiting;	  /* the kernel has said so once */
	bool exited;	  /* and nothing more will come of it */
	/*
	 * From the kernel's own counters (what getrusage reports); false: those are not complete for this
	 * process, and minor and major are what was seen.
	 */
	bool counters_known;
	uint64_t minor, major;
	uint64_t segv, sigbus;
	struct fault_counts counts; /* over all VMAs and `other` */
	struct fault_counts other;  /* faults whose VMA found no room, in the kernel or here (rest) */
	struct fault_counts rest;
	struct vma_row *vmas; /* hash by key */

	struct process_stats stats;	  /* the latest from the kernel's map */
	int64_t minor_alive, major_alive; /* to be added: what living threads have */
	struct process_stats stats_shown; /* of all this, what earlier reports have shown */
	int64_t minor_shown, major_shown;
	UT_hash_handle hh;
};

struct fault_table;

/* keep_exited: exited processes kept apart, at most. NULL: no memory. */
struct fault_table *fault_table__new(size_t keep_exited);
void fault_table__free(struct fault_table *t);

/* A VMA was seen for the first time. Ignored if the record is malformed. */
void fault_table__vma_seen(struct fault_table *t, const struct vma_record *record, size_t size);

/* Counts of one VMA taken from one CPU. */
void fault_table__add_stats(struct fault_table *t, const struct vma_key *key, const struct vma_stats *stats);

/* A fault that came as an event, with what its batch says of all. It is counted where the others are. */
struct fault_record {
	struct vma_key key;
	uint64_t time_ns;    /* CLOCK_MONOTONIC, at the exception */
	uint64_t latency_ns; /* if it is timed */
	uint64_t address, ip;
	uint64_t start, end; /* of the VMA, at that moment; 0 if there was none */
	uint32_t tid;
	uint32_t error; /* enum fault_error */
	uint8_t kind;
	uint8_t class;
	bool major;
	bool kernel_mode;
	bool timed;
	uint32_t stack_tid; /* tid if it has its stack there, else 0 */
	char comm[COMM_SIZE];
};

struct fault_record fault_record__of(const struct event_batch *batch, const struct fault_event *event);

/* The row of its VMA, which learns whose stack it is. NULL: the VMA has not been seen, or there is none. */
const struct vma_row *fault_table__vma_of_event(struct fault_table *t, const struct fault_record *record);

/* A sample of the faults in a VMA, which stands for `weight` of them, had this stack (model/stack_table). */
void fault_table__add_stack(struct fault_table *t, const struct vma_key *key, uint32_t stack,
			    uint32_t weight);

/*
 * The latest content of a process's entry in the kernel's map (cumulative). True: the process has exited, and
 * had when this was last called, so that nothing more can come: the entry may be deleted. last: no call will
 * follow.
 */
bool fault_table__set_process(struct fault_table *t, const struct process_key *key,
			      const struct process_stats *stats, bool last);

/* What living threads have: after fault_table__begin_threads(), each of them. */
void fault_table__begin_threads(struct fault_table *t);
void fault_table__add_thread(struct fault_table *t, const struct thread_counters *thread);

/* A VMA's row, NULL if it is not known. */
const struct vma_row *fault_table__vma(const struct fault_table *t, const struct vma_key *key);

/* Faults counted so far, in all intervals: for a status line. */
uint64_t fault_table__seen(const struct fault_table *t);

/* Keep memory bounded: fold processes that are gone if there are too many. To be called now and then. */
void fault_table__fold(struct fault_table *t);

/* Bring everything up to date for a report: totals, extents of one VMA joined, exited processes folded. */
void fault_table__settle(struct fault_table *t);

/* Totals after settling. */
const struct fault_counts *fault_table__total(const struct fault_table *t);

/*
 * Rows that faulted, most faults first; *n says how many. The caller frees the array, not the rows.
 * NULL with *n == 0: no memory.
 */
struct process_row **fault_table__processes(const struct fault_table *t, size_t *n);
struct vma_ref {
	struct process_row *process;
	struct vma_row *vma;
} * fault_table__vmas(const struct fault_table *t, size_t *n);

/* After a report: counts start anew, and processes that have exited are forgotten. */
void fault_table__next_interval(struct fault_table *t);

#endif
