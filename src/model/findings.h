/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a report means, where its numbers carry it: a sentence with the numbers, and the knob that helps. Each
 * is a function of the report alone.
 */
#ifndef MEMTRACE_FINDINGS_H
#define MEMTRACE_FINDINGS_H

#include <stddef.h>
#include <stdint.h>

#include "model/ledger_report.h"

enum finding_code {
	FINDING_MMAP_CHURN,	   /* blocks mapped and unmapped over and over */
	FINDING_HEAP_PINNED,	   /* the heap is mostly given back, and cannot shrink for its top */
	FINDING_DYNAMIC_THRESHOLD, /* malloc has raised the size from which it uses mmap */
	FINDING_ARENAS,		   /* many arenas of malloc, one for each thread */
	FINDING_NEVER_TOUCHED,	   /* memory asked for and not used */
	FINDING_GROWTH,		   /* it grows and does not stop */
	FINDING_FILES,		   /* most of what is mapped is files */
	FINDINGS,
};

struct finding {
	enum finding_code code;
	uint32_t site; /* the call site in question; 0: none */
	char text[320];
	const char *knob;
};

/* Those that hold, in the order of their codes; their number, FINDINGS at most. */
size_t findings__make(const struct ledger_report *r, struct finding found[FINDINGS]);

/* "mmap_churn", ..., as in JSON. */
const char *finding_code__name(unsigned code);

#endif
