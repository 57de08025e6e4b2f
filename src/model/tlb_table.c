/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/tlb_table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct switches {
	int64_t voluntary, involuntary;
};

struct entry {
	struct process_key key;
	struct tlb_process now, past; /* past: has been deleted by the kernel side, which began anew */
	struct tlb_count shown[TLB_REASONS];
	struct switches alive, shown_switches; /* of living threads; in the last report */
	bool exiting, exited;
	struct tlb_memory memory;
	UT_hash_handle hh;
};

struct tlb_table {
	struct entry *entries; /* hash by key */
	size_t keep_exited;
	struct tlb_row folded; /* of this interval: processes that have ended and have no entry any more */
	struct tlb_total totals[TLB_REASONS], shown[TLB_REASONS];
};

static const struct {
	const char *name, *meaning;
} reasons[TLB_REASONS] = {
	[TLB_SENT] = {"sent", "made other CPUs flush, and waited"},
	[TLB_RECEIVED] = {"received", "interrupted to flush for another"},
	[TLB_IN_VAIN] = {"in_vain", "interrupted for nothing"},
	[TLB_LOCAL_MM] = {"local", "flushed its own CPU's TLB"},
	[TLB_LOCAL] = {"reclaim", "the same, of pages reclaimed"},
	[TLB_SWITCH] = {"switch", "an address space was loaded"},
	[TLB_OTHER] = {"other", "memtrace does not know why"},
};

const char *tlb_reason__name(enum tlb_reason reason)
{
	return reasons[reason].name;
}

const char *tlb_reason__meaning(enum tlb_reason reason)
{
	return reasons[reason].meaning;
}

void tlb_bucket__name(unsigned bucket, char *buf, size_t size)
{
	uint64_t from = bucket ? 1ull << (bucket - 1) : 0, to = bucket ? (1ull << bucket) - 1 : 0;

	if (bucket == TLB_BUCKETS - 1)
		snprintf(buf, size, "%" PRIu64 "+", from);
	else if (from == to)
		snprintf(buf, size, "%" PRIu64, from);
	else
		snprintf(buf, size, "%" PRIu64 "-%" PRIu64, from, to);
}

struct tlb_table *tlb_table__new(size_t keep_exited)
{
	struct tlb_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->keep_exited = keep_exited;
	t->folded.switches_known = true;
	return t;
}

static void drop(struct tlb_table *t, struct entry *e)
{
	HASH_DEL(t->entries, e);
	free(e);
}

void tlb_table__free(struct tlb_table *t)
{
	struct entry *e, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->entries, e, next)
		drop(t, e);
	free(t);
}

/* --- sums -------------------------------------------------------------------------------------------------
 */

void tlb_count__add(struct tlb_count *to, const struct tlb_count *from)
{
	to->flushes += from->flushes;
	to->nothing += from->nothing;
	to->full += from->full;
	to->pages += from->pages;
}

static struct tlb_count since(const struct tlb_count *now, const struct tlb_count *before)
{
	return (struct tlb_count){
		now->flushes - before->flushes,
		now->nothing - before->nothing,
		now->full - before->full,
		now->pages - before->pages,
	};
}

uint64_t tlb_row__flushes(const struct tlb_row *row)
{
	uint64_t n = 0;

	for (int i = 0; i < TLB_REASONS; i++)
		n += row->reasons[i].flushes - row->reasons[i].nothing;
	return n;
}

uint64_t tlb_row__local(const struct tlb_row *row)
{
	return row->reasons[TLB_LOCAL_MM].flushes + row->reasons[TLB_LOCAL].flushes;
}

uint64_t tlb_row__received(const struct tlb_row *row)
{
	return row->reasons[TLB_RECEIVED].flushes + row->reasons[TLB_IN_VAIN].flushes;
}

struct tlb_count tlb_row__made(const struct tlb_row *row)
{
	struct tlb_count sum = row->reasons[TLB_SENT];

	tlb_count__add(&sum, &row->reasons[TLB_LOCAL_MM]);
	tlb_count__add(&sum, &row->reasons[TLB_LOCAL]);
	return sum;
}

static uint64_t events_of(const struct tlb_row *row)
{
	uint64_t n = 0;

	for (int i = 0; i < TLB_REASONS; i++)
		n += row->reasons[i].flushes;
	return n;
}

/* --- what the kernel side tells ---------------------------------------------------------------------------
 */

static struct entry *find(struct tlb_table *t, const struct process_key *key)
{
	struct entry *e;

	HASH_FIND(hh, t->entries, key, sizeof(*key), e);
	return e;
}

static struct entry *get(struct tlb_table *t, const struct process_key *key)
{
	struct entry *e = find(t, key);

	if (e)
		return e;
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->key = *key;
	e->memory = (struct tlb_memory){TLB_UNKNOWN, TLB_UNKNOWN, TLB_UNKNOWN};
	HASH_ADD(hh, t->entries, key, sizeof(e->key), e);
	return e;
}

bool tlb_table__set_process(struct tlb_table *t, const struct process_key *key,
			    const struct tlb_process *stats, bool last)
{
	struct entry *e = get(t, key);
	bool exiting = stats->flags & TLB_EXITED;

	if (!e)
		return false;
	if (e->exited) /* what was there has been deleted, and a little more came */
		e->past = e->now;
	e->now = *stats;
	for (int i = 0; i < TLB_REASONS; i++)
		tlb_count__add(&e->now.reasons[i], &e->past.reasons[i]);
	if (e->past.flags) {
		e->now.voluntary = e->past.voluntary;
		e->now.involuntary = e->past.involuntary;
		e->now.flags = e->past.flags;
	}
	e->exited = exiting && (e->exiting || last);
	e->exiting = exiting;
	return e->exited;
}

void tlb_table__begin_threads(struct tlb_table *t)
{
	for (struct entry *e = t->entries; e; e = e->hh.next)
		e->alive = (struct switches){};
}

void tlb_table__add_thread(struct tlb_table *t, const struct tlb_thread *thread)
{
	struct entry *e = find(t, &thread->process);

	if (!e)
		return; /* not in the kernel's map either */
	memcpy(e->now.comm, thread->comm, COMM_SIZE);
	e->alive.voluntary += (int64_t)thread->voluntary;
	e->alive.involuntary += (int64_t)thread->involuntary;
}

void tlb_table__set_total(struct tlb_table *t, enum tlb_reason reason, const struct tlb_total *total)
{
	t->totals[reason] = *total;
}

void tlb_table__set_memory(struct tlb_table *t, uint32_t pid, const struct tlb_memory *memory)
{
	for (struct entry *e = t->entries; e; e = e->hh.next)
		if (e->key.tgid == pid && !e->exiting)
			e->memory = *memory;
}

/* --- rows -------------------------------------------------------------------------------------------------
 */

static struct switches switches_of(const struct entry *e)
{
	return (struct switches){e->now.voluntary + e->alive.voluntary,
				 e->now.involuntary + e->alive.involuntary};
}

static void fill(struct tlb_row *row, const struct entry *e)
{
	struct switches switches = switches_of(e);

	memset(row, 0, sizeof(*row));
	row->key = e->key;
	snprintf(row->comm, sizeof(row->comm), "%.*s", COMM_SIZE, e->key.tgid ? e->now.comm : "(idle)");
	row->ppid = e->now.ppid;
	row->processes = 1;
	row->is_kernel = e->now.flags & TLB_KERNEL;
	row->exited = e->exiting;
	for (int i = 0; i < TLB_REASONS; i++)
		row->reasons[i] = since(&e->now.reasons[i], &e->shown[i]);
	row->switches_known = e->now.flags & TLB_COMPLETE;
	row->voluntary = switches.voluntary - e->shown_switches.voluntary;
	row->involuntary = switches.involuntary - e->shown_switches.involuntary;
	row->memory = e->memory;
}

static uint64_t value_of(const struct tlb_row *row, enum tlb_sort sort)
{
	switch (sort) {
	case TLB_BY_SENT:
		return row->reasons[TLB_SENT].flushes;
	case TLB_BY_RECEIVED:
		return tlb_row__received(row);
	case TLB_BY_LOCAL:
		return tlb_row__local(row);
	case TLB_BY_EMPTY:
		return row->reasons[TLB_SWITCH].full;
	case TLB_BY_SWITCHES:
		return row->switches_known ? (uint64_t)(row->voluntary + row->involuntary) : 0;
	case TLB_BY_PGTABLES:
		return row->memory.pgtables == TLB_UNKNOWN ? 0 : row->memory.pgtables;
	default:
		return tlb_row__flushes(row);
	}
}

static int by_value(const void *a, const void *b, void *sort)
{
	const struct tlb_row *p = a, *q = b;
	uint64_t of_p = value_of(p, *(enum tlb_sort *)sort), of_q = value_of(q, *(enum tlb_sort *)sort);

	if (of_p != of_q)
		return of_p > of_q ? -1 : 1;
	return p->key.tgid != q->key.tgid ? (p->key.tgid < q->key.tgid ? -1 : 1)
					  : (int)p->key.image - (int)q->key.image;
}

/* What of the interval belongs to no row. */
static void fill_other(const struct tlb_table *t, struct tlb_row *other)
{
	*other = t->folded;
	other->is_other = true;
	snprintf(other->comm, sizeof(other->comm), "(other)");
	other->memory = (struct tlb_memory){TLB_UNKNOWN, TLB_UNKNOWN, TLB_UNKNOWN};
	for (int i = 0; i < TLB_REASONS; i++) {
		struct tlb_count lost = since(&t->totals[i].other, &t->shown[i].other);

		tlb_count__add(&other->reasons[i], &lost);
		if (lost.flushes)
			other->switches_known = false;
	}
}

struct tlb_row *tlb_table__rows(const struct tlb_table *t, enum tlb_sort sort, size_t *n)
{
	struct tlb_row *rows = calloc(HASH_COUNT(t->entries) + 2, sizeof(*rows)), other;

	*n = 0;
	if (!rows)
		return NULL;
	for (const struct entry *e = t->entries; e; e = e->hh.next) {
		fill(&rows[*n], e);
		*n += events_of(&rows[*n]) > 0;
	}
	fill_other(t, &other);
	if (*n)
		qsort_r(rows, *n, sizeof(*rows), by_value, &sort);
	if (events_of(&other))
		rows[(*n)++] = other;
	return rows;
}

struct tlb_total tlb_table__total(const struct tlb_table *t, enum tlb_reason reason)
{
	const struct tlb_total *now = &t->totals[reason], *shown = &t->shown[reason];
	struct tlb_total total = {
		.count = since(&now->count, &shown->count),
		.other = since(&now->other, &shown->other),
	};

	for (int i = 0; i < TLB_BUCKETS; i++)
		total.buckets[i] = now->buckets[i] - shown->buckets[i];
	return total;
}

uint64_t tlb_table__seen(const struct tlb_table *t)
{
	uint64_t n = 0;

	for (int i = 0; i < TLB_REASONS; i++)
		n += t->totals[i].count.flushes;
	return n;
}

void tlb_table__next_interval(struct tlb_table *t)
{
	struct entry *e, *next;

	HASH_ITER(hh, t->entries, e, next) {
		if (e->exited) {
			drop(t, e);
			continue;
		}
		for (int i = 0; i < TLB_REASONS; i++)
			e->shown[i] = e->now.reasons[i];
		e->shown_switches = switches_of(e);
	}
	memcpy(t->shown, t->totals, sizeof(t->shown));
	t->folded = (struct tlb_row){.switches_known = true};
}

/* --- those that have ended --------------------------------------------------------------------------------
 */

struct ended {
	struct entry *entry;
	struct tlb_row row;
};

static int most_first(const void *a, const void *b)
{
	uint64_t p = tlb_row__flushes(&((const struct ended *)a)->row),
		 q = tlb_row__flushes(&((const struct ended *)b)->row);

	return p == q ? 0 : p > q ? -1 : 1;
}

static void merge(struct tlb_row *to, const struct tlb_row *from)
{
	for (int i = 0; i < TLB_REASONS; i++)
		tlb_count__add(&to->reasons[i], &from->reasons[i]);
	to->voluntary += from->voluntary;
	to->involuntary += from->involuntary;
	to->switches_known &= from->switches_known;
	to->processes += from->processes;
}

int tlb_table__fold(struct tlb_table *t)
{
	struct ended *list;
	size_t n = 0;

	for (const struct entry *e = t->entries; e; e = e->hh.next)
		n += e->exited;
	if (n <= t->keep_exited)
		return 0;
	list = calloc(n, sizeof(*list));
	if (!list)
		return -ENOMEM;
	n = 0;
	for (struct entry *e = t->entries; e; e = e->hh.next) {
		if (!e->exited)
			continue;
		list[n].entry = e;
		fill(&list[n++].row, e);
	}
	qsort(list, n, sizeof(*list), most_first);
	for (size_t i = t->keep_exited; i < n; i++) {
		merge(&t->folded, &list[i].row);
		drop(t, list[i].entry);
	}
	free(list);
	return 0;
}
