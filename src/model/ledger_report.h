/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a report of one process needs, computed from its ledger and from the pages it touched. Bytes.
 * Reserved, committed and resident are three answers to three questions, and never added up.
 */
#ifndef MEMTRACE_LEDGER_REPORT_H
#define MEMTRACE_LEDGER_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ledger.h"
#include "model/touched.h"

/* What is mapped now. */
struct extent {
	uint64_t reserved;  /* PROT_NONE */
	uint64_t committed; /* usable */
	uint64_t resident;  /* of the committed; an estimate: pages touched since, or locked, or populated */
	uint64_t huge;	    /* of the resident: by huge pages */
};

struct via_total {
	struct extent now;
	bool resident_known; /* not of what was there before: it may have been touched before */
	uint64_t inherited, obtained, returned;
	int64_t net; /* obtained - returned */
	uint64_t faults;
	uint64_t calls, failed, ns; /* of brk; of mmap, munmap and mremap together */
};

/* A call site that has something, or had. */
struct site_total {
	uint32_t site;
	uint8_t via; /* of the last that it obtained */
	struct extent now;
	uint64_t obtained, returned;
	int64_t net, weighted_net;
	uint64_t calls, faults;
	uint64_t churned, churned_bytes;
};

struct ledger_report {
	uint64_t start_ns, now_ns;
	struct via_total vias[VIAS];
	struct extent kinds[LEDGER_KINDS]; /* by what is mapped, over all vias */
	struct extent arenas;		   /* of malloc: parts of 64 MiB */
	size_t arena_count;
	struct extent untouched;    /* old enough to have been touched, anonymous, no stack: see findings.c */
	uint64_t heap;		    /* what brk has, with what it had before tracing */
	uint64_t heap_given_back;   /* of it, pages given back by madvise and not touched since */
	uint64_t heap_top_resident; /* touched pages in its last 128 KiB: what keeps it from shrinking */
	struct site_total *sites;   /* largest net first; site 0: calls without a stack */
	size_t site_count;
	struct ledger_churn churn[LEDGER_BUCKETS];
	uint32_t churn_site; /* that churned most; 0: not known */
	struct ledger_threshold threshold;
	struct ledger_call calls[CALLS];
	struct trend trend; /* values[0] by brk, [1] by mmap: net bytes */
};

/* Resident bytes of one interval. */
uint64_t ledger_interval__resident(const struct ledger_interval *i, const struct touched *t, uint64_t *huge);

/* 0; -ENOMEM. touched may be NULL: then nothing is said to be resident, and resident_known is false. */
int ledger_report__make(struct ledger_report *r, const struct ledger *l, const struct touched *t,
			uint64_t now_ns);
void ledger_report__free(struct ledger_report *r);

/* faults for each MiB obtained; share of the committed that is resident, 0 to 1; -1: nothing to divide by. */
double via_total__faults_per_mib(const struct via_total *v);
double extent__touched(const struct extent *e);

#endif
