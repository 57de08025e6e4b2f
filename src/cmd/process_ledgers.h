/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The processes that are traced, each with the ledger of its address space: fed by the records of
 * trace/alloc_source, seeded and corrected from /proc/PID/maps.
 */
#ifndef MEMTRACE_PROCESS_LEDGERS_H
#define MEMTRACE_PROCESS_LEDGERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

#include "alloc.h"
#include "model/errno_words.h"
#include "model/ledger.h"
#include "model/ledger_report.h"
#include "model/touched.h"
#include "model/vma_name.h"

/* The file that the call to come has mapped. */
struct mapped_file {
	uint64_t start, end;
	char name[VMA_NAME_SIZE];
};

/* One image of one process. */
struct process_ledger {
	struct process_key key;
	char comm[COMM_SIZE + 1];
	struct ledger *ledger; /* its own, or that of the process which it shares memory with */
	bool shares;	       /* the ledger is another's, as after vfork() */
	bool from_its_start;   /* fork or exec was seen: nothing in it is from before tracing */
	bool awaits_image;     /* exec was seen: what it has made is to come */
	bool is_32bit;
	bool ended;
	bool maps_unread;  /* /proc/PID/maps could not be read: what was there before is not known */
	uint64_t began_ns; /* when it was first seen: fork, exec, or the start of tracing */
	uint64_t ended_ns;
	uint64_t calls;		       /* with those that were lost */
	struct lost_calls lost[CALLS]; /* counted by the kernel side, not told */
	/* What those that were told obtained and returned by their arguments: as those that were lost. */
	uint64_t obtained[CALLS], returned[CALLS];
	struct ledger_difference corrected; /* by re-reading /proc/PID/maps */
	struct touched *touched;
	struct chunk_faults *chunks; /* faults that the ledger knows of */
	struct memory_limits limits; /* as they were when a call failed */
	bool limits_read;
	struct kernel_extent *kernel; /* --smaps: what the kernel says is resident; NULL: not asked */
	size_t kernel_count;
	UT_hash_handle hh, hh_image;
};

/* A VMA, and how much of it is resident: a line of /proc/PID/smaps. */
struct kernel_extent {
	uint64_t start, end, rss;
};

/* What is kept of processes that have ended when there are too many of them. */
struct folded_ledgers {
	uint64_t processes, calls, failed, obtained_bytes, returned_bytes;
};

struct process_ledgers;

/*
 * keep_ended: processes that have ended and are kept whole. huge_pages: there can be transparent ones. NULL:
 * no memory.
 */
struct process_ledgers *process_ledgers__new(size_t keep_ended, bool huge_pages);

/*
 * A part of an address space is about to be moved: refresh() tells what the kernel side has of its touched
 * pages, by process_ledgers__touched().
 */
void process_ledgers__on_move(struct process_ledgers *set,
			      void (*refresh)(void *context, const struct process_key *key, uint64_t start,
					      uint64_t end),
			      void *context);
void process_ledgers__free(struct process_ledgers *set);

/* All, in no order: iterate with ->hh.next. */
struct process_ledger *process_ledgers__all(const struct process_ledgers *set);
const struct folded_ledgers *process_ledgers__folded(const struct process_ledgers *set);
struct process_ledger *process_ledgers__find(const struct process_ledgers *set,
					     const struct process_key *key);

/* A process that runs when tracing begins. */
void process_ledgers__listed(struct process_ledgers *set, const struct process_listed *listed);

/* Records, in their order. 0 or -ENOMEM. */
int process_ledgers__process(struct process_ledgers *set, const struct process_record *r);
int process_ledgers__vma(struct process_ledgers *set, const struct vma_record *r);
/* *space: whose it is; *file: what was mapped, NULL if it is no file or its name is not known. */
int process_ledgers__call(struct process_ledgers *set, const struct call_record *r, uint32_t site,
			  struct process_ledger **space, const struct mapped_file **file);

/* What the kernel side counted because the ring was full, in all. True: the process has ended. */
bool process_ledgers__lost(struct process_ledgers *set, const struct lost_key *key,
			   const struct lost_calls *lost);

/*
 * Touched pages of a process, whose times count from began_ns. True: nothing more will come, as it has ended
 * or is not known.
 */
bool process_ledgers__touched(struct process_ledgers *set, const struct touched_key *key,
			      const struct touched_value *value);

/* Look which of the pages touched were huge ones, in processes that run. */
void process_ledgers__find_huge(struct process_ledgers *set);

/* Read /proc/PID/smaps of those that run. */
void process_ledgers__read_smaps(struct process_ledgers *set);

/* Re-read /proc/PID/maps of those that are known to be wrong, or of all that run. */
void process_ledgers__correct(struct process_ledgers *set, bool all);

/* Let go of the oldest of those that have ended. Not while records are drained. */
void process_ledgers__fold(struct process_ledgers *set);

/* --- one of them, with what was lost ----------------------------------------------------------------------
 */

/* Have calls been lost? Then bytes are by arguments, and mappings as /proc/PID/maps had them last. */
bool process_ledger__has_lost(const struct process_ledger *s);

uint64_t process_ledger__calls(const struct process_ledger *s, enum alloc_call call);
uint64_t process_ledger__failed(const struct process_ledger *s, enum alloc_call call);
uint64_t process_ledger__obtained(const struct process_ledger *s, enum alloc_call call);
uint64_t process_ledger__returned(const struct process_ledger *s, enum alloc_call call);

/* By how much it has grown since tracing began, in bytes. */
int64_t process_ledger__net(const struct process_ledger *s);

/* Of one process: see process_ledgers__touched(), __find_huge(), __read_smaps(). */
bool process_ledger__set_pages(struct process_ledger *s, const struct touched_key *key,
			       const struct touched_value *value);
void process_ledger__find_huge(struct process_ledger *s);
void process_ledger__read_smaps(struct process_ledger *s);

/* What limits it now, to explain a call that failed. */
void process_ledger__read_limits(struct process_ledger *s);
void process_ledger__free_pages(struct process_ledger *s);

/* All that a report needs, for ledger_report__free(). 0 or -ENOMEM. */
int process_ledger__report(const struct process_ledger *s, struct ledger_report *r);

/* Bytes of an interval that are resident. False: not known. */
bool process_ledger__resident(const struct process_ledger *s, const struct ledger_interval *i,
			      uint64_t *bytes);

#endif
