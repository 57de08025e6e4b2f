/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flushes of the TLB by process and reason, and context switches beside them.
 *
 * What the kernel side counts only grows; the table remembers what was shown, so that rows are of one
 * interval. A process that has ended keeps its row until the interval is over.
 */
#ifndef MEMTRACE_TLB_TABLE_H
#define MEMTRACE_TLB_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tlb.h"

#define TLB_UNKNOWN UINT64_MAX

/* What is known of the memory of a process, in bytes; TLB_UNKNOWN: nothing. */
struct tlb_memory {
	uint64_t rss, pgtables;
	uint64_t huge; /* of rss, mapped by entries of 2 MiB */
};

/* One process image in one interval, or those that have no row of their own. */
struct tlb_row {
	struct process_key key; /* tgid 0: the idle tasks */
	char comm[COMM_SIZE + 1];
	uint32_t ppid;
	bool is_other;	  /* of processes without a row */
	size_t processes; /* of (other): how many of them have ended; 1 */
	bool is_kernel, exited;
	struct tlb_count reasons[TLB_REASONS];
	bool switches_known;
	int64_t voluntary, involuntary; /* context switches */
	struct tlb_memory memory;
};

enum tlb_sort {
	TLB_BY_FLUSHES, /* all that flushed something */
	TLB_BY_SENT,
	TLB_BY_RECEIVED,
	TLB_BY_LOCAL,
	TLB_BY_EMPTY,
	TLB_BY_SWITCHES,
	TLB_BY_PGTABLES,
	TLB_SORTS
};

struct tlb_table;

/* keep_exited: rows of processes that have ended, beyond which they become one. NULL: no memory. */
struct tlb_table *tlb_table__new(size_t keep_exited);
void tlb_table__free(struct tlb_table *t);

/*
 * What the kernel side has of a process image. last: nothing more can come. True: it can be deleted there,
 * since it had ended when it was last set, too.
 */
bool tlb_table__set_process(struct tlb_table *t, const struct process_key *key,
			    const struct tlb_process *stats, bool last);

/* What living threads have: first begin, then each. */
void tlb_table__begin_threads(struct tlb_table *t);
void tlb_table__add_thread(struct tlb_table *t, const struct tlb_thread *thread);

/* Of all processes, summed up over CPUs. */
void tlb_table__set_total(struct tlb_table *t, enum tlb_reason reason, const struct tlb_total *total);

/* What is known of a process that lives, by its pid; those that ask for it have flushed, and live. */
void tlb_table__set_memory(struct tlb_table *t, uint32_t pid, const struct tlb_memory *memory);

/*
 * The rows of this interval in which anything was flushed or loaded, most first, (other) last. The caller
 * frees the array; NULL: no memory.
 */
struct tlb_row *tlb_table__rows(const struct tlb_table *t, enum tlb_sort sort, size_t *n);

/* Of this interval, and since the beginning. */
struct tlb_total tlb_table__total(const struct tlb_table *t, enum tlb_reason reason);
uint64_t tlb_table__seen(const struct tlb_table *t);

/* Of the processes that have ended, those that flushed least become one. 0 or -ENOMEM. */
int tlb_table__fold(struct tlb_table *t);

/* What has been shown is over. */
void tlb_table__next_interval(struct tlb_table *t);

void tlb_count__add(struct tlb_count *to, const struct tlb_count *from);

/* Sums of a row: what flushed something; what a process made itself, here and elsewhere. */
uint64_t tlb_row__flushes(const struct tlb_row *row);
uint64_t tlb_row__local(const struct tlb_row *row);
uint64_t tlb_row__received(const struct tlb_row *row);
struct tlb_count tlb_row__made(const struct tlb_row *row);

/* "sent", and in words. */
const char *tlb_reason__name(enum tlb_reason reason);
const char *tlb_reason__meaning(enum tlb_reason reason);

/* "4-7" of bucket 3. */
void tlb_bucket__name(unsigned bucket, char *buf, size_t size);

#endif
