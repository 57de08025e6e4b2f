/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/findings.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "model/growth.h"

#define MIB	  (1ULL << 20)
#define SECOND	  1000000000ULL
#define PER_MILLE 1000

/* Fewer may be a start-up; and one in two seconds costs nothing that can be measured. */
#define CHURN_LEAST	 100
#define CHURN_PER_SECOND 10
/* Below it malloc does not use mmap, and what does has its reasons. */
#define CHURN_BUCKET 16 /* 64 KiB */

/* A heap of less is not worth a thought; given back by less than half it is still in use. */
#define HEAP_LEAST	(16 * MIB)
#define HEAP_GIVEN_BACK 500 /* per mille */

/* One large block on the heap may be chance (realloc, another allocator); so may a few that are mapped. */
#define THRESHOLD_GROWS 3

/* A few threads with an arena each are how malloc is meant to work. */
#define ARENAS_LEAST 8

/* What is asked for in one go is used bit by bit: only when most of much is left is it a finding. */
#define UNTOUCHED_LEAST (64 * MIB)
#define UNTOUCHED_SHARE 750 /* per mille */

/* A start-up may take seconds, and a few MiB are nothing to look for. */
#define GROWN_NS    (10 * SECOND)
#define GROWN_LEAST (8 * MIB)

/* Programs and libraries are tens of MiB. */
#define FILES_LEAST (256 * MIB)
#define FILES_SHARE 600 /* per mille of what is committed */

static uint64_t per_mille(uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t)((double)part / (double)whole * PER_MILLE) : 0;
}

static double mib(uint64_t bytes)
{
	return (double)bytes / MIB;
}

static double seconds(const struct ledger_report *r)
{
	return r->now_ns > r->start_ns ? (double)(r->now_ns - r->start_ns) / SECOND : 0;
}

static bool find_churn(const struct ledger_report *r, struct finding *f)
{
	const struct ledger_churn *most = &r->churn[CHURN_BUCKET], *c;
	int n;

	for (c = most; c < r->churn + LEDGER_BUCKETS; c++)
		if (c->bytes > most->bytes)
			most = c;
	if (most->count < CHURN_LEAST || (double)most->count < CHURN_PER_SECOND * seconds(r))
		return false;
	f->site = r->churn_site;
	f->knob =
		"M_MMAP_THRESHOLD and M_TRIM_THRESHOLD (mallopt(3), glibc.malloc.mmap_threshold), or keep the "
		"block";
	n = snprintf(
		f->text, sizeof(f->text),
		"%llu mappings of %.0f KiB on average lived %.1f ms on average and were unmapped (%.0f a second)",
		(unsigned long long)most->count, (double)most->bytes / (double)most->count / 1024,
		(double)most->life_ns / (double)most->count / 1e6,
		seconds(r) > 0 ? (double)most->count / seconds(r) : (double)most->count);
	if (most->faults)
		snprintf(f->text + n, sizeof(f->text) - (size_t)n, "; each paid %.1f page faults",
			 (double)most->faults / (double)most->count);
	return true;
}

static bool find_pinned_heap(const struct ledger_report *r, struct finding *f)
{
	if (r->heap < HEAP_LEAST || per_mille(r->heap_given_back, r->heap) < HEAP_GIVEN_BACK ||
	    !r->heap_top_resident)
		return false;
	f->knob =
		"free what is at the top, or allocate what lives long first; M_MMAP_THRESHOLD keeps large blocks "
		"out of the heap";
	snprintf(
		f->text, sizeof(f->text),
		"of a heap of %.0f MiB, %.0f MiB were given back by madvise and not used since, but the break "
		"stays: %.0f KiB at its top are in use",
		mib(r->heap), mib(r->heap_given_back), (double)r->heap_top_resident / 1024);
	return true;
}

static bool find_threshold(const struct ledger_report *r, struct finding *f)
{
	const struct ledger_threshold *t = &r->threshold;

	/* Mappings that should not be there any more mean that it is not malloc's doing. */
	if (!t->bytes || t->heap_grows < THRESHOLD_GROWS || t->mmaps * 10 > t->heap_grows)
		return false;
	f->knob = "setting M_MMAP_THRESHOLD, M_TRIM_THRESHOLD or M_TOP_PAD to any value turns it off";
	snprintf(
		f->text, sizeof(f->text),
		"malloc raised its mmap threshold to %.0f KiB when a block of that size was freed: since then the heap "
		"grew %llu times by more than 256 KiB (%.0f MiB), and %llu blocks were mapped",
		(double)t->bytes / 1024, (unsigned long long)t->heap_grows, mib(t->heap_bytes),
		(unsigned long long)t->mmaps);
	return true;
}

static bool find_arenas(const struct ledger_report *r, struct finding *f)
{
	if (r->arena_count < ARENAS_LEAST)
		return false;
	f->knob = "MALLOC_ARENA_MAX (M_ARENA_MAX of mallopt(3))";
	snprintf(
		f->text, sizeof(f->text),
		"%zu parts of malloc arenas, 64 MiB each: %.0f MiB reserved, %.0f MiB committed, %.0f MiB resident",
		r->arena_count, mib(r->arenas.reserved), mib(r->arenas.committed), mib(r->arenas.resident));
	return true;
}

static bool find_untouched(const struct ledger_report *r, struct finding *f)
{
	const struct extent *e = &r->untouched;
	uint64_t left = e->committed > e->resident ? e->committed - e->resident : 0;

	if (!r->vias[VIA_MMAP].resident_known || left < UNTOUCHED_LEAST ||
	    per_mille(left, e->committed) < UNTOUCHED_SHARE)
		return false;
	f->knob =
		"ask for less, or later; it counts against RLIMIT_AS and strict overcommit, not as resident";
	snprintf(
		f->text, sizeof(f->text),
		"of %.0f MiB of anonymous memory, asked for more than a second ago, %.0f MiB (%.0f %%) were never touched",
		mib(e->committed), mib(left), (double)per_mille(left, e->committed) / 10);
	return true;
}

static int64_t grown(const struct trend *t, size_t i)
{
	return t->points[i].values[0] + t->points[i].values[1];
}

static bool find_growth(const struct ledger_report *r, struct finding *f)
{
	const struct trend *t = &r->trend;
	struct series series = {};
	struct growth g;
	int64_t bytes;

	if (!t->count || t->count * t->step_ns < GROWN_NS)
		return false;
	bytes = grown(t, t->count - 1) - grown(t, 0);
	for (size_t i = 0; i < t->count; i++)
		series__add(&series, t->start_ns + i * t->step_ns, grown(t, i));
	growth__judge(&series, &g);
	if (g.verdict != GROWTH_GROWING || bytes < (int64_t)GROWN_LEAST)
		return false;
	/* The largest net growth is at the head of the rows. */
	f->site = r->site_count ? r->sites[0].site : 0;
	f->knob =
		"look at the call sites with the largest net growth: what they obtain is not returned; memtrace "
		"leaks tells what of it stays resident";
	snprintf(
		f->text, sizeof(f->text),
		"brk and mmap grew by %.1f MiB in %.0f s, and steadily in the last %.0f s: by %.2f MiB a second "
		"(%.2f to %.2f)",
		mib((uint64_t)bytes), (double)(t->count - 1) * (double)t->step_ns / SECOND, g.seconds,
		g.rate / MIB, g.rate_low / MIB, g.rate_high / MIB);
	return true;
}

static bool find_files(const struct ledger_report *r, struct finding *f)
{
	const struct extent *files = &r->kinds[LEDGER_FILE];
	uint64_t all = 0;

	for (int kind = 0; kind < LEDGER_KINDS; kind++)
		all += r->kinds[kind].committed;
	if (files->committed < FILES_LEAST || per_mille(files->committed, all) < FILES_SHARE)
		return false;
	f->knob =
		"they are page cache, which the kernel takes back when it needs memory; PSS and anonymous memory "
		"tell what the process itself costs";
	snprintf(f->text, sizeof(f->text),
		 "file mappings are %.0f MiB of the %.0f MiB that are mapped (%.0f %%)",
		 mib(files->committed), mib(all), (double)per_mille(files->committed, all) / 10);
	return true;
}

size_t findings__make(const struct ledger_report *r, struct finding found[FINDINGS])
{
	static bool (*const finders[FINDINGS])(const struct ledger_report *, struct finding *) = {
		[FINDING_MMAP_CHURN] = find_churn,
		[FINDING_HEAP_PINNED] = find_pinned_heap,
		[FINDING_DYNAMIC_THRESHOLD] = find_threshold,
		[FINDING_ARENAS] = find_arenas,
		[FINDING_NEVER_TOUCHED] = find_untouched,
		[FINDING_GROWTH] = find_growth,
		[FINDING_FILES] = find_files,
	};
	size_t count = 0;

	for (int code = 0; code < FINDINGS; code++) {
		found[count] = (struct finding){.code = code};
		count += finders[code](r, &found[count]);
	}
	return count;
}

const char *finding_code__name(unsigned code)
{
	static const char *const names[FINDINGS] = {
		[FINDING_MMAP_CHURN] = "mmap_churn",
		[FINDING_HEAP_PINNED] = "heap_pinned",
		[FINDING_DYNAMIC_THRESHOLD] = "dynamic_threshold",
		[FINDING_ARENAS] = "arenas",
		[FINDING_NEVER_TOUCHED] = "never_touched",
		[FINDING_GROWTH] = "growth",
		[FINDING_FILES] = "files",
	};

	return code < FINDINGS ? names[code] : "?";
}
