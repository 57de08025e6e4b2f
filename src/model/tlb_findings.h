/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands out among processes that flush the TLB or need much of it, in words. */
#ifndef MEMTRACE_TLB_FINDINGS_H
#define MEMTRACE_TLB_FINDINGS_H

#include "model/tlb_table.h"

enum tlb_finding_code {
	TLB_FOUND_SHOOTDOWNS,  /* other CPUs are interrupted more than 1,000 times a second */
	TLB_FOUND_SMALL_PAGES, /* more than 256 MiB is resident, and hardly any of it in huge pages */
	TLB_FOUND_SCATTERED,   /* page tables take more than 2 % of what is resident, and 16 MiB */
	TLB_FINDINGS,
};

struct tlb_finding {
	enum tlb_finding_code code;
	uint32_t pid;
	char text[256]; /* holds the name of a process: hostile */
	char knob[192]; /* what helps */
};

/* At most one of each code, for the process of which it is most true; found: room for TLB_FINDINGS. Their
 * number. */
size_t tlb_findings__make(const struct tlb_row *rows, size_t n, double seconds, struct tlb_finding *found);

const char *tlb_finding__name(enum tlb_finding_code code);

#endif
