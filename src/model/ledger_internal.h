/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a ledger: what ledger.c (accounts, seeds, queries) and ledger_calls.c (what each call does)
 * share. */
#ifndef MEMTRACE_LEDGER_INTERNAL_H
#define MEMTRACE_LEDGER_INTERNAL_H

#include "model/interval_set.h"
#include "model/ledger.h"

#define EXPECTED_MAX 32
#define ATTACHED_MAX 64
#define DEPARTED_MAX 4096
#define CHUNK_SHIFT  18 /* in which the kernel side counts faults */

/*
 * A mapping was put over [start, end) by a call that returned at exit_ns, where another was known: who
 * removes that one is yet to be reported.
 */
struct expected_removal {
	uint64_t start, end, exit_ns;
};

/* A segment that shmat attached: shmdt detaches what is left of it, whatever holes it has by then. */
struct attachment {
	uint64_t start, end, born_ns;
};

/* Mappings that had part of a chunk and are gone, by what obtained them and from where. */
struct departed_owner {
	uint64_t bytes; /* of their lives since faults of the chunk were last told; 0 may be an old owner */
	uint32_t site;
	uint8_t via;
	uint8_t bucket; /* of the churn they counted in; LEDGER_BUCKETS: none */
};

#define DEPARTED_OWNERS 4

struct departed {
	uint64_t chunk;				       /* 0: empty */
	struct departed_owner owners[DEPARTED_OWNERS]; /* the latest first */
};

struct ledger {
	struct interval_set set;
	struct ledger_account accounts[VIAS];
	uint64_t faults[VIAS];
	struct ledger_site *sites; /* hash by site */
	struct ledger_call calls[CALLS];
	struct ledger_failure failures[LEDGER_FAILURES];
	size_t failure_count;
	struct ledger_churn churn[LEDGER_BUCKETS];
	struct ledger_threshold threshold;
	struct trend trend;
	struct departed *departed; /* [DEPARTED_MAX], by hash of the chunk; made when needed */
	struct expected_removal expected[EXPECTED_MAX];
	size_t expected_next;
	struct attachment attached[ATTACHED_MAX];
	size_t attached_next;
	uint64_t as_of_ns;    /* when it was last seeded: calls that had returned by then are in it */
	uint64_t brk;	      /* 0: not known */
	uint64_t heap_start;  /* the lowest break seen, rounded up */
	uint64_t heap_peak;   /* the highest */
	uint16_t lock_future; /* flags that mlockall(MCL_FUTURE) gives to new mappings */
	bool inconsistent;
};

/* One call that is being applied, and whose figures its effects go to. */
struct change {
	struct ledger *l;
	const struct call_record *r;
	struct ledger_call *call;
	uint32_t site;
	bool whole_start, whole_end; /* of a removal: nothing was cut at that end */
	uint64_t start, end;	     /* of a removal */
};

/* Map [i->start, i->end), where nothing is. */
void ledger__obtain(struct change *c, const struct ledger_interval *i);

/* Unmap what is there in [start, end). */
void ledger__release(struct change *c, uint64_t start, uint64_t end);

void ledger__note_trend(struct ledger *l, uint64_t ns);

#endif
