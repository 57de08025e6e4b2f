/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/tlb_findings.h"

#include <inttypes.h>
#include <stdio.h>

#define SENT_A_SECOND	1000
#define LARGE_RSS	(256ull << 20)
#define HUGE_SHARE	0.1
#define LARGE_PGTABLES	(16ull << 20)
#define SCATTERED_SHARE 0.02

static const char *const names[TLB_FINDINGS] = {
	[TLB_FOUND_SHOOTDOWNS] = "shootdowns",
	[TLB_FOUND_SMALL_PAGES] = "small_pages",
	[TLB_FOUND_SCATTERED] = "scattered",
};

const char *tlb_finding__name(enum tlb_finding_code code)
{
	return names[code];
}

/* How much a finding is true of a process; 0: not at all. */
static double weight(const struct tlb_row *row, enum tlb_finding_code code, double seconds)
{
	const struct tlb_memory *m = &row->memory;
	double sent = seconds > 0 ? row->reasons[TLB_SENT].flushes / seconds : 0;

	if (row->is_other)
		return 0;
	switch (code) {
	case TLB_FOUND_SHOOTDOWNS:
		return sent >= SENT_A_SECOND ? sent : 0;
	case TLB_FOUND_SMALL_PAGES:
		if (m->rss == TLB_UNKNOWN || m->huge == TLB_UNKNOWN || m->rss < LARGE_RSS)
			return 0;
		return m->huge < HUGE_SHARE * m->rss ? m->rss - m->huge : 0;
	case TLB_FOUND_SCATTERED:
		if (m->rss == TLB_UNKNOWN || m->pgtables == TLB_UNKNOWN || m->pgtables < LARGE_PGTABLES)
			return 0;
		return m->pgtables > SCATTERED_SHARE * m->rss ? m->pgtables : 0;
	default:
		return 0;
	}
}

static void describe(struct tlb_finding *f, const struct tlb_row *row, double value)
{
	const struct tlb_memory *m = &row->memory;

	switch (f->code) {
	case TLB_FOUND_SHOOTDOWNS:
		snprintf(f->text, sizeof(f->text),
			 "%s (%" PRIu32 ") makes other CPUs flush %.0f times a second: each time they are "
			 "interrupted, and it waits for them",
			 row->comm, f->pid, value);
		snprintf(
			f->knob, sizeof(f->knob),
			"unmap, protect and give back memory more seldom, and more of it at a time; memtrace "
			"brk-vs-mmap -p %" PRIu32 " --stacks tells where it is done",
			f->pid);
		break;
	case TLB_FOUND_SMALL_PAGES:
		snprintf(f->text, sizeof(f->text),
			 "%s (%" PRIu32 ") has %.0f MiB in memory in pages of 4 KiB, which take %.0f "
			 "translations",
			 row->comm, f->pid, value / (1 << 20), value / 4096);
		snprintf(
			f->knob, sizeof(f->knob),
			"huge pages: madvise(MADV_HUGEPAGE), or /sys/kernel/mm/transparent_hugepage/enabled");
		break;
	default:
		snprintf(f->text, sizeof(f->text),
			 "%s (%" PRIu32 ") has %.0f MiB of page tables for %.0f MiB in memory: it is "
			 "scattered, and walks find little in the caches",
			 row->comm, f->pid, value / (1 << 20), (double)m->rss / (1 << 20));
		snprintf(f->knob, sizeof(f->knob),
			 "keep what is used together; memtrace maps -p %" PRIu32
			 " --picture shows where it is",
			 f->pid);
		break;
	}
}

size_t tlb_findings__make(const struct tlb_row *rows, size_t n, double seconds, struct tlb_finding *found)
{
	size_t count = 0;

	for (int code = 0; code < TLB_FINDINGS; code++) {
		const struct tlb_row *most = NULL;
		double value = 0;

		for (size_t i = 0; i < n; i++) {
			double w = weight(&rows[i], code, seconds);

			if (w > value) {
				value = w;
				most = &rows[i];
			}
		}
		if (!most)
			continue;
		found[count].code = code;
		found[count].pid = most->key.tgid;
		describe(&found[count++], most, value);
	}
	return count;
}
